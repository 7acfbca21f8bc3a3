"""What the rooms beside ``price`` say."""

from typing import Any

import pytest

from aggregator import rooms
from aggregator.rooms import VenueReport
from domain.events import Event, Liveness, MarketState, Trade, VenueStatus
from domain.ids import SourceId
from tests.unit.aggregator.world import BTC, DYDX, ETH, START_US, World, market, snapshot

LIVE: tuple[Event, ...] = (VenueStatus("live"), Liveness(1), snapshot(BTC), snapshot(ETH))
LOST = VenueStatus("connecting", "TIMEOUT: no handshake with x")
GAP = VenueStatus("resyncing", "GAP: 3 messages missing")


def doubt(name: str, reason: str) -> MarketState:
    return MarketState(market(name=name).market, trusted=False, reason=reason)


@pytest.mark.parametrize(
    ("events", "seconds", "state", "reason"),
    [
        ((), 0, "connecting", "CONNECTING"),
        (LIVE, 0, "live", None),
        ((*LIVE, LOST), 0, "connecting", "TIMEOUT: no handshake with x"),
        ((*LIVE, GAP), 0, "resyncing", "GAP: 3 messages missing"),
        (LIVE, 5.1, "stale", "STALE: no proof that its prices are current"),
        ((*LIVE, doubt(BTC, "GARBAGE")), 0, "live", "GARBAGE: 1 of 2 markets"),
        (
            (*LIVE, doubt(BTC, "GARBAGE"), doubt(ETH, "NO_SNAPSHOT")),
            0,
            "live",
            "GARBAGE: 1 of 2 markets; NO_SNAPSHOT: 1 of 2 markets",
        ),
        ((*LIVE, MarketState(ETH, "halted", None, "PAUSED")), 0, "live", None),
        ((*LIVE, (BTC, True, 1011, 9, 9)), 4.2, "live", "CROSSED: 1 of 2 markets"),
        (
            (*LIVE, (BTC, True, 1011, 9, 9), (ETH, True, 1011, 9, 9)),
            4.2,
            "quarantined",
            "CROSSED: 2 of 2 markets",
        ),
        (
            (*LIVE, (BTC, True, 1011, 9, 9), MarketState(ETH, "halted")),
            4.2,
            "quarantined",
            "CROSSED: 1 of 2 markets",
        ),
    ],
)
def test_a_venue_with_one_connection(
    events: tuple[Event, ...], seconds: float, state: str, reason: str | None
) -> None:
    world = World(markets=(BTC, ETH))
    if events:
        world.apply(*events)
    world.wait(seconds)
    world.flush()
    last_us = START_US if events else None
    assert world.report("trouble") == VenueReport(state, reason, 2, last_us)


def test_a_venue_is_no_better_than_its_worst_connection() -> None:
    world = World()
    world.core.attach(world.source("dydx", 1), DYDX, [market(name=ETH)])
    # A poll that carries no book says nothing about the venue.
    world.core.attach(SourceId("dydx:audit"), DYDX, [])
    world.apply(VenueStatus("live"), Liveness(1), snapshot(BTC))
    world.apply(VenueStatus("live"), Liveness(1), snapshot(ETH), number=1)
    world.flush()
    assert world.report().state == "live"
    world.wall_us += 7
    world.apply(GAP, number=1)
    assert world.report() == VenueReport(
        "resyncing", "GAP: 3 messages missing (1 of 2 connections)", 2, START_US + 7
    )
    world.apply(LOST)
    assert world.report().state == "connecting"
    world.apply(LOST, number=1)
    assert world.report().reason == "TIMEOUT: no handshake with x"


def test_a_venue_without_a_list_says_why() -> None:
    world = World(markets=())
    assert world.report() == VenueReport("connecting", "CONNECTING: loading markets", 0, None)
    assert world.report("UNREACHABLE: x").reason == "UNREACHABLE: x"


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (None, ("live", None), False),
        (("live", None), ("live", None), True),
        (("live", "GAP: 1 of 2"), ("live", "GAP: 2 of 2"), True),
        (("live", "GAP: 1 of 2"), ("live", None), False),
        (("live", "GAP"), ("resyncing", "GAP"), False),
    ],
)
def test_what_counts_as_a_change(
    before: tuple[str, str | None] | None, after: tuple[str, str | None], same: bool
) -> None:
    was = None if before is None else VenueReport(*before, 1, 2)
    assert rooms.same_trouble(was, VenueReport(*after, 3, 4)) is same


def test_market_rows_are_sorted_and_complete() -> None:
    world = World(("dydx", "gmx"), (ETH, BTC))
    world.apply(MarketState(ETH, "halted"))
    world.core.unlist(DYDX, BTC, 0)
    rows = rooms.market_rows(world.core)
    facts: dict[str, Any] = {
        "pools": [], "tick": "0.1", "step": "0.001", "min_notional_usd": None,
        "max_leverage": None, "chain_ids": [],
    }  # fmt: skip
    assert rows == [
        {
            "market": name,
            "base": name[:3],
            "quote": "USD",
            "open": True,
            "venues": {venue: {"symbol": name, **facts} for venue in venues},
        }
        for name, venues in ((BTC, ["gmx"]), (ETH, ["dydx", "gmx"]))
    ]
    world.apply(MarketState(BTC, "closed"), venue="gmx")
    assert [row["open"] for row in rooms.market_rows(world.core)] == [False, True]
    assert rooms.market_rows(World(markets=()).core) == []


def test_trades_by_market_in_order() -> None:
    world = World(markets=(BTC, ETH))
    told = [(ETH, "1"), (BTC, "2"), (ETH, "3")]
    world.apply(*(Trade(name, id_, "5", "0.1", "SELL", 9) for name, id_ in told))
    rows = rooms.trade_rows(world.core.trades())
    assert {name: [row["id"] for row in found] for name, found in rows.items()} == {
        ETH: ["1", "3"],
        BTC: ["2"],
    }
    assert rows[BTC] == [
        {"venue": "dydx", "id": "2", "price": "5", "size": "0.1", "side": "SELL", "time_us": 9}
    ]


@pytest.mark.parametrize(
    ("before", "after", "lasts"),
    [
        (("live", None), ("live", "OUTLIER: 1 of 9 markets"), True),
        (("live", "GAP: 2 of 9 markets"), ("live", "OUTLIER: 1 of 9 markets"), True),
        (("stale", "STALE: no proof"), ("stale", "NO_HEIGHT: no block"), False),
        (("live", None), ("stale", "STALE: no proof"), False),
    ],
)
def test_a_live_venue_stays_live_while_it_leaves_out_a_market(
    before: tuple[str, str | None], after: tuple[str, str | None], lasts: bool
) -> None:
    assert rooms.same_state(VenueReport(*before, 3, 4), VenueReport(*after, 3, 4)) is lasts
