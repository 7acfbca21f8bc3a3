"""How large a trade may be: leverage, open interest, skew, and what a counter trade may take."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.gains.constants import PERCENT
from connectors.gains.economics.borrowing import OpenInterest, pair_open_interest
from connectors.gains.economics.fees import FeeTerms, min_opening_collateral
from connectors.gains.economics.impact import PairState
from connectors.gains.economics.position import Trade
from connectors.gains.economics.scales import (
    E3,
    E8,
    E10,
    E18,
    Collateral,
    position_size,
    rounded_up,
    truncated,
)

MAX_OPENING_LOSS_P: Final = 40 * PERCENT
"""Spread and volume impact may cost this much of the collateral."""


@dataclass(frozen=True, slots=True)
class LeverageLimits:
    """``max_e3`` below ``min_e3``: the pair takes no trades. ``counter_max_e3``: of counter trades,
    0 = they are not taken."""

    min_e3: int
    max_e3: int
    counter_max_e3: int = 0


@dataclass(frozen=True, slots=True)
class Exposure:
    """Open interest and limits of a pair in one collateral, whole tokens in e10.

    ``before_v10`` holds the pair's limit, ``group`` that of its last borrowing group.
    ``max_skew_e10`` 0: any skew.
    """

    before_v10: OpenInterest
    group: OpenInterest
    max_skew_e10: int = 0


class CounterTrade(NamedTuple):
    """``valid`` False: the trade would not lower the skew. ``excess``: size beyond no skew left."""

    valid: bool
    excess: int


def leverage_limits(
    group_min_e3: int, group_max_e3: int, pair_max_e3: int, counter_max_e3: int = 0
) -> LeverageLimits:
    """Limits of a pair; its own maximum counts unless it is 0. One below the group's minimum takes
    the pair out of trading: (0, 0).

    Source: PairsStorageUtils.pairMinLeverage and pairMaxLeverage, v10.2; the zeros are those of
    @gainsnetwork/sdk getMarketLeverageRestrictions.
    """
    most = pair_max_e3 or group_max_e3
    if most < group_min_e3:
        return LeverageLimits(0, 0)
    return LeverageLimits(group_min_e3, most, counter_max_e3)


def least_size(fees: FeeTerms, collateral: Collateral, min_leverage_e3: int) -> int:
    """Size of the smallest trade that a pair takes: the least collateral at the least leverage.

    Source: TradingInteractionsUtils._openTrade, v10.2.
    """
    return position_size(min_opening_collateral(fees, collateral), min_leverage_e3)


def _skew_e10(pair: PairState, price_e10: int) -> int:
    """Source: TradingCommonUtils.getPairV10OiDynamicSkewCollateral, v10.2."""
    return truncated(pair.net_token_e18 * price_e10, E18)


def _side_oi(
    exposure: Exposure, pair: PairState, collateral: Collateral, price_e10: int, *, long: bool
) -> int:
    sides = pair_open_interest(
        exposure.before_v10, pair.long_token_e18, pair.short_token_e18, price_e10, collateral
    )
    return sides[0] if long else sides[1]


def within_exposure(
    exposure: Exposure,
    pair: PairState,
    collateral: Collateral,
    size: int,
    price_e10: int,
    *,
    long: bool,
) -> bool:
    """Whether ``size`` more on one side stays within the limits of pair, group and skew.

    Source: TradingCommonUtils.isWithinExposureLimits, v10.2.
    """
    taken = _side_oi(exposure, pair, collateral, price_e10, long=long)
    if taken + size > collateral.from_e10(exposure.before_v10.max_e10):
        return False
    group = exposure.group
    group_taken = group.long_e10 if long else group.short_e10
    if group.max_e10 and group_taken + size * E10 // collateral.precision > group.max_e10:
        return False
    skew = _skew_e10(pair, price_e10)
    added = size * collateral.precision_delta // E8
    return within_skew(skew, skew + (added if long else -added), exposure.max_skew_e10)


def within_skew(skew_e10: int, new_skew_e10: int, max_e10: int) -> bool:
    """A skew over its limit may be lowered, to no more than the limit on the other side.

    Source: TradingCommonUtils.isWithinSkewLimits, v10.2.
    """
    if not max_e10 or abs(new_skew_e10) <= max_e10:
        return True
    if skew_e10 >= 0:
        return new_skew_e10 < skew_e10 and -new_skew_e10 <= max_e10
    return new_skew_e10 > skew_e10 and new_skew_e10 <= max_e10


def room(
    exposure: Exposure, pair: PairState, collateral: Collateral, price_e10: int, *, long: bool
) -> int:
    """The largest size that ``within_exposure`` allows on one side, in base units."""
    taken = _side_oi(exposure, pair, collateral, price_e10, long=long)
    most = collateral.from_e10(exposure.before_v10.max_e10) - taken
    group = exposure.group
    if group.max_e10:
        left = group.max_e10 - (group.long_e10 if long else group.short_e10)
        most = min(most, ((left + 1) * collateral.precision - 1) // E10)
    if exposure.max_skew_e10:
        skew = _skew_e10(pair, price_e10)
        left = exposure.max_skew_e10 - (skew if long else -skew)
        most = min(most, ((left + 1) * E8 - 1) // collateral.precision_delta)
    return max(most, 0)


def counter_trade(
    size: int, pair: PairState, collateral: Collateral, price_e10: int, *, long: bool
) -> CounterTrade:
    """Whether a counter trade lowers the skew, and what of it is too much.

    Source: TradingCommonUtils.validateCounterTrade, v10.2.
    """
    skew = truncated(_skew_e10(pair, price_e10) * E8, collateral.precision_delta)
    if skew == 0 or (skew > 0) is long:
        return CounterTrade(valid=False, excess=0)
    return CounterTrade(valid=True, excess=max(size - abs(skew), 0))


def opened_counter_trade(
    trade: Trade, pair: PairState, fees: FeeTerms, collateral: Collateral, price_e10: int
) -> tuple[bool, int]:
    """(valid, collateral to return) of a counter trade that opens: what exceeds the skew goes back,
    and what is left has to be enough for a new trade.

    Source: TradingCallbacksUtils._validateCounterTrade, v10.2.
    """
    size = position_size(trade.collateral, trade.leverage_e3)
    valid, excess = counter_trade(size, pair, collateral, price_e10, long=trade.long)
    if not valid:
        return False, 0
    returned = rounded_up(excess, E3, trade.leverage_e3)
    return trade.collateral - returned >= min_opening_collateral(fees, collateral), returned
