"""Orders with real settings, on a chain that is none of ours: its contracts are found by addresses,
its markets and prices by URLs, and nothing else is said.

It has the venues' contracts of GMX's older release and nothing beside them, no precompile and no
contract that gathers calls; there is no GMX API, so that pools are read from the chain.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import httpx
import orjson
import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from connectors.gmx.addresses import contracts
from domain.ids import MarketId
from perptape.embedded_anvil import EmbeddedAnvil
from runtime.channels import depth_key
from sandbox.chain.places import ARBITRUM, CONTRACTS
from tests.integration.execution_kit import ETH_MARKET
from tests.integration.feed_kit import sandbox
from tests.integration.program_kit import ROOT, Program, until
from tests.servers import open_folder, running

pytestmark = pytest.mark.timeout(240)

TRADE: Final = ROOT / "examples" / "python" / "trade.py"
WITHIN_S: Final = 100.0
OLDER: Final = contracts(ARBITRUM, "v2.2b", {})
PLACES: Final = CONTRACTS[ARBITRUM]
WETH, USDC = (
    "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
    "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
)
FACTOR: Final = 10**30
_OF_POOL: Final = ("address",)
_OF_FLAG: Final = ("address", "bool")
_OF_TOKEN: Final = ("address", "address")

# As the configuration of the public repository has them, for a pool of ether and USDC.
FACTORS: Final[dict[str, tuple[int, ...]]] = {
    "POSITION_IMPACT_FACTOR": (9 * 10**19, 3 * 10**19),
    "POSITION_IMPACT_EXPONENT_FACTOR": (2 * FACTOR, 2 * FACTOR),
    "MAX_POSITION_IMPACT_FACTOR": (5 * 10**27, 4 * 10**27),
    "POSITION_FEE_FACTOR": (6 * 10**26, 4 * 10**26),
    "MAX_OPEN_INTEREST": (10**38, 10**38),
    "RESERVE_FACTOR": (2 * FACTOR, 2 * FACTOR),
    "OPEN_INTEREST_RESERVE_FACTOR": (2 * FACTOR, 2 * FACTOR),
}
"""Without and with the flag."""


def key(name: str, types: tuple[str, ...] = (), *values: Any) -> bytes:
    base = keccak(encode(["string"], [name]))
    return keccak(encode(["bytes32", *types], [base, *values])) if types else base


def furnish(url: str) -> None:
    """The older release in place of the newer one, and a pool that takes something."""
    store, roles = OLDER["DATA_STORE"], PLACES["ROLE_STORE"]
    words = {
        key(name, _OF_FLAG, ETH_MARKET, bool(flag)): value
        for name, values in FACTORS.items()
        for flag, value in enumerate(values)
    }
    words[key("MIN_COLLATERAL_FACTOR", _OF_POOL, ETH_MARKET)] = 5 * 10**27
    for token, amount in ((WETH, 10_000 * 10**18), (USDC, 30_000_000 * 10**6)):
        words[key("POOL_AMOUNT", _OF_TOKEN, ETH_MARKET, token)] = amount
    asked: list[tuple[str, list[str]]] = [
        ("anvil_setCode", [PLACES[name], "0x"]) for name in ("EXCHANGE_ROUTER", "READER", "ARB_SYS")
    ]
    asked += [("anvil_setStorageAt", [store, slot(at), word(value)]) for at, value in words.items()]
    router = encode(["address"], [OLDER["EXCHANGE_ROUTER"]])
    for role in ("CONTROLLER", "ROUTER_PLUGIN"):
        place = keccak(key(role) + keccak(router + bytes(32)))
        asked.append(("anvil_setStorageAt", [roles, f"0x{place.hex()}", word(1)]))
    rows = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(asked)
    ]
    answers = httpx.post(url, json=rows, timeout=20).json()
    assert [row for row in answers if "error" in row] == []


def slot(found: bytes) -> str:
    """Of the first mapping of a contract."""
    return f"0x{keccak(found + bytes(32)).hex()}"


def word(value: int) -> str:
    return f"0x{value:064x}"


@pytest.fixture(scope="module")
def chain() -> Iterator[str]:
    """Its URL."""
    with running(partial(EmbeddedAnvil, ARBITRUM)) as url:
        furnish(url)
        yield url


@pytest.fixture(scope="module")
def endpoints(chain: str) -> Iterator[dict[str, str]]:
    """The venues' own, with keepers on the chain."""
    with (
        open_folder() as folder,
        sandbox(folder, **{f"PERP_SANDBOX_CHAIN_URL_{ARBITRUM}": chain}) as settings,
    ):
        control = f"http://127.0.0.1:{settings['PERP_SANDBOX_CONTROL_PORT']}"

        def answers() -> bool:
            try:
                return httpx.get(f"{control}/faults").status_code == 200
            except httpx.HTTPError:
                return False

        until(answers, WITHIN_S, "the sandbox")
        left_out = ("SANDBOX", "GMX_API")
        told = {
            name: text
            for name, text in settings.items()
            if not any(part in name for part in left_out)
        }
        yield told | {"control": control}


@pytest.fixture(scope="module")
def program(chain: str, endpoints: dict[str, str]) -> Iterator[Program]:
    with open_folder() as folder:
        found = Program(folder / "data")
        found.env |= {name: text for name, text in endpoints.items() if name != "control"}
        found.env |= {
            "PERP_NETWORK": "live",
            "PERP_TRADING": "on",
            "PERP_AUTH_KEYS": f"a:{base64.urlsafe_b64encode(bytes(32)).decode().rstrip('=')}",
            "PERP_ALLOW_PRIVATE_URLS": "true",
            "PERP_VENUES": "gmx,gains",
            "PERP_MARKETS": "ETH-USD",
            "PERP_RATE_LIMIT_FACTOR": "100",
            # Live trading wants to hear two nodes; here they are one.
            f"PERP_RPC_URLS_{ARBITRUM}": f"{chain},{chain}/",
            "PERP_GMX_EXCHANGE_ROUTER_ADDRESS": OLDER["EXCHANGE_ROUTER"],
            "PERP_GMX_READER_ADDRESS": OLDER["READER"],
            f"PERP_GAINS_DIAMOND_ADDRESS_{ARBITRUM}": PLACES["GAINS_DIAMOND"],
        }
        try:
            found.start()
            yield found
        finally:
            found.end()


def begun(program: Program, control: str, venue: str, pool: str) -> "subprocess.Popen[str]":
    account = Account.create()
    body = {"address": account.address, "chain_id": ARBITRUM, "eth": "5", "usdc": "20000"}
    httpx.post(f"{control}/fund", json=body, timeout=20).raise_for_status()
    secret = "0x" + bytes(account.key).hex()
    return subprocess.Popen(
        [sys.executable, str(TRADE), program.url, "ETH-USD", venue, str(ARBITRUM), "1000", pool],
        env={"PATH": os.environ["PATH"], "PRIVATE_KEY": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_orders_go_from_a_route_to_a_fill(program: Program, endpoints: dict[str, str]) -> None:
    control = endpoints["control"]
    pools = {"gmx": ETH_MARKET, "gains": f"{ARBITRUM}:USDC"}

    def known() -> bool:
        raw = program.redis().get(depth_key(MarketId("ETH-USD")))
        rows = [] if raw is None else orjson.loads(raw)["pools"]
        return set(pools.items()) <= {(row["venue"], row["pool"]) for row in rows}

    until(known, WITHIN_S, "pools that can be priced")
    started = [begun(program, control, venue, pool) for venue, pool in pools.items()]
    try:
        for process in started:
            output, errors = process.communicate(timeout=WITHIN_S)
            # It closes what it opened where prices have not gone meanwhile.
            assert "filled " in output, output + errors
    finally:
        for process in started:
            process.kill()
            process.wait()
    sent = "SELECT array_agg(DISTINCT payload->>'to') FROM order_steps WHERE step_id = 'order'"
    expected = {OLDER["EXCHANGE_ROUTER"], PLACES["GAINS_DIAMOND"]}
    assert set(program.query(sent)) == expected
