"""Closes and triggered orders, as read from the contracts' source where no computed case
reaches."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.gains.economics.closing import (
    Market,
    close_market,
    close_reason,
    closing_impact,
    position_liquidation_e10,
    slipped,
)
from connectors.gains.economics.depth import Side
from connectors.gains.economics.impact import PairFactors, TraderTerms
from connectors.gains.economics.liquidation import limited_stop_e10
from connectors.gains.economics.position import (
    CancelReason,
    Ledger,
    Position,
    TradeInfo,
)
from connectors.gains.economics.scales import E10, E18
from connectors.gains.economics.triggers import (
    Candle,
    Trigger,
    triggered_close,
    triggered_open,
)
from connectors.gains.economics.windows import added_volume
from tests.unit.connectors.gains.economics.plain import (
    BARE,
    FEES,
    MARKET,
    ONE,
    POSITION,
    PRICE,
    TERMS,
    TRADE,
    short,
)

# Closes -------------------------------------------------------------------------------------------


def protected(position: Position, **changes: Any) -> tuple[Market, Position]:
    """A pair of depth whose profitable closes pay five times the impact for 100 blocks."""
    side = Side(1_000_000, (*(0,) * 29, 10_000))
    pair = replace(
        BARE,
        above=side,
        below=side,
        offsets_ppm=(*(0,) * 29, 100),
        factors=PairFactors(0, 5 * E10, 100),
        **changes,
    )
    info = replace(position.info, last_increase_block=900)
    return replace(MARKET, pair=pair), replace(position, info=info)


def test_protection_counts_fees_and_ends_with_the_blocks() -> None:
    """A gain that does not cover the closing fee of 6 is none."""
    market, position = protected(POSITION)
    single = -25 * 10**4
    for gain, factor in ((0, 1), (6, 1), (7, 5)):
        oracle = PRICE + gain * E10 * 10
        impact, value = closing_impact(oracle, position, market, holding_fees=0)
        assert impact.volume_p == factor * single
        assert (value > TRADE.collateral) is (factor == 5)
    oracle = PRICE + 100 * E10
    fees = closing_impact(oracle, position, market, holding_fees=5 * ONE)[0]
    assert fees.volume_p == single
    booked = replace(position, ledger=Ledger(realized_fees=5 * ONE))
    assert closing_impact(oracle, booked, market, holding_fees=0)[0].volume_p == single
    over = replace(market, pair=replace(market.pair, block=1_001))
    assert closing_impact(oracle, position, over, holding_fees=0)[0].volume_p == single
    listed = replace(market.pair, trader=TraderTerms(protection_whitelisted=True))
    white = replace(market, pair=listed)
    assert closing_impact(oracle, position, white, holding_fees=0)[0].volume_p == single


def test_exempt_closes_pay_volume_only_while_protected() -> None:
    market, position = protected(POSITION)
    factors = replace(market.pair.factors, exempt_after_protection=True)
    exempt = replace(market, pair=replace(market.pair, factors=factors))
    gain, loss = PRICE + 100 * E10, PRICE - 100 * E10
    assert closing_impact(gain, position, exempt, holding_fees=0)[0].volume_p == -125 * 10**4
    assert closing_impact(loss, position, exempt, holding_fees=0)[0].volume_p == 0


def test_older_trades_close_with_less_impact() -> None:
    market, position = protected(POSITION, spread_p=4 * 10**8, long_token_e18=E18)
    market = replace(market, pair=replace(market.pair, skew_depth_e18=100 * E18))
    parts = {}
    for version in (0, 1, 2):
        old = replace(position, info=replace(position.info, contracts_version=version))
        parts[version] = closing_impact(PRICE, old, market, holding_fees=0)[0]
    assert parts[0] == (0, 0, 0, 0, 0, PRICE)
    assert parts[1].skew_p == 0
    assert parts[1].fixed_spread_p == -2 * 10**8
    assert parts[2].skew_p > 0
    no_volume, value = closing_impact(PRICE, position, market, holding_fees=0, use_volume=False)
    assert (no_volume.volume_p, value) == (0, 0)


def test_a_close_past_the_liquidation_price_pays_nothing() -> None:
    at = position_liquidation_e10(POSITION, MARKET, holding_fees=0)
    assert at == PRICE - PRICE * 894 // 10_000
    assert close_market(at + 1, POSITION, MARKET, holding_fees=0).payout > 0
    assert close_market(at, POSITION, MARKET, holding_fees=0).payout == 0
    up = position_liquidation_e10(short(POSITION), MARKET, holding_fees=0)
    assert close_market(up - 1, short(POSITION), MARKET, holding_fees=0).payout > 0
    assert close_market(up, short(POSITION), MARKET, holding_fees=0).payout == 0


def test_slippage_includes_its_bound_and_is_one_percent_by_default() -> None:
    assert not slipped(PRICE * 99 // 100, PRICE, 1_000, up_is_worse=False)
    unset = replace(POSITION, info=TradeInfo())
    bound = PRICE * 99 // 100
    assert close_reason(bound, PRICE, unset) is CancelReason.NONE
    assert close_reason(bound - 1, PRICE, unset) is CancelReason.SLIPPAGE
    up = PRICE * 101 // 100
    assert close_reason(up, PRICE, short(unset)) is CancelReason.NONE
    assert close_reason(up + 1, PRICE, short(unset)) is CancelReason.SLIPPAGE


def test_losing_closes_add_less_volume_on_the_other_side() -> None:
    assert added_volume(100, long=True, opening=True) == (True, 100)
    assert added_volume(100, long=True, opening=False, positive_pnl=True) == (False, 100)
    less = added_volume(100, long=False, opening=False, negative_multiplier_e10=4 * 10**9)
    assert less == (True, 40)


# Triggers -----------------------------------------------------------------------------------------


def candle(low: int, high: int, first: int | None = None) -> Candle:
    return Candle(PRICE * (first or low) // 100, PRICE * high // 100, PRICE * low // 100, PRICE)


@pytest.mark.parametrize(
    ("trigger", "long", "bar", "reason", "exact"),
    [
        (Trigger.LIMIT_OPEN, True, candle(99, 101), CancelReason.NONE, True),
        (Trigger.LIMIT_OPEN, True, candle(98, 99), CancelReason.NONE, False),
        (Trigger.LIMIT_OPEN, True, candle(101, 102), CancelReason.NOT_HIT, False),
        (Trigger.LIMIT_OPEN, False, candle(101, 102), CancelReason.NONE, False),
        (Trigger.LIMIT_OPEN, False, candle(98, 99), CancelReason.NOT_HIT, False),
        (Trigger.STOP_OPEN, True, candle(101, 102), CancelReason.NONE, False),
        (Trigger.STOP_OPEN, True, candle(98, 99), CancelReason.NOT_HIT, False),
        (Trigger.STOP_OPEN, True, candle(103, 104), CancelReason.SLIPPAGE, False),
        (Trigger.STOP_OPEN, False, candle(98, 99), CancelReason.SLIPPAGE, False),
        (Trigger.STOP_OPEN, False, candle(101, 102), CancelReason.NOT_HIT, False),
    ],
)
def test_resting_orders(
    trigger: Trigger, long: bool, bar: Candle, reason: CancelReason, exact: bool
) -> None:
    trade = replace(TRADE, long=long)
    got = triggered_open(trigger, trade, bar, MARKET, TERMS, max_slippage_e3=1_000)
    assert (got.reason, got.exact) == (reason, exact)
    assert got.oracle_e10 == (PRICE if exact else bar.open)


@pytest.mark.parametrize(
    ("trigger", "tp", "sl", "bar", "reason", "exact"),
    [
        (Trigger.TP_CLOSE, 110, 0, candle(109, 111), CancelReason.NONE, True),
        (Trigger.TP_CLOSE, 110, 0, candle(111, 112), CancelReason.NONE, False),
        (Trigger.TP_CLOSE, 110, 0, candle(108, 109), CancelReason.NOT_HIT, False),
        (Trigger.TP_CLOSE, 0, 0, candle(108, 109), CancelReason.NOT_HIT, False),
        (Trigger.SL_CLOSE, 0, 98, candle(97, 99), CancelReason.NONE, True),
        (Trigger.SL_CLOSE, 0, 98, candle(94, 95), CancelReason.SLIPPAGE, False),
        (Trigger.SL_CLOSE, 0, 98, candle(99, 100), CancelReason.NOT_HIT, False),
        (Trigger.SL_CLOSE, 0, 0, candle(97, 99), CancelReason.NOT_HIT, False),
        (Trigger.LIQ_CLOSE, 0, 0, candle(89, 93), CancelReason.NONE, True),
        (Trigger.LIQ_CLOSE, 0, 0, candle(80, 85), CancelReason.NONE, False),
        (Trigger.LIQ_CLOSE, 0, 0, candle(92, 93), CancelReason.NOT_HIT, False),
    ],
)
def test_closing_orders(
    trigger: Trigger, tp: int, sl: int, bar: Candle, reason: CancelReason, exact: bool
) -> None:
    trade = replace(TRADE, tp_e10=PRICE * tp // 100, sl_e10=PRICE * sl // 100)
    got = triggered_close(trigger, replace(POSITION, trade=trade), bar, MARKET, holding_fees=0)
    assert (got.reason, got.exact) == (reason, exact)
    if trigger is Trigger.LIQ_CLOSE and reason is CancelReason.NONE:
        assert got.payout == 0
        assert got.fee == TRADE.collateral // 10
        assert got.fill_e10 == got.oracle_e10 == (got.liquidation_e10 if exact else bar.open)


def test_liquidations_go_by_the_price_without_skew() -> None:
    """The market price of every candle is 10 % above the oracle's."""
    pair = replace(BARE, long_token_e18=20 * E18, skew_depth_e18=E18)
    market = replace(MARKET, pair=pair)
    trade = replace(TRADE, sl_e10=PRICE * 98 // 100)
    position = replace(POSITION, trade=trade)
    liquidated = triggered_close(
        Trigger.LIQ_CLOSE, position, candle(89, 93), market, holding_fees=0
    )
    assert liquidated.reason is CancelReason.NONE
    stop = triggered_close(Trigger.SL_CLOSE, position, candle(97, 99), market, holding_fees=0)
    assert stop.reason is CancelReason.NOT_HIT
    hit = triggered_close(Trigger.SL_CLOSE, position, candle(88, 90), market, holding_fees=0)
    assert hit.oracle_e10 == -(-PRICE * 98 // 110)


def test_other_triggers_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="opens nothing"):
        triggered_open(Trigger.TP_CLOSE, TRADE, candle(1, 2), MARKET, TERMS, max_slippage_e3=1)
    with pytest.raises(ValueError, match="closes nothing"):
        triggered_close(Trigger.LIMIT_OPEN, POSITION, candle(1, 2), MARKET, holding_fees=0)


def test_stops_stay_within_what_fees_leave() -> None:
    """90 - 5 - 2 * 0.06 * 10 = 83.8 % of the collateral at 10x."""
    bound = PRICE - PRICE * 838 // 10_000
    assert limited_stop_e10(TRADE, TERMS, FEES, 0) == 0
    assert limited_stop_e10(TRADE, TERMS, FEES, bound) == bound
    assert limited_stop_e10(TRADE, TERMS, FEES, bound - E10) == bound
    steep = replace(TRADE, leverage_e3=600_000)
    assert limited_stop_e10(steep, TERMS, FEES, PRICE - 1) == 0
    down = replace(TRADE, long=False)
    assert limited_stop_e10(down, TERMS, FEES, 2 * PRICE) == PRICE + PRICE * 838 // 10_000
