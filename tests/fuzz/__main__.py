"""``make fuzz``: generated requests to a running sandbox, found by ``runtime.json``. Every answer
must be one that ``/openapi.json`` documents."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
from eth_account import Account
from eth_account.messages import encode_defunct

from tests.fuzz.command import AREAS, TOKEN, arguments

CHAIN = 42161


def main() -> int:
    asked = _asked()
    found = Path(os.environ.get("PERP_DATA_DIR", ".data")) / "runtime.json"
    url = asked.url
    if url is None:
        if not found.exists():
            print(f"nothing runs here: there is no {found}; start one with `make run`, or give URL")
            return 2
        url = str(orjson.loads(found.read_bytes())["http_url"])
    print(f"make fuzz EXAMPLES={asked.examples} SEED={asked.seed}: {url}, {asked.area or AREAS}")
    command = arguments(url, asked.area, asked.examples, asked.seed)
    return subprocess.run(command, env={**os.environ, TOKEN: _token(url)}, check=False).returncode


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
