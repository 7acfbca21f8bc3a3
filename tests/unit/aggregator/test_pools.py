"""Markets that trade against pools at the price of an oracle."""

from dataclasses import replace

import pytest

from aggregator.consolidate import Consolidator
from domain.events import Liveness, MarketState, OraclePrice, PoolQuote, VenueStatus
from domain.ids import SourceId
from domain.quote import BestQuote, VenueQuote, price_data
from domain.units import E18
from tests.unit.aggregator.world import BTC, GMX, START_NS, START_US, S, market

PRICES, STATE = SourceId("gmx:tickers:0"), SourceId("gmx:state:0")


def pool(name: str, bid: int | None, ask: int | None, size: str | None = None) -> PoolQuote:
    def e18(price: int | None) -> int | None:
        return None if price is None else price * E18

    return PoolQuote(BTC, name, e18(bid), e18(ask), size, size, 1)


class Pools:
    """One market with the pools A, B and C; a source of prices and one of their state."""

    def __init__(self) -> None:
        self.now_ns, self.wall_us = START_NS, START_US
        self.core = Consolidator({GMX: 3 * S})
        listed = replace(market("gmx"), kind="oracle", pools=("A", "B", "C"))
        self.core.attach(PRICES, GMX, [listed])
        self.core.attach(STATE, GMX, [])
        self.best: BestQuote | None = None
        self.apply(VenueStatus("live"), Liveness())

    def apply(self, *events: object, source: SourceId = PRICES) -> None:
        self.core.apply(source, events, self.wall_us, self.now_ns)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * S)
        self.wall_us += int(seconds * 1e6)
        self.core.advance(self.wall_us, self.now_ns)

    def quote(self) -> VenueQuote:
        for best in self.core.flush(self.now_ns):
            self.best = best
        assert self.best is not None
        (quote,) = self.best.quotes
        return quote


@pytest.mark.parametrize(
    ("pools", "named"),
    [
        ([pool("A", 99, 101), pool("B", 98, 102)], "A"),
        ([pool("A", 98, 102), pool("B", 99, 101)], "B"),
        ([pool("A", 99, 101), pool("B", 99, 101)], "A"),
        # The order is the venue's, not that of arrival, and a hair is no difference.
        ([pool("B", 99, 101), pool("A", 99, 101)], "A"),
        ([pool("A", 999_999, 1_000_200), pool("B", 1_000_000, 1_000_200)], "A"),
        ([pool("A", 999_990, 1_000_200), pool("B", 1_000_000, 1_000_200)], "B"),
        ([pool("A", 100, None), pool("B", 90, 110)], "B"),
        ([pool("A", None, None), pool("B", None, 110)], "B"),
    ],
)
def test_the_row_is_the_narrowest_pool_and_names_it(pools: list[PoolQuote], named: str) -> None:
    world = Pools()
    world.apply(*pools)
    quote = world.quote()
    assert (quote.state, quote.kind, quote.pool) == ("live", "oracle", named)
    best = next(item for item in pools if item.pool == named)
    assert (quote.bid_e18, quote.ask_e18) == (best.bid_e18, best.ask_e18)
    assert set(quote.pools) == set(pools)


def test_all_pools_are_told() -> None:
    world = Pools()
    world.apply(pool("A", 99, 101, "2.5"), pool("B", None, 103))
    world.quote()
    assert world.best is not None
    told = price_data(world.best)["venues"]
    assert told == {
        "gmx": {
            "bid": "99",
            "ask": "101",
            "kind": "oracle",
            "pool": "A",
            "price_us": START_US,
            "state": "live",
            "pools": [
                {"pool": "A", "bid": "99", "ask": "101", "bid_size": "2.5", "ask_size": "2.5"},
                {"pool": "B", "bid": None, "ask": "103", "bid_size": None, "ask_size": None},
            ],
        }
    }


def test_without_a_pool_there_is_no_price() -> None:
    world = Pools()
    world.apply(pool("A", 99, 101))
    world.quote()
    world.apply(pool("A", None, None))
    quote = world.quote()
    assert (quote.state, quote.reason, quote.bid_e18) == ("halted", "NO_POOL", None)
    world.apply(pool("A", 99, 102))
    assert world.quote().state == "live"


def test_the_age_of_a_price_is_that_of_its_last_change() -> None:
    world = Pools()
    world.apply(pool("A", 99, 101))
    world.wait(1)
    world.apply(Liveness(), pool("A", 99, 101))
    assert world.quote().price_us == START_US
    world.apply(pool("A", 99, 102))
    assert world.quote().price_us == START_US + 1_000_000


def test_without_proof_that_the_prices_are_current_it_is_stale() -> None:
    world = Pools()
    world.apply(pool("A", 99, 101))
    world.wait(2.9)
    assert world.quote().state == "live"
    world.wait(0.2)
    # What another source knows of the pools does not make their price current.
    world.apply(pool("A", 98, 101), Liveness(), source=STATE)
    quote = world.quote()
    assert (quote.state, quote.bid_e18) == ("stale", None)
    world.apply(Liveness())
    assert world.quote().bid_e18 == 98 * E18


@pytest.mark.parametrize("doubt", [VenueStatus("connecting"), MarketState(BTC, trusted=False)])
def test_after_a_doubt_only_the_source_of_prices_brings_it_back(doubt: object) -> None:
    world = Pools()
    world.apply(pool("A", 99, 101), pool("B", 99, 101))
    world.apply(doubt)
    assert world.quote().bid_e18 is None
    world.apply(VenueStatus("live"), Liveness())
    world.apply(pool("A", 99, 101), source=STATE)
    assert world.quote().bid_e18 is None
    world.apply(pool("A", 97, 101))
    quote = world.quote()
    assert (quote.bid_e18, [item.pool for item in quote.pools]) == (97 * E18, ["A"])


def test_a_pool_nobody_listed_is_not_quoted() -> None:
    world = Pools()
    world.apply(pool("D", 99, 101))
    assert world.quote().bid_e18 is None
    assert world.core.counts.unknown_markets == 1


def test_the_oracle_and_not_the_impact_of_a_pool_is_what_the_venue_says_it_is_worth() -> None:
    world = Pools()
    world.apply(OraclePrice(BTC, 100 * E18, 1), pool("A", 102, 104))
    world.quote()
    (row,) = world.core.rows_of(GMX)
    assert row.reference_e18 == 100 * E18
