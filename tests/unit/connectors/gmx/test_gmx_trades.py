"""Executed positions as trades: exact price and size, the side of the taker, nothing of nothing."""

from typing import Any

import pytest

from connectors.gmx import eventlog, trades
from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.logs import LogsSession
from connectors.gmx.state import GmxState, Listing
from domain.errors import InputError
from domain.events import Trade
from domain.ids import MarketId
from tests.unit.connectors.gmx.kit import START_NS, recorded

POOL = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
ETH = Listing(MarketId("ETH-USD"), "0x" + "8" * 40, 18, "ETH", (POOL,))
LOG = Log(
    "0x" + "1" * 40, ("0x" + "2" * 64,) * 3, b"", 7, "0x" + "3" * 64, "0x" + "4" * 64, 5, False
)
VALUES: dict[str, Any] = {
    "market": POOL.lower(),
    "isLong": True,
    "executionPrice": 1885698887580477,
    "sizeDeltaInTokens": 5303076418477042133,
    "increasedAtTime": 1786908497,
    "decreasedAtTime": 1786909000,
}


def made(name: str = "PositionIncrease", **changes: Any) -> Trade | None:
    return trades.trade(LOG, GmxEvent(name, "0x0", VALUES | changes), ETH)


def test_an_increase_is_told_exactly() -> None:
    assert made() == Trade(
        MarketId("ETH-USD"),
        "0x" + "4" * 64 + ":5",
        "1885.698887580477",
        "5.303076418477042133",
        "BUY",
        1_786_908_497_000_000,
    )


@pytest.mark.parametrize(
    ("name", "is_long", "side"),
    [
        ("PositionIncrease", True, "BUY"),
        ("PositionIncrease", False, "SELL"),
        ("PositionDecrease", True, "SELL"),
        ("PositionDecrease", False, "BUY"),
    ],
)
def test_the_side_is_that_of_the_taker(name: str, is_long: bool, side: str) -> None:
    found = made(name, isLong=is_long)
    assert found is not None
    assert found.side == side


def test_a_change_of_collateral_is_no_trade() -> None:
    assert made(sizeDeltaInTokens=0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"executionPrice": 0},
        {"executionPrice": None},
        {"executionPrice": "5"},
        {"sizeDeltaInTokens": -1},
        {"sizeDeltaInTokens": True},
        {"increasedAtTime": None},
        {"isLong": 1},
    ],
)
def test_an_event_without_its_parts_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        made(**changes)
    assert refused.value.code == "BAD_EVENT"


def test_the_subscription_emits_each_trade_of_a_listed_pool_once() -> None:
    state = GmxState()
    state.list_markets([ETH])
    logs = [
        entry["log"] | {"blockHash": "0x" + "a" * 64, "transactionHash": "0x" + "b" * 64}
        for entry in recorded("synthetic-order-lifecycle-logs.json")["logs"]
    ]
    emitter = logs[0]["address"]
    session = LogsSession(state, emitter, 42161, START_NS)
    for raw in [*logs, *logs]:
        session._take(raw)
    found = [event for event in session.events() if isinstance(event, Trade)]
    assert [(trade.side, trade.price) for trade in found] == [
        ("BUY", "1885.698887580477"),
        ("SELL", "1885.696887580477"),
    ]
    assert eventlog.log(logs[0]).transaction == "0x" + "b" * 64
    other = LogsSession(GmxState(), emitter, 42161, START_NS)
    for raw in logs:
        other._take(raw)
    assert [event for event in other.events() if isinstance(event, Trade)] == []
