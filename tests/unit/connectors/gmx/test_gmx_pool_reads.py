"""Pools read from the contracts themselves, where the API says nothing of them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.gmx import constants as c
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.execution import increase
from connectors.gmx.orders.abi import Version
from connectors.gmx.polls import TickersSession
from connectors.gmx.pool_polls import ConfigSession, ValuesSession
from connectors.gmx.pool_reads import ReadsSession
from connectors.gmx.state import GmxState, Listing
from domain.ids import MarketId
from tests.unit.connectors.gmx import kit
from tests.unit.connectors.gmx.economics import vectors as v
from tests.unit.connectors.gmx.kit import Poll, S

MARKETS = v.read("states.json")["markets"]
VERSION: Version = "v2.2b"
CONTRACTS = contracts(42161, VERSION, {})
KINDS = json.loads((kit.RECORDED / "datastore-keys.json").read_bytes())["compound"]
VIRTUAL_ID = b"\x07" * 32
_GETTERS = {
    keccak(text=f"{name}(bytes32)")[:4].hex(): kind
    for name, kind in (
        ("getUint", "uint256"), ("getInt", "int256"), ("getBool", "bool"), ("getBytes32", "bytes32")
    )
}  # fmt: skip


class Market:
    """A pool of the vectors as its contracts answer: an encoder of its own for every key."""

    def __init__(self, row: Mapping[str, Any], **tokens: str) -> None:
        self.row, known = row, MARKETS[row["market"]]
        addresses = {name: known["tokens"][known[name]] for name in ("index", "long", "short")}
        self.pool: str = known["marketToken"]
        self.tokens = {name: each["address"] for name, each in addresses.items()} | tokens
        self.decimals = int(addresses["index"]["decimals"])
        self.chain_id = 42161
        given = {"VIRTUAL_TOKEN_ID": VIRTUAL_ID} | row["config"] | row["state"]
        self.stored = {self._slot(name): value for name, value in given.items()}

    def _slot(self, name: str) -> str:
        base, *of = name.split(".")
        flags = {"long": True, "short": False, "positive": True, "negative": False}
        pool = {"marketToken": self.pool, "longToken": self.tokens["long"]}
        places: dict[str, Any] = pool | {"shortToken": self.tokens["short"]}
        key = keccak(encode(["string"], [base]))
        if base in KINDS:
            kinds = [kind.split()[0] for kind in KINDS[base]["args"]]
            given: list[Any] = [VIRTUAL_ID] if kinds[0] == "bytes32" else [self.pool]
            if base == "VIRTUAL_TOKEN_ID":
                given = [self.tokens["index"]]
            given += [flags[part] if part in flags else places[part] for part in of]
            if len(given) == len(kinds):
                key = keccak(encode(["bytes32", *kinds], [key, *given]))
        return key.hex()

    def state(self) -> GmxState:
        made = GmxState()
        name = MarketId(f"{self.row['market']}-USD")
        index = self.tokens["index"].lower()
        made.list_markets([Listing(name, index, self.decimals, "", (self.pool,))])
        return made

    def answer(self, request: str) -> list[dict[str, Any]]:
        return [
            {"jsonrpc": "2.0", "id": call["id"], "result": self._result(call)}
            for call in json.loads(request)
        ]

    def _result(self, call: dict[str, Any]) -> str:
        if call["method"] == "eth_chainId":
            return hex(self.chain_id)
        assert call["method"] == "eth_call"
        asked, block = call["params"]
        data: str = asked["data"][2:]
        assert block == "latest"
        if asked["to"] == CONTRACTS["READER"]:
            assert (
                data[8:]
                == encode(["address", "address"], [CONTRACTS["DATA_STORE"], self.pool]).hex()
            )
            words = [self.pool, *(self.tokens[name] for name in ("index", "long", "short"))]
            return "0x" + encode(["address"] * 4, words).hex()
        assert asked["to"] == CONTRACTS["DATA_STORE"]
        kind, value = _GETTERS[data[:8]], self.stored.get(data[8:], 0)
        if kind == "bytes32":
            return "0x" + (value or bytes(32)).hex()
        return "0x" + encode([kind], [bool(value) if kind == "bool" else int(value)]).hex()


class Reads(Poll):
    def __init__(self, market: Market) -> None:
        super().__init__(
            lambda of, _markets, blame, ns: ReadsSession(of, 42161, VERSION, CONTRACTS, blame, ns),
            of=market.state(),
        )
        self.market = market
        self.tickers_poll = Poll(TickersSession, of=self.state)

    def turn(self, seconds: float = 1) -> list[dict[str, Any]]:
        """What was asked and answered."""
        self.wait(seconds)
        asked, self.asked = self.asked, []
        for request in asked:
            self.answer(self.market.answer(request))
        return [json.loads(request) for request in asked]

    def depth(self) -> Any:
        """Of the pool, at the prices of the vectors."""
        self.tickers_poll.now_ns = self.now_ns
        prices, tokens = self.market.row["prices"], self.market.tokens
        rows = {
            tokens[name]: kit.ticker(tokens[name], price["min"], price["max"])
            for name, price in prices.items()
        }
        self.tickers_poll.tickers(*rows.values())
        (name,) = self.state.listings
        found = self.state.depth(name, self.now_ns)
        return found[0].inputs if found else None


def opened() -> Reads:
    """After it was asked what there is, and then what stands there."""
    reads = Reads(Market(v.STATES[0]))
    reads.turn(4)
    reads.turn()
    return reads


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: f"{row['market']} {row['name']}")
def test_fills_are_those_of_the_contracts(row: dict[str, Any]) -> None:
    reads = Reads(Market(row))
    assert reads.depth() is None
    reads.turn(4)
    reads.turn()
    inputs = reads.depth()
    given = v.given(row)
    config, state = inputs.terms.config, inputs.terms.state
    for case in row["increase"]:
        size, is_long = int(case["size_delta_usd"]), case["is_long"]
        found = increase(config, state, inputs.prices.index, is_long, size)
        assert found.price_usd_e30 == int(case["out"]["executionPrice"])
    # And all else that the formulas take is what the DataStore has.
    for name in type(config).__slots__:
        assert getattr(config, name) == getattr(given.config, name), name
    for name in type(state).__slots__:
        assert getattr(state, name) == getattr(given.state, name), name


def test_what_the_api_says_comes_first() -> None:
    reads = opened()
    (pool,) = reads.state.by_pool
    api = {"marketTokenAddress": reads.market.pool}
    configs, values = (Poll(kind, of=reads.state) for kind in (ConfigSession, ValuesSession))
    configs.now_ns = values.now_ns = reads.now_ns
    configs.answer([kit.config_row(reads.market.pool) | api])
    values.answer([kit.values_row(reads.market.pool, values.wall_us // 1000) | api])
    assert reads.state.book.is_told(pool, reads.now_ns)
    assert reads.depth().terms.config != v.given(v.STATES[0]).config
    assert reads.turn(5) == []
    # Until it has said nothing for too long.
    reads.wait(c.VALUES_MAX_AGE_US / 1_000_000 + 1)
    assert reads.asked


def test_what_was_read_grows_old() -> None:
    reads = opened()
    assert reads.depth() is not None
    reads.wait(c.READ_MAX_AGE_NS / S + 1)
    assert reads.depth() is None


def test_a_request_that_hangs_is_waited_for_and_then_forgotten() -> None:
    reads = Reads(Market(v.STATES[0]))
    reads.wait(3.5)
    assert len(reads.asked) == 1
    reads.wait(5)
    assert len(reads.asked) == 1
    reads.wait(3)
    assert len(reads.asked) == 2
    # Its answer comes late: it is none of what is asked now.
    before, now = reads.asked
    reads.answer(reads.market.answer(before))
    assert not reads.session.healthy
    reads.asked = []
    reads.turn(1)
    reads.turn(1)
    assert before != now
    assert reads.depth() is not None


def another_chain(market: Market) -> None:
    market.chain_id = 1


def no_contracts(market: Market) -> None:
    market.stored = {}


def another_market(market: Market) -> None:
    market.tokens["index"] = "0x" + "5" * 40


@pytest.mark.parametrize("change", [another_chain, no_contracts, another_market])
def test_another_chain_says_nothing(change: Any) -> None:
    reads = Reads(Market(v.STATES[0]))
    change(reads.market)
    reads.turn(4)
    reads.turn()
    reads.market = Market(v.STATES[0])
    assert reads.depth() is None


@pytest.mark.parametrize("answer", [{}, [], [{"id": 1}], "", None, [{"id": [], "result": 1}]])
def test_what_is_no_answer_is_told_and_changes_nothing(answer: Any) -> None:
    reads = opened()
    reads.wait(1)
    before = reads.depth()
    reads.answer(answer)
    assert not reads.session.healthy
    assert reads.blamed == 1
    assert reads.depth() == before


def test_no_contract_but_the_venues_own_is_asked() -> None:
    """None that gathers calls, and nothing that only one kind of node has."""
    reads = Reads(Market(v.STATES[0]))
    asked = [call for batch in (*reads.turn(4), *reads.turn()) for call in batch]
    assert {call["method"] for call in asked} == {"eth_chainId", "eth_call"}
    to = {call["params"][0]["to"] for call in asked if call["params"]}
    assert to == {CONTRACTS["DATA_STORE"], CONTRACTS["READER"]}
