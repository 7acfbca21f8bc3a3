"""Trades of GMX from the logs of a real node: what the feed tells is what the receipts say, read
with the ABI of the real contract, and a node that starts anew is found again."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from web3 import Web3
from web3.logs import DISCARD

from connectors.base.protocol import HttpReply
from connectors.gmx.addresses import contracts
from connectors.gmx.constants import NATIVE_TOKENS
from connectors.gmx.gas_poll import GasSession
from connectors.gmx.parse import Ticker
from connectors.gmx.rpc import Nodes
from connectors.gmx.state import GmxState
from perptape.embedded_anvil import EmbeddedAnvil
from perptape.layout import chain_settings
from tests.integration.feed_kit import Feed, Tape, feeds, listening, sandbox, until
from tests.servers import LOOPBACK, open_folder, prepared, started

CHAIN = 42161
EMITTER = "0xC8ee91A54287DB53897056e12D9819156D3822Fb"
ABI = json.loads((Path(__file__).parents[1] / "data/gmx/abi/EventEmitter.json").read_bytes())
DECIMALS = {"BTC-USD": 8, "ETH-USD": 18, "SOL-USD": 9}


class Chain:
    """A node that can be ended and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.server = prepared(partial(EmbeddedAnvil, CHAIN), folder)
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(started(self.server, self._folder))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with open_folder() as folder:
        chain = Chain(folder)
        chain.start()
        try:
            yield chain
        finally:
            chain.stop()


@pytest.fixture(scope="module")
def feed(
    chain: Chain, embedded_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Feed]:
    folder = tmp_path_factory.mktemp("chain")
    settings = chain_settings({CHAIN: chain.server.url})
    with sandbox(folder, PERP_SANDBOX_RATE="15", **settings) as urls, feeds(folder) as start:
        yield start(embedded_redis_url, urls | settings | {"PERP_VENUES": "gmx"})


def trades(tape: Tape, first: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """(market, trade) in the order they were told, from the batch ``first`` on."""
    return [
        (envelope.room.partition(":")[2], trade)
        for batch in tape.batches[first:]
        for envelope in batch.envelopes
        if envelope.room.startswith("trades:")
        for trade in orjson.loads(envelope.body)["data"]
    ]


def told_by(receipt: Any, index: int) -> tuple[str, dict[str, Any]]:
    """Name and values of one log of a receipt."""
    event = Web3().eth.contract(abi=ABI).events.EventLog1()
    (found,) = (log for log in event.process_receipt(receipt, DISCARD) if log["logIndex"] == index)
    data = found["args"]["eventData"]
    values = {
        item["key"]: item["value"]
        for group in ("uintItems", "boolItems", "addressItems")
        for item in data[group]["items"]
    }
    return found["args"]["eventName"], values


async def test_trades_are_what_the_receipts_say(
    chain: Chain, embedded_redis_url: str, feed: Feed
) -> None:
    node = Web3(Web3.HTTPProvider(chain.server.url))
    async with listening(embedded_redis_url) as (tape, _):
        await until(lambda: len(trades(tape)) >= 8, "trades")
        found = trades(tape)
    assert feed.says("gmx_roles") == 1
    assert len({trade["id"] for _, trade in found}) == len(found)
    assert {trade["side"] for _, trade in found} == {"BUY", "SELL"}
    for market, trade in found:
        assert trade["venue"] == "gmx"
        transaction, _, index = trade["id"].partition(":")
        receipt = node.eth.get_transaction_receipt(transaction)
        assert {log["address"] for log in receipt["logs"]} == {EMITTER}
        name, values = told_by(receipt, int(index))
        decimals = DECIMALS[market]
        assert Decimal(trade["price"]) * 10 ** (30 - decimals) == values["executionPrice"]
        assert Decimal(trade["size"]) * 10**decimals == values["sizeDeltaInTokens"]
        assert (trade["side"] == "BUY") == (values["isLong"] == (name == "PositionIncrease"))


async def test_what_an_order_costs_is_what_the_chain_says(chain: Chain) -> None:
    node = Web3(Web3.HTTPProvider(chain.server.url))
    state, nodes = GmxState(), Nodes([chain.server.url], LOOPBACK)
    store = contracts(CHAIN, "v2.2c", {})["DATA_STORE"]
    session = GasSession(state, CHAIN, store, lambda _now: None, 0)
    session.advance(0)
    (request,) = session.outgoing()
    session.receive(HttpReply(request, await nodes.post(request)), 0, 0)
    await nodes.close()
    assert session.healthy
    # One USD of ether.
    state.book.learn_tickers({NATIVE_TOKENS[CHAIN]: Ticker(10**12, 10**12, 0)}, 0, 0)
    gas_usd, fee_usd = state.book.fixed(0)
    assert gas_usd is not None
    assert fee_usd is not None
    # The price of gas moves with every block.
    price_wei = node.eth.gas_price
    assert float(gas_usd) == pytest.approx(1_000_000 * price_wei / 1e18, rel=0.5, abs=1e-4)
    assert float(fee_usd) == pytest.approx(4_350_000 * price_wei / 1e18, rel=0.5, abs=1e-4)


async def test_a_node_that_starts_anew_is_heard_again(
    chain: Chain, embedded_redis_url: str, feed: Feed
) -> None:
    async with listening(embedded_redis_url) as (tape, _):
        await until(lambda: bool(trades(tape)), "a trade")
        await asyncio.to_thread(chain.stop)
        await asyncio.to_thread(chain.start)
        before = len(tape.batches)
        await until(lambda: bool(trades(tape, before)), "a trade on the new chain")
        # What the node does is no matter of prices.
        state = tape.newest("venues")["gmx"]
        assert state["state"] == "live"
