"""What a taker fills at on the recorded ETH book."""

from fractions import Fraction

import pytest

from connectors.dydx.economics.fees import FEE_TIERS
from connectors.dydx.economics.quote import price_size, price_trade, scale_of
from domain.costs import OrderSide, PricedPool, UnpricedPool
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import D, crossed_eth_book, eth_book

MARKET, BIDS, ASKS = eth_book()
SCALE = scale_of(MARKET)
MIDDLE = Fraction("3393.35")


def priced(side: OrderSide, notional: str) -> PricedPool:
    found = price_trade(SCALE, side, D(notional), BIDS, ASKS)
    assert isinstance(found, PricedPool)
    return found


def test_a_size_within_the_touch() -> None:
    buy, sell = priced("BUY", "1000"), priced("SELL", "1000")
    assert (buy.price, buy.impact_bps) == (D("3393.5"), 0)
    assert (sell.price, sell.impact_bps) == (D("3393.2"), 0)
    assert buy.fee_bps == D(5)
    assert buy.spread_bps == sell.spread_bps
    half = Fraction(3, 20) / MIDDLE * 10_000
    assert 0 <= Fraction(buy.spread_bps) - half <= Fraction(1, 10**18)
    assert buy.all_in_bps == D(5) + buy.spread_bps
    assert (buy.gas_usd, buy.execution_fee_usd) == (0, 0)


def test_the_fee_tier_is_an_argument() -> None:
    found = price_trade(SCALE, "BUY", D(1000), BIDS, ASKS, FEE_TIERS[6].taker_ppm)
    assert isinstance(found, PricedPool)
    assert found.fee_bps == D("2.5")


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_spread_and_impact_are_the_distance_from_the_middle(side: OrderSide) -> None:
    for notional in ("20000", "100000", "400000.125"):
        found = priced(side, notional)
        away = abs(Fraction(found.price) - MIDDLE) / MIDDLE * 10_000
        parts = Fraction(found.spread_bps) + Fraction(found.impact_bps)
        assert abs(away - parts) < Fraction(1, 10**16)


def test_rounding_is_to_the_takers_disadvantage() -> None:
    buy, sell = priced("BUY", "50000"), priced("SELL", "50000")
    # 4.946 at 3393.5 and 7.856 at 3393.6 are 43,444.3726; the rest at 3393.7.
    rest = 50_000 - Fraction("3393.5") * Fraction("4.946") - Fraction("3393.6") * Fraction("7.856")
    exact = 50_000 / (Fraction("4.946") + Fraction("7.856") + rest / Fraction("3393.7"))
    assert 0 < Fraction(buy.price) - exact <= Fraction(1, 10**18)
    rest = 50_000 - Fraction("3393.2") * Fraction("7.795")
    exact = 50_000 / (Fraction("7.795") + rest / Fraction("3393.1"))
    assert 0 < exact - Fraction(sell.price) <= Fraction(1, 10**18)


def test_why_a_size_has_no_price() -> None:
    def reason(notional: str, bids: object = BIDS, asks: object = ASKS) -> str:
        found = price_trade(SCALE, "BUY", D(notional), bids, asks)  # type: ignore[arg-type]
        assert isinstance(found, UnpricedPool)
        return found.reason

    total = sum(ticks * steps for ticks, steps in ASKS) * D("0.0001")
    assert isinstance(price_trade(SCALE, "BUY", total, BIDS, ASKS), PricedPool)
    assert reason(str(total + D("1e-9"))) == "DEPTH"
    assert reason("100000000") == "DEPTH"
    assert reason("1000", asks=()) == "NO_BOOK"
    assert reason("1000", bids=()) == "NO_BOOK"
    assert reason("3.3934") == "BELOW_STEP"
    assert isinstance(price_trade(SCALE, "BUY", D("3.3935"), BIDS, ASKS), PricedPool)
    for bad in ("0", "-1", "NaN", "1e999999"):
        with pytest.raises(InputError):
            price_trade(SCALE, "BUY", D(bad), BIDS, ASKS)


def test_a_size_in_base_units() -> None:
    # 4.946 at 3393.5, 7.856 at 3393.6 and 7.198 at 3393.7.
    found = price_size(MARKET, "BUY", "20", BIDS, ASKS)
    assert isinstance(found, PricedPool)
    assert found.notional_usd == D("67872.2252")
    assert found.price == D("3393.61126")
    same = price_trade(SCALE, "BUY", found.notional_usd, BIDS, ASKS)
    assert found == same
    gone = price_size(MARKET, "SELL", "1000000", BIDS, ASKS)
    assert isinstance(gone, UnpricedPool)
    assert gone.reason == "DEPTH"
    assert gone.notional_usd == sum(ticks * steps for ticks, steps in BIDS) * D("0.0001")
    for bad in ("0.0001", "0", "-1", "x"):
        with pytest.raises(InputError):
            price_size(MARKET, "BUY", bad, BIDS, ASKS)


def test_an_uncrossed_view_is_priced() -> None:
    listed, book = crossed_eth_book()
    bids, asks = book.levels()
    found = price_trade(scale_of(listed), "SELL", D(1000), bids, asks)
    assert isinstance(found, PricedPool)
    assert found.price == D("1578.933")
    assert found.spread_bps > 0
