"""Changes of positions, as read from the contracts' source where no computed case reaches."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.gains.economics.adjust import (
    check_leverage_request,
    liquidated_by_fee,
    refused,
    releverage,
    releverage_reason,
    releveraged,
)
from connectors.gains.economics.closing import (
    Market,
    close_market,
    position_liquidation_e10,
)
from connectors.gains.economics.decrease import (
    check_decrease_request,
    decrease,
    decrease_reason,
    decrease_volume,
    decreased,
    settled,
)
from connectors.gains.economics.depth import Side, encode_side
from connectors.gains.economics.fees import cancel_fee
from connectors.gains.economics.increase import (
    check_increase_request,
    increase,
    increase_reason,
)
from connectors.gains.economics.ledger import downscaled, with_virtual_collateral
from connectors.gains.economics.limits import (
    LeverageLimits,
)
from connectors.gains.economics.position import (
    CancelReason,
    Ledger,
    Position,
    TradeInfo,
)
from connectors.gains.economics.scales import E18
from tests.unit.connectors.gains.economics.plain import (
    BARE,
    FULL,
    LIMITS,
    MARKET,
    ONE,
    POSITION,
    PRICE,
    TERMS,
    TRADE,
)


def grow(position: Position, market: Market, collateral: int, leverage_e3: int) -> Any:
    return increase(
        position,
        market,
        PRICE,
        collateral=collateral,
        leverage_e3=leverage_e3,
        terms=TERMS,
        holding_fees=0,
    )


def test_reasons_that_stop_an_increase() -> None:
    values = grow(POSITION, MARKET, 1_000 * ONE, 10_000)

    def reason(position: Position = POSITION, **changes: Any) -> CancelReason:
        return increase_reason(position, values, MARKET, PRICE, **changes)

    def with_trade(**changes: Any) -> Position:
        return replace(POSITION, trade=replace(TRADE, **changes))

    assert reason() is CancelReason.NONE
    assert reason(expected_e10=PRICE - 1) is CancelReason.SLIPPAGE
    assert reason(with_trade(tp_e10=PRICE)) is CancelReason.TP_REACHED
    assert reason(with_trade(sl_e10=PRICE)) is CancelReason.SL_REACHED
    assert reason(with_trade(long=False)) is CancelReason.LIQ_REACHED
    assert reason(exposure=FULL) is CancelReason.EXPOSURE_LIMITS
    low = LeverageLimits(1_100, values.effective_leverage_e3 - 1)
    assert reason(limits=low) is CancelReason.MAX_LEVERAGE
    assert reason(with_trade(is_counter=True)) is CancelReason.COUNTER_TRADE_CANCELED
    nothing = replace(values, new_size=values.old_size)
    assert increase_reason(POSITION, nothing, MARKET, PRICE) is CancelReason.WRONG_TRADE


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"collateral": 0}, None),
        ({"leverage_e3": 0}, "InvalidIncreasePositionSizeInput"),
        ({"expected_e10": 0}, "InvalidIncreasePositionSizeInput"),
        ({"max_slippage_e3": 0}, "InvalidIncreasePositionSizeInput"),
        ({"collateral": 0, "leverage_e3": 2**24 - 10_001}, None),
        ({"collateral": 0, "leverage_e3": 2**24 - 10_000}, "WrongLeverage"),
    ],
)
def test_requests_of_an_increase(changes: Any, error: str | None) -> None:
    asked = {
        "collateral": ONE,
        "leverage_e3": 10_000,
        "expected_e10": PRICE,
        "max_slippage_e3": 1_000,
    }
    assert check_increase_request(POSITION, **asked | changes) == error
    old = replace(POSITION, info=TradeInfo(contracts_version=1))
    assert check_increase_request(old, **asked | changes) == "NotAuthorized"


def test_an_increase_that_leaves_no_size_is_none() -> None:
    """New leverage is cut off: a base unit at the least leverage makes the size smaller."""
    position = replace(POSITION, trade=replace(TRADE, leverage_e3=150_000))
    values = grow(position, MARKET, ONE, 1)
    assert values.new_size < values.old_size
    assert values.impact == (0, 0, 0, 0, 0, 0)
    assert increase_reason(position, values, MARKET, PRICE) is CancelReason.WRONG_TRADE


def test_counter_trades_grow_to_no_skew_left() -> None:
    pair = replace(BARE, short_token_e18=E18 // 25)
    market = replace(MARKET, pair=pair)
    position = replace(POSITION, trade=replace(TRADE, is_counter=True))
    added = grow(position, market, 1_000 * ONE, 10_000)
    assert (added.counter_valid, added.excess, added.returned) == (True, 6_000 * ONE, 600 * ONE)
    assert added.new_collateral == 1_400 * ONE
    raised = grow(position, market, 0, 10_000)
    assert (raised.added_leverage_e3, raised.returned) == (4_000, 0)
    assert raised.new_leverage_e3 == 14_000


def shrink(
    position: Position, price: int, collateral: int, leverage_e3: int, holding: int = 0
) -> Any:
    return decrease(
        position,
        MARKET,
        price,
        collateral=collateral,
        leverage_e3=leverage_e3,
        holding_fees=holding,
    )


def test_requests_of_a_decrease() -> None:
    def error(collateral: int, leverage_e3: int, expected: int = PRICE) -> str | None:
        return check_decrease_request(
            POSITION,
            MARKET,
            collateral=collateral,
            leverage_e3=leverage_e3,
            expected_e10=expected,
        )

    assert error(0, 0) == error(1, 1) == "InvalidDecreasePositionSizeInput"
    assert error(1, 0, 0) == "ZeroValue"
    assert error(1_000 * ONE, 0) == "InsufficientCollateral"
    assert error(0, 10_000) == error(0, 10_001) == error(0, 10_000, 0) == "WrongLeverage"
    assert error(0, 9_999) is None
    assert error(999 * ONE + 250_000, 0) is None
    assert error(0, 5_000) is None


def test_reasons_that_stop_a_decrease() -> None:
    values = shrink(POSITION, PRICE, 400 * ONE, 0)
    assert decrease_reason(POSITION, values, PRICE) is CancelReason.NONE
    assert decrease_reason(POSITION, values, 1) is CancelReason.LIQ_REACHED
    worse = PRICE * 102 // 100
    assert decrease_reason(POSITION, values, PRICE, expected_e10=worse) is CancelReason.SLIPPAGE
    dust = shrink(POSITION, PRICE, ONE // 100, 0)
    assert dust.sent < 0
    assert decrease_reason(POSITION, dust, PRICE) is CancelReason.WRONG_TRADE


@pytest.mark.parametrize("price", [PRICE * 97 // 100, PRICE, PRICE * 103 // 100])
@pytest.mark.parametrize("holding", [0, 3 * ONE, -3 * ONE])
@pytest.mark.parametrize(("collateral", "leverage_e3"), [(400 * ONE, 0), (0, 5_000)])
def test_a_decrease_makes_and_loses_nothing(
    price: int, holding: int, collateral: int, leverage_e3: int
) -> None:
    """Value before is value after, what was sent and the fee, but for what is cut off."""
    booked = replace(POSITION, ledger=Ledger(7 * ONE, 5 * ONE))

    def value(position: Position, pending: int) -> int:
        close = close_market(price, position, MARKET, holding_fees=pending)
        return close.payout + close.fee

    values = shrink(booked, price, collateral, leverage_e3, holding)
    values = settled(booked, values, holding_fees=holding)
    left = decreased(booked, values, MARKET, holding_fees=holding)
    sent = values.sent if values.sent > 0 else 0
    gone = value(booked, holding) - value(left, 0) - sent - values.fee
    assert 0 <= gone <= 4


def test_a_decrease_counts_as_a_close() -> None:
    values = shrink(POSITION, PRICE * 97 // 100, 400 * ONE, 0)
    volume = decrease_volume(POSITION, values, MARKET, 4 * 10**9)
    assert volume == (False, 1_600 * E18)


def test_losses_that_went_to_the_vault_do_not_go_twice() -> None:
    booked = replace(
        POSITION, ledger=Ledger(manual_negative_pnl=100 * ONE, transferred_negative_pnl=60 * ONE)
    )

    def sent(position: Position) -> int:
        values = shrink(position, PRICE * 97 // 100, 0, 5_000)
        final: int = settled(position, values, holding_fees=0).sent
        return final

    assert sent(POSITION) == -150 * ONE
    assert sent(booked) == -70 * ONE
    assert sent(replace(POSITION, ledger=Ledger(transferred_negative_pnl=900 * ONE))) == 0
    assert sent(replace(POSITION, ledger=Ledger(realized_fees=900 * ONE))) == -100 * ONE


def test_leverage_requests_and_their_reasons() -> None:
    assert check_leverage_request(POSITION, MARKET, 10_000) == "WrongLeverage"
    assert check_leverage_request(POSITION, MARKET, 0) == "WrongLeverage"
    assert check_leverage_request(POSITION, MARKET, 10**8) == "InsufficientCollateral"
    assert check_leverage_request(POSITION, MARKET, 20_000) is None
    raised = releverage(POSITION, MARKET, PRICE, leverage_e3=20_000, holding_fees=0)
    assert releverage_reason(POSITION, raised, PRICE, LIMITS) is CancelReason.NONE
    assert releverage_reason(POSITION, raised, 1, LIMITS) is CancelReason.LIQ_REACHED
    low = LeverageLimits(1_100, 20_000, 19_000)
    assert releverage_reason(POSITION, raised, PRICE, low) is CancelReason.MAX_LEVERAGE
    counter = replace(POSITION, trade=replace(TRADE, is_counter=True))
    tight = LeverageLimits(1_100, 150_000, 19_000)
    reason = releverage_reason(counter, raised, PRICE, tight)
    assert reason is CancelReason.COUNTER_TRADE_CANCELED
    lowered = releverage(POSITION, MARKET, PRICE, leverage_e3=5_000, holding_fees=0)
    assert releverage_reason(counter, lowered, PRICE, low) is CancelReason.NONE
    assert (lowered.new_collateral, lowered.collateral_delta) == (2_000 * ONE, 1_000 * ONE)


def test_collateral_that_is_no_longer_there_is_made_up_for() -> None:
    booked = replace(POSITION, ledger=Ledger(realized_fees=700 * ONE))
    raised = releverage(booked, MARKET, PRICE, leverage_e3=20_000, holding_fees=0)
    assert (raised.total_available, raised.available) == (300 * ONE, 300 * ONE)
    left = releveraged(booked, raised, MARKET)
    assert left.ledger.virtual_available == 200 * ONE
    assert left.ledger.available(left.trade.collateral) == 0
    capped = with_virtual_collateral(Ledger(manual_negative_pnl=5), 3)
    assert capped == Ledger(manual_negative_pnl=3)
    assert downscaled(Ledger(), 1, 3, 2) == Ledger()


def test_a_refused_change_is_charged_for() -> None:
    left = refused(POSITION, MARKET)
    fee = cancel_fee(MARKET.fees, MARKET.shares, MARKET.collateral)
    assert left == replace(POSITION, ledger=Ledger(realized_fees=fee))
    assert fee == 91_875


def test_a_fee_can_liquidate() -> None:
    at = position_liquidation_e10(POSITION, MARKET, holding_fees=0)
    above = at + PRICE // 10_000
    assert not liquidated_by_fee(POSITION, MARKET, above, fee=0, holding_fees=0)
    assert liquidated_by_fee(POSITION, MARKET, above, fee=ONE, holding_fees=0)


@pytest.mark.parametrize(
    "side",
    [Side(-1, (0,) * 30), Side(2**32, (0,) * 30), Side(0, (0,) * 29), Side(0, (2**16,) * 30)],
)
def test_what_does_not_fit_is_not_encoded(side: Side) -> None:
    with pytest.raises(ValueError, match="fit"):
        encode_side(side)
