"""What a trade costs at a pool: the parts, and the best pool.

Two forms. ``PricedPool`` is exact (Decimal) and may decide money. Everything that takes arrays is
float64: it ranks, and whatever it chooses is priced again in the exact form.

The notional is what is paid or received at the fill price, so that a buyer of 1000 USD at a worse
price holds less and a seller of 1000 USD gave more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain import exact
from domain.errors import InputError
from domain.ids import VenueId
from domain.units import BPS

OrderSide: TypeAlias = Literal["BUY", "SELL"]
Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.object_]
"""Strings, None where there is nothing to say."""

USD_DECIMALS: Final = 18
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedPool:
    """A trade of one size at one pool.

    Units: ``price`` quote currency per base unit, the average of the fill without the fee;
    ``fee_bps`` of the notional; ``spread_bps`` (half the width of the touch) and ``impact_bps``
    (average of the fill against the touch) of the middle of the touch, so that together they are
    the distance of ``price`` from it. Negative fees and impacts are rebates. ``gas_usd`` and
    ``execution_fee_usd`` do not grow with the size and stand apart; None where they are not known,
    and then nothing here counts them.
    """

    venue: VenueId
    pool: str | None
    side: OrderSide
    notional_usd: Decimal
    price: Decimal
    fee_bps: Decimal
    spread_bps: Decimal
    impact_bps: Decimal
    gas_usd: Decimal | None = None
    execution_fee_usd: Decimal | None = None

    @property
    def all_in_bps(self) -> Decimal:
        """Fee, half spread and impact; exact."""
        return exact.added(self.fee_bps, self.spread_bps, self.impact_bps)

    @property
    def fixed_usd(self) -> Decimal:
        """What is known of gas and execution fee; exact."""
        return exact.added(self.gas_usd or _ZERO, self.execution_fee_usd or _ZERO)

    @property
    def all_in_price(self) -> Decimal:
        """What a base unit costs (BUY) or brings (SELL) with the fee; exact."""
        fee = self.fee_bps if self.side == "BUY" else self.fee_bps.copy_negate()
        return exact.multiplied(self.price, exact.added(Decimal(BPS), fee), Decimal("0.0001"))

    def variable_usd(self, reference_price: Decimal) -> Decimal:
        """What the trade costs against trading all at ``reference_price`` for nothing.

        Rounding: up, after 18 decimals. Raises InputError ``BAD_PRICE``.
        """
        reference = exact.fraction(reference_price)
        if reference <= 0:
            raise InputError("BAD_PRICE", "a reference price must be positive")
        return exact.decimal(self._variable(reference), USD_DECIMALS, "up")

    def cost_usd(self, reference_price: Decimal) -> Decimal:
        """``variable_usd`` with gas and execution fee."""
        return exact.added(self.variable_usd(reference_price), self.fixed_usd)

    def _variable(self, reference: Fraction) -> Fraction:
        lost = 1 - reference / Fraction(self.price)
        if self.side == "SELL":
            lost = -lost
        return Fraction(self.notional_usd) * (lost + Fraction(self.fee_bps) / BPS)

    def per_base(self) -> Fraction:
        """What a base unit costs (BUY) or brings (SELL) with everything; exact."""
        share = Fraction(self.fee_bps) / BPS + Fraction(self.fixed_usd) / Fraction(
            self.notional_usd
        )
        return Fraction(self.price) * (1 + share if self.side == "BUY" else 1 - share)


@dataclass(frozen=True, slots=True)
class UnpricedPool:
    """A pool that cannot be priced at this size. ``reason``: a code, e.g. ``DEPTH``."""

    venue: VenueId
    pool: str | None
    side: OrderSide
    notional_usd: Decimal
    reason: str


PoolCost: TypeAlias = PricedPool | UnpricedPool


def best_pool(pools: Iterable[PoolCost]) -> PricedPool | None:
    """The pool with the best price per base unit, all that is known included; the first of equals.

    Shape: pools of one side and one notional. None when none is priced.
    Raises InputError ``MIXED_TRADES`` when sides or notionals differ.
    """
    listed = list(pools)
    if len({(pool.side, pool.notional_usd) for pool in listed}) > 1:
        raise InputError("MIXED_TRADES", "pools are compared for one side and one size")
    priced = [pool for pool in listed if isinstance(pool, PricedPool)]
    if not priced:
        return None
    if priced[0].side == "BUY":
        return min(priced, key=PricedPool.per_base)
    return max(priced, key=PricedPool.per_base)


def all_in_bps_array(fee_bps: Floats, spread_bps: Floats, impact_bps: Floats) -> Floats:
    """``PricedPool.all_in_bps`` in float64, for ranking. Shape: any that broadcast."""
    return fee_bps + spread_bps + impact_bps


def all_in_price_array(side: OrderSide, price: Floats, fee_bps: Floats) -> Floats:
    """``PricedPool.all_in_price`` in float64, for ranking. Shape: any that broadcast."""
    return price * (1 + (fee_bps if side == "BUY" else -fee_bps) / BPS)


def variable_usd_array(
    side: OrderSide,
    notional_usd: Floats,
    price: Floats,
    fee_bps: Floats,
    reference_price: Floats | float,
) -> Floats:
    """``PricedPool.variable_usd`` in float64, for ranking. Shape: any that broadcast.

    Near the reference price its error is 1e-15 of the notional, not of the cost.
    """
    lost = (price - reference_price) / price
    return notional_usd * ((lost if side == "BUY" else -lost) + fee_bps / BPS)
