"""Openings and limits, as read from the contracts' source where no computed case reaches."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.fees import (
    FeeTerms,
    trade_fee,
)
from connectors.gains.economics.limits import (
    Exposure,
    LeverageLimits,
    counter_trade,
    leverage_limits,
    room,
    within_exposure,
    within_skew,
)
from connectors.gains.economics.opening import OpenRequest, check_open_request, opened
from connectors.gains.economics.position import (
    CancelReason,
)
from connectors.gains.economics.scales import E10, E18, Collateral
from tests.unit.connectors.gains.economics.plain import (
    BARE,
    FEES,
    FULL,
    LIMITS,
    MARKET,
    NO_GROUP,
    ONE,
    PRICE,
    SOME_ROOM,
    TERMS,
    TRADE,
    USDC,
)

# Openings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trade", "request_changes", "error"),
    [
        ({}, {}, None),
        ({}, {"activated": False}, "Paused"),
        ({"collateral": 3_749_999}, {}, "InsufficientCollateral"),
        ({"collateral": 3_750_000}, {}, None),
        ({"leverage_e3": 1_099}, {}, "WrongLeverage"),
        ({"leverage_e3": 150_001}, {}, "WrongLeverage"),
        ({"leverage_e3": 150_000}, {}, None),
        ({"leverage_e3": 50_001, "is_counter": True}, {}, "WrongTradeType"),
        ({"leverage_e3": 50_000, "is_counter": True}, {}, None),
        ({"open_price_e10": 0}, {}, "BelowMin"),
        ({}, {"pair_listed": False}, "TradePairNotListed"),
        ({}, {"collateral_active": False}, "InvalidCollateralIndex"),
        ({"tp_e10": PRICE}, {}, "TradeTpInvalid"),
        ({"tp_e10": PRICE + 1}, {}, None),
        ({"tp_e10": PRICE, "long": False}, {}, "TradeTpInvalid"),
        ({"sl_e10": PRICE}, {}, "TradeSlInvalid"),
        ({"sl_e10": PRICE - 1}, {}, None),
        ({"sl_e10": PRICE, "long": False}, {}, "TradeSlInvalid"),
        ({}, {"max_slippage_e3": 0}, "MaxSlippageZero"),
    ],
)
def test_requests_are_refused_with_the_contracts_error(
    trade: Any, request_changes: Any, error: str | None
) -> None:
    request = replace(OpenRequest(replace(TRADE, **trade), 1_000), **request_changes)
    assert check_open_request(request, MARKET, LIMITS) == error


def test_a_trade_of_no_size_is_refused_where_no_fee_keeps_it_out() -> None:
    free = replace(MARKET, fees=FeeTerms(0, 0, 0))
    request = OpenRequest(replace(TRADE, collateral=0), 1_000)
    assert check_open_request(request, free, LIMITS) == "TradePositionSizeZero"


def test_the_loss_of_an_opening_may_be_forty_percent() -> None:
    """4 % at 10x is, a unit more is not; skew is not counted."""
    for spread_p, error in ((8 * E10, None), (8 * E10 + 2, "PriceImpactTooHigh")):
        pair = replace(BARE, spread_p=spread_p, long_token_e18=E18, skew_depth_e18=E18 // 10)
        market = replace(MARKET, pair=pair)
        for long in (True, False):
            request = OpenRequest(replace(TRADE, long=long), 1_000)
            assert check_open_request(request, market, LIMITS) == error


@pytest.mark.parametrize(
    ("trade", "answer", "changes", "reason"),
    [
        ({}, PRICE, {}, CancelReason.NONE),
        ({}, PRICE * 101 // 100, {}, CancelReason.NONE),
        ({}, PRICE * 101 // 100 + 1, {}, CancelReason.SLIPPAGE),
        ({"long": False}, PRICE * 99 // 100, {}, CancelReason.NONE),
        ({"long": False}, PRICE * 99 // 100 - 1, {}, CancelReason.SLIPPAGE),
        ({"tp_e10": PRICE + 5}, PRICE + 5, {}, CancelReason.TP_REACHED),
        ({"tp_e10": PRICE - 5, "long": False}, PRICE - 5, {}, CancelReason.TP_REACHED),
        ({"sl_e10": PRICE - 5}, PRICE - 5, {}, CancelReason.SL_REACHED),
        ({"sl_e10": PRICE + 5, "long": False}, PRICE + 5, {}, CancelReason.SL_REACHED),
        ({}, PRICE, {"current_e10": 1}, CancelReason.LIQ_REACHED),
        ({}, PRICE, {"exposure": FULL}, CancelReason.EXPOSURE_LIMITS),
        ({}, PRICE, {"exposure": SOME_ROOM}, CancelReason.NONE),
        ({"leverage_e3": 150_001}, PRICE, {"limits": LIMITS}, CancelReason.MAX_LEVERAGE),
        ({"is_counter": True}, PRICE, {}, CancelReason.COUNTER_TRADE_CANCELED),
        (
            {"is_counter": True, "tp_e10": PRICE + 5},
            PRICE + 5,
            {},
            CancelReason.TP_REACHED,
        ),
    ],
)
def test_the_first_reason_cancels_an_opening(
    trade: Any, answer: int, changes: Any, reason: CancelReason
) -> None:
    arguments = {"current_e10": answer, "max_slippage_e3": 1_000} | changes
    result = opened(replace(TRADE, **trade), answer, MARKET, TERMS, **arguments)
    assert result.reason is reason


def test_too_much_impact_cancels_an_opening() -> None:
    market = replace(MARKET, pair=replace(BARE, spread_p=8 * E10 + 2))
    result = opened(TRADE, PRICE, market, TERMS, current_e10=PRICE, max_slippage_e3=65_000)
    assert result.reason is CancelReason.PRICE_IMPACT


@pytest.mark.parametrize(
    ("trade", "asked", "stored"),
    [
        ({}, 0, 0),
        ({}, PRICE * 99 // 100, PRICE * 99 // 100),
        ({}, 1, PRICE - PRICE * 838 // 10_000),
        ({"long": False}, 2 * PRICE, PRICE + PRICE * 838 // 10_000),
    ],
)
def test_an_opened_trade_has_its_stop_limited(trade: Any, asked: int, stored: int) -> None:
    """90 - 5 - 2 * 0.06 * 10 = 83.8 % of the collateral at 10x."""
    trade = replace(TRADE, **trade, sl_e10=asked)
    result = opened(trade, PRICE, MARKET, TERMS, current_e10=PRICE, max_slippage_e3=1_000)
    assert (result.reason, result.trade.sl_e10) == (CancelReason.NONE, stored)


def test_a_counter_trade_returns_what_exceeds_the_skew() -> None:
    """The skew is worth 4000, the trade 10000: 600 of 1000 collateral go back."""
    pair = replace(BARE, short_token_e18=E18 // 25)
    market = replace(MARKET, pair=pair)
    trade = replace(TRADE, is_counter=True)
    result = opened(trade, PRICE, market, TERMS, current_e10=PRICE, max_slippage_e3=1_000)
    assert (result.reason, result.returned) == (CancelReason.NONE, 600 * ONE)
    assert result.trade.size == 4_000 * ONE
    assert result.fee == trade_fee(4_000 * ONE, FEES, USDC, is_counter=True) == 960_000
    tiny = replace(market, pair=replace(BARE, short_token_e18=3 * E18 // 10_000))
    left = opened(trade, PRICE, tiny, TERMS, current_e10=PRICE, max_slippage_e3=1_000)
    assert left.reason is CancelReason.COUNTER_TRADE_CANCELED


@pytest.mark.parametrize(
    ("long_token", "short_token", "long", "expected"),
    [
        (0, 0, True, (False, 0)),
        (E18, 0, True, (False, 0)),
        (0, E18, False, (False, 0)),
        (E18, 0, False, (True, 0)),
        (0, E18 // 100, True, (True, 9_000 * ONE)),
    ],
)
def test_counter_trades_lower_the_skew(
    long_token: int, short_token: int, long: bool, expected: tuple[bool, int]
) -> None:
    pair = replace(BARE, long_token_e18=long_token, short_token_e18=short_token)
    assert counter_trade(10_000 * ONE, pair, USDC, PRICE, long=long) == expected


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "new", "limit", "allowed"),
    [
        (0, 10**9, 0, True),
        (5, 10, 10, True),
        (5, 11, 10, False),
        (20, 19, 10, True),
        (20, 20, 10, False),
        (20, -10, 10, True),
        (20, -11, 10, False),
        (-20, -19, 10, True),
        (-20, 11, 10, False),
        (-20, -21, 10, False),
    ],
)
def test_skew_over_its_limit_may_only_shrink(
    skew: int, new: int, limit: int, allowed: bool
) -> None:
    assert within_skew(skew, new, limit) is allowed


@pytest.mark.parametrize("places", [6, 18])
@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize(
    ("tokens", "exposure"),
    [
        ((0, 0), Exposure(OpenInterest(7 * E10, 8 * E10, 20_000 * E10 + 1), NO_GROUP)),
        (
            (E18 // 20, E18 // 10),
            Exposure(OpenInterest(0, 0, 10**18), OpenInterest(3, 5 * E10, 11 * E10 + 7)),
        ),
        ((E18 // 20, E18 // 10), Exposure(OpenInterest(0, 0, 10**18), NO_GROUP, 7_000 * E10 + 3)),
        ((E18, 0), Exposure(OpenInterest(0, 0, 10**18), NO_GROUP, 2_000 * E10)),
        ((E18, E18), Exposure(OpenInterest(0, 0, 5), NO_GROUP)),
    ],
)
def test_room_is_the_most_that_is_within_the_limits(
    places: int, long: bool, tokens: tuple[int, int], exposure: Exposure
) -> None:
    collateral = Collateral(places, 10**8)
    pair = replace(BARE, long_token_e18=tokens[0], short_token_e18=tokens[1])
    most = room(exposure, pair, collateral, PRICE, long=long)

    def within(size: int) -> bool:
        return within_exposure(exposure, pair, collateral, size, PRICE, long=long)

    assert most == 0 or within(most)
    assert not within(most + 1)


def test_pair_leverage_below_the_group_ends_trading() -> None:
    assert leverage_limits(1_100, 200_000, 0, 50_000) == LeverageLimits(1_100, 200_000, 50_000)
    assert leverage_limits(1_100, 200_000, 150_000).max_e3 == 150_000
    assert leverage_limits(1_100, 200_000, 1_000, 50_000) == LeverageLimits(0, 0)
