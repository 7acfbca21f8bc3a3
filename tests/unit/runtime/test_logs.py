"""What a role writes, as it writes it: in a process of its own."""

import subprocess
import sys
from functools import cache
from typing import Any, Final

import orjson

SECRET: Final = "hunter2-hunter2"
PROGRAM: Final = f"""
import base64
from pydantic import SecretStr
from api.auth.keys import parse_keys
from api.schemas.orders import OrderBody
from runtime.logs import configure_logs, get_logger
from runtime.settings import Settings

configure_logs("test", "DEBUG")
log = get_logger("test")

def fail(token, ring, settings):
    held = {{"password": token}}
    raise RuntimeError("a bug")

seed = base64.urlsafe_b64encode({SECRET!r}.ljust(32).encode()).rstrip(b"=").decode()
ring = parse_keys("id:" + seed)
settings = Settings(auth_keys=SecretStr(seed), DATABASE_URL="postgresql://u:{SECRET}@h/d",
                    REDIS_URL="redis://:{SECRET}@h")
try:
    fail({SECRET!r}, ring, settings)
except RuntimeError as error:
    log.exception("failed", error=repr(error))
log.info("dumped", ring=ring, settings=settings)
log.info("line\\nbreak", header="a\\r\\nevent: forged")
try:
    OrderBody.model_validate({{"quote_id": {SECRET!r}, "client_order_id": [{SECRET!r}]}})
except Exception as error:
    raw_transaction = {SECRET!r}
    log.exception("refused", error=repr(error))
try:
    parse_keys("id:" + seed + ",broken:" + seed[:-1])
except Exception:
    log.exception("bad_keys")
"""


@cache
def lines() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def test_key_material_is_in_no_line_whatever_is_logged() -> None:
    failed, dumped, forged, _, bad = lines()
    assert "in fail" in failed["exception"]
    assert "RuntimeError: a bug" in failed["exception"]
    assert "KeyRing" in dumped["ring"]
    assert "**********" in dumped["settings"]
    assert "key 2 is not" in bad["exception"]
    text = orjson.dumps([failed, dumped, bad]).decode()
    # As it was given, and as the seed is spelled.
    assert SECRET not in text
    assert "aHVudGVyMi1odW50ZXIy" not in text
    # A line stays a line.
    assert (forged["event"], forged["header"]) == ("line\nbreak", "a\r\nevent: forged")


def test_what_was_sent_is_in_no_line() -> None:
    """Neither the locals of a traceback nor the input in an error of a model."""
    refused = lines()[3]
    assert refused["event"] == "refused"
    assert "quote_id" in refused["exception"]
    assert SECRET not in orjson.dumps(refused).decode()
