"""The exact price of a market order on a book."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from connectors.dydx.constants import VENUE
from connectors.dydx.economics.fees import FEE_TIERS, fee_bps
from connectors.dydx.economics.walk import Fill, walk_notional, walk_size
from domain import exact
from domain.costs import OrderSide, PoolCost, PricedPool, UnpricedPool
from domain.market import Market
from domain.units import BPS, E18

PRICE_DECIMALS: Final = 18
BPS_DECIMALS: Final = 18

Levels = Iterable[tuple[int, int]]

TAKER_PPM: Final = FEE_TIERS[0].taker_ppm
_NOTHING: Final = Decimal(0)


class Scale(NamedTuple):
    """The units of a book. ``tick_e18``: of the quote currency; ``step_e18``: of a base unit."""

    tick_e18: int
    step_e18: int

    @property
    def value(self) -> Fraction:
        """USD of one tick x step."""
        return Fraction(self.tick_e18 * self.step_e18, E18 * E18)


def scale_of(market: Market) -> Scale:
    return Scale(market.tick.unit_e18, market.step.unit_e18)


def price_trade(
    scale: Scale,
    side: OrderSide,
    notional_usd: Decimal,
    bids: Levels,
    asks: Levels,
    taker_ppm: int = TAKER_PPM,
) -> PoolCost:
    """What a taker of ``notional_usd`` fills at.

    Shape: levels as ``Book.levels`` gives them. Units: see ``PricedPool``; the parts in bps are of
    the middle of the touch. Rounding: to the taker's disadvantage after 18 decimals. Reasons:
    ``NO_BOOK`` (a side is empty, so there is no touch), ``BELOW_STEP`` (less than the smallest
    order), ``DEPTH`` (the known levels end before the size).
    Raises InputError ``BAD_SIZE`` unless the notional is positive.
    """
    known_bids, known_asks = list(bids), list(asks)
    levels = known_asks if side == "BUY" else known_bids
    fill = walk_notional(levels, exact.fraction(notional_usd) / scale.value)
    return _priced(scale, side, notional_usd, fill, known_bids, known_asks, taker_ppm)


def price_size(
    market: Market,
    side: OrderSide,
    size_base: str,
    bids: Levels,
    asks: Levels,
    taker_ppm: int = TAKER_PPM,
) -> PoolCost:
    """What a taker of ``size_base`` (a decimal string) fills at; otherwise as ``price_trade``.

    ``notional_usd`` is what the fill is worth, exactly; of a pool that is not priced, what the
    known levels gave. Raises InputError ``OFF_GRID`` for a size that is no multiple of the step,
    ``BAD_DECIMAL`` for no number, ``BAD_SIZE`` unless it is positive.
    """
    known_bids, known_asks = list(bids), list(asks)
    levels = known_asks if side == "BUY" else known_bids
    fill = walk_size(levels, market.step.parse(size_base))
    scale = scale_of(market)
    notional = exact.decimal(fill.notional * scale.value, 2 * PRICE_DECIMALS, "up")
    return _priced(scale, side, notional, fill, known_bids, known_asks, taker_ppm)


def _priced(
    scale: Scale,
    side: OrderSide,
    notional_usd: Decimal,
    fill: Fill,
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    taker_ppm: int,
) -> PoolCost:
    reason = None
    if not bids or not asks:
        reason = "NO_BOOK"
    elif fill.exhausted:
        reason = "DEPTH"
    elif fill.steps < 1:
        reason = "BELOW_STEP"
    if reason is not None:
        return UnpricedPool(VENUE, None, side, notional_usd, reason)
    # Twice the middle of the touch, and its whole width.
    middle2, width = asks[0][0] + bids[0][0], asks[0][0] - bids[0][0]
    price = fill.notional / fill.steps * Fraction(scale.tick_e18, E18)
    return PricedPool(
        VENUE,
        None,
        side,
        notional_usd,
        exact.decimal(price, PRICE_DECIMALS, "up" if side == "BUY" else "down"),
        fee_bps(taker_ppm),
        exact.decimal(Fraction(width * BPS, middle2), BPS_DECIMALS, "up"),
        exact.decimal(fill.excess / fill.steps * (2 * BPS) / middle2, BPS_DECIMALS, "up"),
        # Orders are no transactions that pay for gas, and nobody is paid to execute them.
        _NOTHING,
        _NOTHING,
    )
