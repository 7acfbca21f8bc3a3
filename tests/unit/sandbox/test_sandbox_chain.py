"""What the sandbox's chain begins with, and what the replica of GMX says on it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_keys import keys
from eth_utils.crypto import keccak

from connectors.gmx import constants as c
from connectors.gmx import eventlog
from connectors.gmx.addresses import contracts
from sandbox.chain.genesis import BUILT, GAS, genesis
from sandbox.chain.places import ACCOUNTS, ARBITRUM, CHAINS, CONTRACTS, GENESIS, TOKENS
from sandbox.gains.catalogue import load_chains
from sandbox.gmx import events
from sandbox.gmx.catalogue import load_catalogue
from sandbox.gmx.traders import Order, Seen

DATA = Path(__file__).parents[2] / "data"
ABI = DATA / "gmx/abi/EventEmitter.json"
WETH, USDC = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", "0x" + "a" * 40


def signature(entry: dict[str, Any]) -> str:
    def kind(part: dict[str, Any]) -> str:
        if not part["type"].startswith("tuple"):
            return str(part["type"])
        inner = ",".join(kind(each) for each in part["components"])
        return f"({inner}){part['type'][5:]}"

    return f"{entry['name']}({','.join(kind(part) for part in entry['inputs'])})"


def test_contracts_were_built_from_the_sources_here() -> None:
    built = json.loads(BUILT.read_bytes())
    sources = {path.stem: path.read_bytes() for path in BUILT.parent.glob("*.sol")}
    assert built.keys() == sources.keys()
    for name, source in sources.items():
        assert built[name]["source_sha256"] == hashlib.sha256(source).hexdigest()


def test_the_emitter_has_the_events_and_functions_of_the_real_one() -> None:
    real = {signature(entry) for entry in json.loads(ABI.read_bytes()) if "name" in entry}
    ours = {signature(entry) for entry in json.loads(BUILT.read_bytes())["EventEmitter"]["abi"]}
    assert {name.partition("(")[0] for name in ours} == {
        "EventLog", "EventLog1", "EventLog2", "emitEventLog", "emitEventLog1", "emitEventLog2"
    }  # fmt: skip
    assert ours <= real


WHOLE = {
    **{
        name: DATA / f"gmx/abi/{name}.json"
        for name in ("ExchangeRouter", "Reader", "Router", "DataStore", "OrderVault", "RoleStore")
    },
    "OlderReader": DATA / "gmx/abi/v2.2b/Reader.json",
    "Diamond": DATA / "gains/abi/GNSMultiCollatDiamond.json",
}
KEEPERS = {"accounts", "changes", "setCollateralPrice", "setTradingState", "settle", "versions"}
"""Functions of the diamond that the sandbox's keeper alone calls."""


@pytest.mark.parametrize("contract", WHOLE)
def test_what_clients_can_ask_the_real_contract_has_too(contract: str) -> None:
    """A client that works with the sandbox needs nothing that only the sandbox has."""

    def answered(entry: dict[str, Any]) -> tuple[str, str]:
        return signature(entry), signature({"name": "", "inputs": entry.get("outputs", [])})

    def functions(abi: Any) -> set[tuple[str, str]]:
        return {answered(entry) for entry in abi if entry["type"] == "function"}

    ours = functions(json.loads(BUILT.read_bytes())[contract]["abi"])
    more = ours - functions(json.loads(WHOLE[contract].read_bytes()))
    assert {name.partition("(")[0] for name, _ in more} == (
        KEEPERS if contract == "Diamond" else set()
    )


def test_contracts_stand_where_the_real_ones_do() -> None:
    table = contracts(ARBITRUM, "v2.2c", {})
    ours = CONTRACTS[ARBITRUM]
    assert {name: table[name] for name in ours.keys() & table.keys()} == {
        name: place for name, place in ours.items() if name not in ("GAINS_DIAMOND", "ARB_SYS")
    }
    alloc = genesis(ARBITRUM)["alloc"]
    assert all(len(alloc[place]["code"]) > 100 for place in ours.values())
    assert len(alloc[ours["ROLE_STORE"]]["storage"]) == 3


@pytest.mark.parametrize("chain_id", CHAINS)
def test_what_a_node_starts_with_was_written_down_anew(chain_id: int) -> None:
    written = json.loads((GENESIS / f"{chain_id}.json").read_bytes())
    assert written == genesis(chain_id), "python -m sandbox.chain.genesis"


def test_tokens_are_those_that_pools_and_trades_are_backed_with() -> None:
    held = {token.address for token in TOKENS[ARBITRUM].values()}
    pools = load_catalogue().pools
    assert {token.address for pool in pools for token in (pool.long, pool.short)} <= held
    for spec in load_chains():
        tokens = {token.address: token.decimals for token in TOKENS[spec.chain_id].values()}
        for collateral in spec.collaterals:
            if collateral.is_active:
                assert tokens[collateral.token] == collateral.decimals


def test_keys_of_the_accounts_are_theirs() -> None:
    for account in ACCOUNTS:
        assert (
            keys.PrivateKey(bytes.fromhex(account.private_key[2:])).public_key.to_checksum_address()
            == account.address
        )


def test_the_gas_of_orders_lies_under_the_real_keys() -> None:
    stored = genesis(ARBITRUM)["alloc"][CONTRACTS[ARBITRUM]["DATA_STORE"]]["storage"]
    slots = {
        name: "0x" + keccak(bytes.fromhex(key[2:]) + bytes(32)).hex()
        for name, key in c.GAS_KEYS.items()
    }
    assert set(slots.values()) <= stored.keys()
    assert slots.keys() == GAS.keys()
    assert int(stored[slots["INCREASE_ORDER_GAS_LIMIT"]], 16) == 3_000_000


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "number": 1,
        "account": "0x" + "1" * 40,
        "market": "0x" + "7" * 40,
        "index_token": WETH,
        "collateral": USDC,
        "collateral_amount": 1_000_000,
        "is_long": True,
        "is_increase": True,
        "size_usd": 5 * 10**33,
        "size_tokens": 15 * 10**17,
        "interest_usd": 8 * 10**35,
        "interest_tokens": 24 * 10**19,
        "price": 3_350 * 10**12,
        "seen": (Seen(WETH, 3_349 * 10**12, 3_350 * 10**12, 50), Seen(USDC, 10**24, 10**24, 50)),
        "time_s": 60,
        "cancelled": False,
    }
    return Order(**values | changes)


def said(calls: list[bytes]) -> list[tuple[str, Any]]:
    """Name and values of what the emitter would log."""
    found = []
    for call in calls:
        topics = 1 if call[:4] == SELECTORS[1] else 2
        assert call[:4] == SELECTORS[topics]
        # Arguments of the call and data of the event differ in the words before the name.
        name, *_, data = abi_decode(["string", *["bytes32"] * topics, eventlog._TYPES[2]], call[4:])
        body = abi_encode(eventlog._TYPES, ["0x" + "0" * 40, name, data])
        words = ("0x" + "0" * 64,) * (topics + 2)
        log = eventlog.Log("0x", words, body, 1, words[0], words[0], 0, False)
        found.append((name, eventlog.decode(log).values))
    return found


REAL = [e for e in json.loads(ABI.read_bytes()) if e.get("name", "").startswith("emitEventLog")]
SELECTORS = {
    int(entry["name"][-1]): keccak(text=signature(entry))[:4]
    for entry in REAL
    if entry["name"][-1].isdigit()
}


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize("is_increase", [True, False])
def test_an_execution_says_what_it_did(is_long: bool, is_increase: bool) -> None:
    done = order(is_long=is_long, is_increase=is_increase)
    names = dict(said(events.settled(done)))
    position = "PositionIncrease" if is_increase else "PositionDecrease"
    assert set(names) == {
        "OraclePriceUpdate", "OpenInterestUpdated", "OpenInterestInTokensUpdated", position,
        "OrderExecuted",
    }  # fmt: skip
    assert names["OpenInterestUpdated"]["nextValue"] == done.interest_usd
    assert names["OpenInterestUpdated"]["delta"] == done.size_usd * (1 if is_increase else -1)
    assert names[position]["executionPrice"] == done.price
    assert names[position]["isLong"] is is_long
    assert names.keys() <= c.EVENTS.keys()


def test_a_cancelled_order_moves_nothing() -> None:
    names = [name for name, _ in said(events.settled(order(cancelled=True)))]
    assert names == ["OraclePriceUpdate", "OraclePriceUpdate", "OrderCancelled"]
    ((name, values),) = said(events.created(order()))
    assert name == "OrderCreated"
    assert values["acceptablePrice"] == 3_350 * 10**12 * 10_030 // 10_000
