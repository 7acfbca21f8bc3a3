"""``make fuzz``: generated requests to a running sandbox, found by ``runtime.json``. Every answer
must be one that ``/openapi.json`` documents."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import orjson
from eth_account import Account
from eth_account.messages import encode_defunct

from tests.fuzz.command import AREAS, TOKEN, arguments

CHAIN: Final = 42161
_GENERATED: Final = re.compile(r"([0-9]+) generated")


def main() -> int:
    asked = _asked()
    found = Path(os.environ.get("PERP_DATA_DIR", ".data")) / "runtime.json"
    url = asked.url
    if url is None:
        if not found.exists():
            print(f"nothing runs here: there is no {found}; start one with `make run`, or give URL")
            return 2
        url = str(orjson.loads(found.read_bytes())["http_url"])
    print(f"make fuzz EXAMPLES={asked.examples} SEED={asked.seed}: {url}", flush=True)
    ended = [
        _run(url, area, asked.examples, asked.seed)
        for area in ([asked.area] if asked.area else AREAS)
    ]
    for outcome in ended:
        print(outcome)
    print(f"cases in all: {sum(outcome.cases for outcome in ended)}")
    return max(outcome.code for outcome in ended)


class Outcome(NamedTuple):
    area: str
    cases: int
    code: int

    def __str__(self) -> str:
        return f"{self.area}: {self.cases} cases, " + ("SEE ABOVE" if self.code else "no issues")


def _run(url: str, area: str, examples: int, seed: int) -> Outcome:
    """With a session of its own: a run may end it."""
    cases = 0
    with subprocess.Popen(
        arguments(url, area, examples, seed),
        env={**os.environ, TOKEN: _token(url)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := _GENERATED.search(line):
                cases = int(found[1])
    return Outcome(area, cases, process.returncode)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--url", help="of the instance")
    parser.add_argument("--area", choices=AREAS, help="all of them without one")
    parser.add_argument("--examples", type=int, default=300, help="of an operation")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _token(url: str) -> str:
    """Of a wallet that nobody has used."""
    wallet = Account.create()
    with httpx.Client(base_url=url, timeout=20.0) as http:
        asked = {"address": wallet.address, "chain_id": CHAIN}
        challenge = http.post("/v1/auth/nonce", json=asked).raise_for_status().json()["data"]
        text = challenge["message"]
        signature = wallet.sign_message(encode_defunct(text=text)).signature
        signed = {"message": text, "signature": "0x" + bytes(signature).hex()}
        grant = http.post("/v1/auth/login", json=signed).raise_for_status().json()["data"]
    return str(grant["access_token"])


sys.exit(main())
