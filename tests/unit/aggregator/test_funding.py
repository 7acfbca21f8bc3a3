"""Funding rows: on one scale, of the venues that are there."""

from typing import Any

import orjson
import pytest

from aggregator.funding import FundingBoard, pool_row, venue_row
from domain.events import Funding, VenueStatus
from domain.ids import MarketId
from runtime.channels import FUNDING_SHARES, share_of
from tests.unit.aggregator.world import BTC, DYDX, ETH, World

NEXT_MS = 1_790_000_000_123


def funding(name: MarketId = BTC, raw: str = "0.0001", **more: Any) -> Funding:
    fields = {"interval_hours": 8, "next_at_ms": None, "oi_long_usd": "5", "oi_short_usd": "7"}
    return Funding(name, raw, **fields | more)


class Board:
    """All shares as one."""

    def __init__(self, world: World) -> None:
        self.made = FundingBoard(world.core)

    def turn(self) -> tuple[dict[str, Any], dict[str, Any]]:
        changed: dict[str, Any] = {}
        whole: dict[str, Any] = {}
        for _ in range(FUNDING_SHARES):
            some, every = self.made.turn()
            changed |= orjson.loads(orjson.dumps(some))
            whole |= orjson.loads(orjson.dumps(every))
        return changed, whole


def test_a_rate_on_every_scale() -> None:
    told = funding(
        next_at_ms=NEXT_MS, pool="A", short_raw="0.00008", borrow_long_raw="0.000008",
        available_long_usd="1000",
    )  # fmt: skip
    assert pool_row(told) == {
        "raw": "0.0001",
        "interval_hours": 8,
        "per_hour": "0.0000125",
        "per_8h": "0.0001",
        "apr": "0.1095",
        "next_at": "2026-09-21T14:13:20.123Z",
        "oi_long_usd": "5",
        "oi_short_usd": "7",
        "pool": "A",
        "short_per_hour": "0.00001",
        "borrow_long_per_hour": "0.000001",
        "borrow_short_per_hour": None,
        "available_long_usd": "1000",
        "available_short_usd": None,
    }
    plain = pool_row(funding(raw="-0.0001"))
    assert (plain["per_hour"], plain["short_per_hour"]) == ("-0.0000125", "-0.0000125")


@pytest.mark.parametrize(
    ("sides", "chosen"),
    [
        ([("1", "2"), ("3", "4"), ("2", "2")], "p1"),
        ([("2", "1"), ("1", "2")], "p0"),
        ([(None, None), ("1", None)], "p1"),
        ([(None, None), (None, None)], "p0"),
    ],
)
def test_the_row_of_a_venue_is_its_largest_pool(
    sides: list[tuple[str | None, str | None]], chosen: str
) -> None:
    told = [
        funding(pool=f"p{place}", oi_long_usd=long, oi_short_usd=short)
        for place, (long, short) in enumerate(sides)
    ]
    row = venue_row(told)
    assert row["pool"] == chosen
    assert row["pools"] == [pool_row(item) for item in told]
    assert venue_row([funding()])["pools"] == []


def test_only_what_changed_is_said_again() -> None:
    world = World(markets=(BTC, ETH))
    board = Board(world)
    world.live(BTC, ETH)
    assert board.turn() == ({}, {})
    world.apply(funding(), funding(ETH))
    changed, whole = board.turn()
    assert changed == whole == {name: {"dydx": venue_row([funding(name)])} for name in (BTC, ETH)}
    world.apply(funding(raw="0.0002"), funding(ETH))
    changed, whole = board.turn()
    assert set(changed) == {BTC}
    assert set(whole) == {BTC, ETH}
    assert board.turn() == ({}, whole)
    board.made.forget_said()
    assert board.turn() == (whole, whole)


def test_shares_are_said_in_turn() -> None:
    world = World(markets=(BTC,))
    world.live()
    world.apply(funding())
    made = FundingBoard(world.core)
    said = [made.turn()[0] for _ in range(2 * FUNDING_SHARES)]
    assert [place for place, rows in enumerate(said) if rows] == [share_of(BTC, FUNDING_SHARES)]


def test_a_venue_that_left_drops_out() -> None:
    world = World(("dydx", "gmx"))
    board = Board(world)
    for venue in ("dydx", "gmx"):
        world.live(venue=venue)
        world.apply(funding(), venue=venue)
    assert set(board.turn()[1][BTC]) == {"dydx", "gmx"}
    # No proof of life for longer than it may be away.
    world.wait(6, venue="gmx")
    world.live()
    assert set(board.turn()[0][BTC]) == {"dydx"}
    world.live(venue="gmx")
    assert set(board.turn()[0][BTC]) == {"dydx", "gmx"}
    # A new connection tells it anew.
    world.apply(VenueStatus("connecting", "CLOSED_BY_VENUE"), venue="gmx")
    world.live(venue="gmx")
    assert set(board.turn()[0][BTC]) == {"dydx"}
    world.core.detach(world.source("dydx"), 1)
    assert board.turn()[0] == {BTC: {}}
    world.apply(funding(), venue="gmx")
    assert set(board.turn()[0][BTC]) == {"gmx"}


def test_a_market_that_is_gone_leaves_an_empty_row_once() -> None:
    world = World()
    board = Board(world)
    world.live()
    world.apply(funding())
    board.turn()
    world.core.unlist(DYDX, BTC, 1)
    assert board.turn() == ({BTC: {}}, {})
    assert board.turn() == ({}, {})


def test_the_newest_of_every_pool_is_handed_on_once() -> None:
    world = World()
    world.live()
    world.apply(funding(pool="A"), funding(pool="B"), funding(pool="A", raw="0.3"))
    told = world.core.fundings()
    assert [(venue, item.pool, item.raw) for venue, item in told] == [
        ("dydx", "A", "0.3"),
        ("dydx", "B", "0.0001"),
    ]
    assert world.core.fundings() == []
    world.apply(funding(MarketId("NONE-USD")))
    assert world.core.fundings() == []
