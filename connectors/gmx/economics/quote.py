"""What opening a position of a size costs all in, exactly as the contracts compute it.

``bps_e6`` are millionths of a basis point, positive = worse, rounded against the trader.
"""

from dataclasses import dataclass
from typing import Final

from connectors.gmx.economics.capacity import capacity
from connectors.gmx.economics.execution import increase, oracle_price
from connectors.gmx.economics.fees import NO_TERMS, Terms, position_fee_usd
from connectors.gmx.economics.fixed import apply_factor, div_up
from connectors.gmx.economics.model import MarketPrices, OpeningConfig, OpeningState
from connectors.gmx.economics.refusal import Refused

_BPS_E6: Final = 10_000 * 10**6


@dataclass(frozen=True, slots=True)
class AllIn:
    """``price_usd_e30`` is what the keeper compares with the acceptable price; ``oracle_usd_e30``
    is its side of the oracle. ``spread_bps_e6`` is the whole width, of which ``all_in_bps_e6`` has
    half: fee + impact + half the spread, without gas and carry."""

    price_usd_e30: int
    oracle_usd_e30: int
    fee_usd_e30: int
    fee_bps_e6: int
    spread_bps_e6: int
    impact_bps_e6: int
    all_in_bps_e6: int
    balance_improved: bool
    available_usd_e30: int


@dataclass(frozen=True, slots=True)
class Unquotable:
    """``reason``: the name of the contracts' error that such an order would end with."""

    reason: str
    available_usd_e30: int


def all_in(
    config: OpeningConfig,
    state: OpeningState,
    prices: MarketPrices,
    is_long: bool,
    size_usd_e30: int,
    terms: Terms = NO_TERMS,
) -> AllIn | Unquotable:
    """Price and costs of opening a position of a size, or why the pool would not take it.

    Shape: scalar; size > 0. Units: USD e30, bps e6.
    Source: execution.increase, fees.position_fees, capacity.capacity.
    """
    room = capacity(config, state, prices, is_long)
    available = room.available_usd_e30
    if size_usd_e30 < max(config.min_position_size_usd_e30, 1):
        return Unquotable("MinPositionSize", available)
    for name, left in (
        ("MaxOpenInterestExceeded", room.interest_left_usd_e30),
        ("InsufficientReserve", room.reserve_left_usd_e30),
        ("InsufficientReserveForOpenInterest", room.interest_reserve_left_usd_e30),
    ):
        if size_usd_e30 > left:
            return Unquotable(name, available)
    try:
        execution = increase(config, state, prices.index, is_long, size_usd_e30)
    except Refused as error:
        return Unquotable(error.refusal.name, available)
    oracle = oracle_price(prices.index, is_long, True)
    worse = execution.price_usd_e30 - oracle if is_long else oracle - execution.price_usd_e30
    fee_usd = _fee_usd(config, size_usd_e30, execution.balance_improved, terms)
    fee = div_up(fee_usd * _BPS_E6, size_usd_e30)
    impact = div_up(worse * _BPS_E6, oracle)
    spread = _spread_bps_e6(prices)
    return AllIn(
        price_usd_e30=execution.price_usd_e30,
        oracle_usd_e30=oracle,
        fee_usd_e30=fee_usd,
        fee_bps_e6=fee,
        spread_bps_e6=spread,
        impact_bps_e6=impact,
        all_in_bps_e6=fee + impact + div_up(spread, 2),
        balance_improved=execution.balance_improved,
        available_usd_e30=available,
    )


def _spread_bps_e6(prices: MarketPrices) -> int:
    index = prices.index
    return div_up((index.max_usd_e30 - index.min_usd_e30) * _BPS_E6, index.mid_usd_e30)


def _fee_usd(config: OpeningConfig, size_usd: int, improved: bool, terms: Terms) -> int:
    """After the larger discount, with the UI fee."""
    fee = position_fee_usd(config, size_usd, improved)
    discount = max(terms.referral_discount_factor_e30, terms.pro_discount_factor_e30)
    return fee - apply_factor(fee, discount) + apply_factor(size_usd, terms.ui_fee_factor_e30)
