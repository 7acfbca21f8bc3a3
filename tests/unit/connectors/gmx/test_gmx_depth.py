"""From answers of the API and tickers to pools that can be priced, and to funding."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.protocol import Decoded, HttpReply
from connectors.gmx import constants as c
from connectors.gmx import values
from connectors.gmx.economics.model import Sided
from connectors.gmx.economics.opened import Margins, PoolToken, Posted
from connectors.gmx.economics.pricing import ECONOMICS
from connectors.gmx.polls import InfoSession, TickersSession
from connectors.gmx.pool_polls import ConfigSession, ValuesSession
from domain.costs import PricedPool
from domain.errors import InputError
from domain.events import Funding
from domain.ids import MarketId
from tests.unit.connectors.gmx import kit
from tests.unit.connectors.gmx.kit import BTC_USDC, ETH_ETH, ETH_USDC, Poll, Row, S

POOLS = (ETH_USDC, ETH_ETH, BTC_USDC)
ETH_USD, BTC_USD = MarketId("ETH-USD"), MarketId("BTC-USD")


class Venue:
    """All polls of one connector, answered by hand at one time."""

    def __init__(self) -> None:
        self.state = kit.state()
        self.tickers, self.info, self.configs, self.values = (
            Poll(kind, of=self.state)
            for kind in (TickersSession, InfoSession, ConfigSession, ValuesSession)
        )
        self.now_ns = kit.START_NS

    @property
    def now_ms(self) -> int:
        return self.values.wall_us // 1000

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)
        for poll in (self.tickers, self.info, self.configs, self.values):
            poll.now_ns = self.now_ns

    def say_prices(self, *rows: Row, age_s: int = 0) -> None:
        self.tickers.tickers(*(rows or kit.PRICES), age_s=age_s)

    def say_configs(self, **change: Any) -> None:
        self.configs.answer([kit.config_row(pool, **change) for pool in POOLS])

    def say_values(self, *pools: str, age_ms: int = 0, **change: Any) -> list[Funding]:
        updated_ms = self.now_ms - age_ms
        rows = [kit.values_row(pool, updated_ms, **change) for pool in pools or POOLS]
        events = self.values.answer(rows)
        assert all(isinstance(event, Funding) for event in events)
        return events  # type: ignore[return-value]

    def say_all(self) -> None:
        self.say_prices()
        self.say_configs()
        self.say_values()

    def pools(self, market: MarketId = ETH_USD) -> list[str | None]:
        return [depth.pool for depth in self.state.depth(market, self.now_ns)]


@pytest.fixture
def venue() -> Venue:
    venue = Venue()
    venue.say_all()
    return venue


def test_pools_are_priced_with_what_was_said(venue: Venue) -> None:
    first, second = venue.state.depth(ETH_USD, venue.now_ns)
    assert [first.pool, second.pool] == [ETH_USDC, ETH_ETH]
    assert (first.gas_usd, first.execution_fee_usd) == (None, None)
    bought = ECONOMICS.price(first.pool, first.inputs, "BUY", Decimal(10**5))
    assert isinstance(bought, PricedPool)
    # 3e-10 * (2 M + 100 k)^2 less 3e-10 * (2 M)^2.
    assert bought.impact_bps == pytest.approx(Decimal("12.3"), rel=Decimal("0.002"))
    assert (bought.fee_bps, bought.spread_bps) == (6, 0)
    assert bought.price == pytest.approx(Decimal("2002.46"), rel=Decimal("1e-5"))
    # 90 % of 10 M, less 3 M.
    limits = [ECONOMICS.price(None, first.inputs, "BUY", Decimal(s)) for s in (6 * 10**6, 6000001)]
    assert [isinstance(found, PricedPool) for found in limits] == [True, False]


def test_the_same_until_something_changes(venue: Venue) -> None:
    (before,) = venue.state.depth(BTC_USD, venue.now_ns)
    venue.wait(1)
    venue.say_all()
    (same,) = venue.state.depth(BTC_USD, venue.now_ns)
    assert same.inputs is before.inputs
    venue.say_prices(*kit.PRICES[:1], kit.ticker(kit.BTC, "60001" + "0" * 22), *kit.PRICES[2:])
    (moved,) = venue.state.depth(BTC_USD, venue.now_ns)
    assert moved.inputs.terms is before.inputs.terms
    assert moved.inputs.prices != before.inputs.prices
    venue.say_values(longInterestUsd=kit.usd(5))
    (traded,) = venue.state.depth(BTC_USD, venue.now_ns)
    assert traded.inputs.terms != moved.inputs.terms
    assert traded.inputs.prices == moved.inputs.prices


def test_the_smallest_position_comes_from_the_list() -> None:
    venue = Venue()
    listed = [replace(item, min_size_usd="2.5") for item in venue.state.listings.values()]
    venue.state.list_markets(listed)
    venue.say_all()
    (found,) = venue.state.depth(BTC_USD, venue.now_ns)
    assert found.inputs.terms.config.min_position_size_usd_e30 == 25 * 10**29


def test_what_is_posted_comes_from_the_list_and_the_configuration() -> None:
    venue = Venue()
    tokens = (PoolToken(kit.WBTC.lower(), "WBTC.b", 8), PoolToken(kit.USDC.lower(), "USDC", 6))
    listed = [
        replace(item, min_collateral_usd="1", symbol="BTC", tokens=tokens)
        for item in venue.state.listings.values()
        if item.market == BTC_USD
    ]
    venue.state.list_markets(listed)
    venue.say_all()
    (found,) = venue.state.depth(BTC_USD, venue.now_ns)
    # Without the margins a collateral can be chosen all the same.
    assert found.inputs.terms.posted == Posted(*tokens, None, None)
    venue.say_configs(
        minCollateralFactor="3",
        minCollateralFactorForLiquidation="2",
        minCollateralFactorForOpenInterestLong="5",
        minCollateralFactorForOpenInterestShort="7",
        maxPositionImpactFactorForLiquidations="4",
    )
    (found,) = venue.state.depth(BTC_USD, venue.now_ns)
    margins = Margins(3, 2, Sided(5, 7), 4, 10**30)
    assert found.inputs.terms.posted == Posted(*tokens, None, margins)
    assert ECONOMICS.decode(ECONOMICS.encode(found.inputs)) == found.inputs


def test_virtual_inventory_counts_where_there_is_one(venue: Venue) -> None:
    (none,) = venue.state.depth(BTC_USD, venue.now_ns)
    assert none.inputs.terms.state.virtual_position_usd_e30 is None
    venue.say_configs(virtualIndexTokenId="0x" + "0" * 63 + "1")
    venue.say_values(virtualInventoryForPositions="-7", virtualInventoryForPositionsInTokens="-3")
    (some,) = venue.state.depth(BTC_USD, venue.now_ns)
    state = some.inputs.terms.state
    assert (state.virtual_position_usd_e30, state.virtual_position_units) == (-7, -3)


# What is not known ------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["prices", "configs", "values"])
def test_nothing_is_priced_before_all_is_known(missing: str) -> None:
    venue = Venue()
    for name in ("prices", "configs", "values"):
        if name != missing:
            getattr(venue, f"say_{name}")()
    assert venue.pools() == []


@pytest.mark.parametrize(
    ("keeps_on", "lasts_s"),
    [(("prices", "configs"), 20), (("configs", "values"), 2.5), (("prices", "values"), 200)],
)
def test_what_is_not_heard_again_is_unknown(
    venue: Venue, keeps_on: tuple[str, ...], lasts_s: float
) -> None:
    venue.wait(lasts_s)
    for name in keeps_on:
        getattr(venue, f"say_{name}")()
    assert venue.pools() == [ETH_USDC, ETH_ETH]
    venue.wait(0.001)
    for name in keeps_on:
        getattr(venue, f"say_{name}")()
    assert venue.pools() == []


def test_values_are_as_old_as_the_service_says(venue: Venue) -> None:
    venue.say_values(age_ms=19_000)
    assert venue.pools() == [ETH_USDC, ETH_ETH]
    venue.wait(1.001)
    venue.say_prices()
    assert venue.pools() == []
    assert venue.say_values(age_ms=20_001) == []
    assert venue.pools() == []
    assert venue.say_values(age_ms=-16_000) == []
    assert venue.pools() == []
    venue.values.answer([kit.values_row(pool, None) for pool in POOLS])
    assert venue.pools() == []


def test_a_host_that_reads_nothing_any_more_is_passed_over(venue: Venue) -> None:
    venue.say_values(age_ms=10_000)
    assert venue.values.blamed == 0
    venue.say_values(age_ms=10_001)
    assert venue.values.blamed == 1


def test_a_pool_that_is_left_out_is_unknown(venue: Venue) -> None:
    venue.say_values(ETH_ETH)
    assert venue.pools() == [ETH_ETH]


def test_a_disabled_pool_is_left_out(venue: Venue) -> None:
    venue.configs.answer([kit.config_row(ETH_USDC, isDisabled=True), kit.config_row(ETH_ETH)])
    assert venue.pools() == [ETH_ETH]
    info = {"marketToken": ETH_ETH, "isListed": True, "isDisabled": True}
    venue.info.answer({"markets": [info]})
    assert venue.pools() == []


@pytest.mark.parametrize("token", [kit.ETH, kit.USDC])
def test_a_price_of_any_token_that_is_missing_or_old(venue: Venue, token: str) -> None:
    others = [row for row in kit.PRICES if row["tokenAddress"] != token]
    (row,) = [row for row in kit.PRICES if row["tokenAddress"] == token]
    venue.say_prices(*others)
    assert ETH_USDC not in venue.pools()
    at_s = venue.now_ms // 1000
    venue.say_prices(*others, row | {"timestamp": at_s - 15})
    assert ETH_USDC in venue.pools()
    venue.say_prices(*others, row | {"timestamp": at_s - 16})
    assert ETH_USDC not in venue.pools()
    venue.say_prices(*others, row | {"minPrice": "0"})
    assert ETH_USDC not in venue.pools()


def test_a_price_that_is_not_believed(venue: Venue) -> None:
    venue.say_prices(kit.ticker(kit.ETH, "20000" + "0" * 12), *kit.PRICES[1:])
    assert venue.pools() == []
    assert venue.pools(BTC_USD) == [BTC_USDC]
    venue.say_prices()
    assert venue.pools() == [ETH_USDC, ETH_ETH]


def test_a_market_that_is_not_listed(venue: Venue) -> None:
    assert venue.pools(MarketId("DOGE-USD")) == []
    venue.state.list_markets(
        [item for item in venue.state.listings.values() if item.token == kit.BTC.lower()]
    )
    assert venue.pools() == []
    assert venue.pools(BTC_USD) == [BTC_USDC]


# Funding ----------------------------------------------------------------------------------------


def test_funding_of_each_pool() -> None:
    venue = Venue()
    venue.say_prices()
    venue.say_configs()
    told = venue.say_values()
    assert [(event.market, event.pool) for event in told] == [
        (ETH_USD, ETH_USDC), (ETH_USD, ETH_ETH), (BTC_USD, BTC_USDC)
    ]  # fmt: skip
    assert told[0] == Funding(
        ETH_USD,
        # 1e-8 and 2e-9 a second, for an hour; 3 M longs pay 1 M shorts.
        raw="0.000036",
        interval_hours=1,
        next_at_ms=None,
        oi_long_usd="3000000",
        oi_short_usd="1000000",
        pool=ETH_USDC,
        short_raw="0.000108",
        borrow_long_raw="0.0000072",
        borrow_short_raw="0",
        available_long_usd="6000000",
        available_short_usd="8000000",
    )


def test_shorts_that_pay() -> None:
    venue = Venue()
    (told,) = venue.say_values(ETH_USDC, longsPayShorts=False)
    # What longs get is a third; nothing is known of what is left.
    assert (told.raw, told.short_raw) == ("-0.000012", "-0.000036")
    assert (told.available_long_usd, told.available_short_usd) == (None, None)


def test_both_sides_alike() -> None:
    (told,) = Venue().say_values(ETH_USDC, longInterestUsd=kit.usd(10**6))
    assert (told.raw, told.short_raw) == ("0.000036", None)


def test_funding_is_told_when_it_changes(venue: Venue) -> None:
    venue.wait(5)
    venue.say_prices()
    assert venue.say_values() == []
    (told,) = venue.say_values(ETH_ETH, fundingFactorPerSecond="0")
    assert (told.pool, told.raw, told.short_raw) == (ETH_ETH, "0", None)
    assert venue.say_values(ETH_ETH, fundingFactorPerSecond="0") == []


def test_polls_at_their_intervals(venue: Venue) -> None:
    for poll, path, every_s in (
        (Poll(ConfigSession), c.CONFIG_PATH, 60),
        (Poll(ValuesSession), c.VALUES_PATH, 5),
    ):
        poll.wait(2 * every_s + 1)
        assert poll.asked == [path] * 3


# Bodies -----------------------------------------------------------------------------------------

BAD = (None, 1.5, "", "-1", "1.5", "0x1", [], {}, "9" * 79)


def bad_cases(row: Row) -> list[tuple[str, Any]]:
    """(name, value); an address may be any text, an id any hexadecimal number."""
    cases = [(name, bad) for name in row for bad in (*BAD, "missing")]
    return [
        (name, bad)
        for name, bad in cases
        if not (
            (name.endswith("Address") and isinstance(bad, str) and bad != "missing")
            or (name.startswith("virtualInventory") and bad == "-1")
            or (name, bad) in (("virtualIndexTokenId", "0x1"), ("updatedAt", None))
        )
    ]


def spoil(row: Row, name: str, bad: Any) -> Row:
    return {
        key: bad if key == name else value
        for key, value in row.items()
        if bad != "missing" or key != name
    }


@pytest.mark.parametrize(("name", "bad"), bad_cases(kit.config_row(BTC_USDC)))
def test_a_configuration_that_makes_no_sense(name: str, bad: Any) -> None:
    row = spoil(kit.config_row(BTC_USDC), name, bad)
    poll = Poll(ConfigSession)
    assert poll.answer([row]) == []
    assert poll.blamed == 1
    poll.answer([row, kit.config_row(ETH_ETH)])
    assert poll.blamed == 1
    assert poll.state.book.config(BTC_USDC.lower(), poll.now_ns) is None
    assert poll.state.book.config(ETH_ETH.lower(), poll.now_ns) is not None


@pytest.mark.parametrize(("name", "bad"), bad_cases(kit.values_row(BTC_USDC, 1)))
def test_values_that_make_no_sense(name: str, bad: Any) -> None:
    row = spoil(kit.values_row(BTC_USDC, kit.START_S * 1000), name, bad)
    poll = Poll(ValuesSession)
    assert poll.answer([row]) == []
    assert poll.blamed == 1
    assert poll.state.book.values(BTC_USDC.lower(), poll.now_ns) is None


def test_integers_need_not_be_text() -> None:
    row = kit.values_row(BTC_USDC, kit.START_S * 1000)
    poll = Poll(ValuesSession)
    (told,) = poll.answer([row | {"borrowingFactorPerSecondForShorts": 0}])
    assert isinstance(told, Funding)


@pytest.mark.parametrize("kind", [ConfigSession, ValuesSession])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"null", b"[7]", b"[" * 9000, b"[" + b" " * 2**22 + b"]"], ids=len
)
def test_bodies_that_make_no_sense(kind: Any, body: bytes) -> None:
    poll = Poll(kind)
    for _ in range(c.GARBAGE_BUDGET):
        assert poll.session.failure is None
        assert poll.raw(body) == []
    assert poll.session.failure is not None
    assert poll.session.failure.code == "GARBAGE"


def test_a_long_answer_is_read_beside_the_loop() -> None:
    poll = Poll(ConfigSession)
    body = kit.dump([kit.config_row(BTC_USDC)])
    poll.session.receive(Decoded(values.configs(body)), poll.wall_us, poll.now_ns)
    assert poll.state.book.config(BTC_USDC.lower(), poll.now_ns) is not None
    poll.session.receive(Decoded(None, InputError("BAD_VALUE", "x")), poll.wall_us, poll.now_ns)
    assert poll.blamed == 1
    with pytest.raises(TypeError):
        poll.session.receive("text", poll.wall_us, poll.now_ns)
    poll.session.receive(HttpReply(c.CONFIG_PATH, body), poll.wall_us, poll.now_ns)
    assert poll.session.healthy
