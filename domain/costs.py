"""What a trade costs at a pool: the parts, the best pool, the best split over several.

Two forms. ``PricedPool`` is exact (Decimal) and may decide money. ``CostCurve`` and everything that
takes arrays is float64: it ranks, and whatever it chooses is priced again in the exact form.

The notional is what is paid or received at the fill price, so that a buyer of 1000 USD at a worse
price holds less and a seller of 1000 USD gave more.
"""

from collections.abc import Iterable, Sequence
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

MAX_LEGS: Final = 3
USD_DECIMALS: Final = 18
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedPool:
    """A trade of one size at one pool.

    Units: ``price`` quote currency per base unit, the average of the fill without the fee;
    ``fee_bps`` of the notional; ``spread_bps`` (half the width of the touch) and ``impact_bps``
    (average of the fill against the touch) of the middle of the touch, so that together they are
    the distance of ``price`` from it. Negative fees and impacts are rebates. ``gas_usd`` and
    ``execution_fee_usd`` do not grow with the size and stand apart.
    """

    venue: VenueId
    pool: str | None
    side: OrderSide
    notional_usd: Decimal
    price: Decimal
    fee_bps: Decimal
    spread_bps: Decimal
    impact_bps: Decimal
    gas_usd: Decimal = _ZERO
    execution_fee_usd: Decimal = _ZERO

    @property
    def all_in_bps(self) -> Decimal:
        """Fee, half spread and impact; exact."""
        return exact.added(self.fee_bps, self.spread_bps, self.impact_bps)

    @property
    def fixed_usd(self) -> Decimal:
        """Gas and execution fee; exact."""
        return exact.added(self.gas_usd, self.execution_fee_usd)

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
    """The pool with the best price per base unit, everything included; the first of equals.

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
    side: OrderSide, notional_usd: Floats, price: Floats, fee_bps: Floats, reference_price: float
) -> Floats:
    """``PricedPool.variable_usd`` in float64, for ranking. Shape: any that broadcast.

    Near the reference price its error is 1e-15 of the notional, not of the cost.
    """
    lost = (price - reference_price) / price
    return notional_usd * ((lost if side == "BUY" else -lost) + fee_bps / BPS)


@dataclass(frozen=True, slots=True, eq=False)
class CostCurve:
    """Cost of a pool by size, for one side, against one reference price that all curves share.

    Shape: ``notional_usd`` (n,) ascending and positive, ``cost_usd`` (n,) without the fixed part.
    ``fixed_usd``: paid once when the pool is used at all. Between the points the cost is taken as
    linear, which is not below the truth where costs grow faster than sizes; below the first point
    its cost in bps is kept; beyond the last it is unknown. Negative costs are rebates.
    Raises InputError ``BAD_CURVE``.
    """

    venue: VenueId
    pool: str | None
    notional_usd: Floats
    cost_usd: Floats
    fixed_usd: float = 0.0

    def __post_init__(self) -> None:
        sizes, costs = self.notional_usd, self.cost_usd
        if (
            sizes.ndim != 1
            or sizes.shape != costs.shape
            or not len(sizes)
            or not np.isfinite(sizes).all()
            or not np.isfinite(costs).all()
            or not np.isfinite(self.fixed_usd)
            or sizes[0] <= 0
            or (np.diff(sizes) <= 0).any()
        ):
            raise InputError("BAD_CURVE", "a curve needs ascending sizes and a cost for each")

    @property
    def max_notional_usd(self) -> float:
        return float(self.notional_usd[-1])

    def cost_at(self, notional_usd: Floats) -> Floats:
        """Cost with the fixed part; 0 for nothing, infinite where unknown. Shape: as given."""
        sizes = np.concatenate(([0.0], self.notional_usd))
        costs = np.concatenate(([0.0], self.cost_usd))
        known = (notional_usd >= 0) & (notional_usd <= sizes[-1])
        cost = np.interp(notional_usd, sizes, costs) + np.where(
            notional_usd > 0, self.fixed_usd, 0.0
        )
        return np.where(known, cost, np.inf)


def curve_of(priced: Sequence[PricedPool], reference_price: Decimal) -> CostCurve:
    """The curve through exact prices of one pool and side at ascending sizes.

    Raises InputError ``BAD_CURVE`` when there are none, or they are not of one pool and side.
    """
    if len({(item.venue, item.pool, item.side, item.fixed_usd) for item in priced}) != 1:
        raise InputError("BAD_CURVE", "a curve is of one pool and side, with one fixed cost")
    first = priced[0]
    return CostCurve(
        first.venue,
        first.pool,
        np.array([float(item.notional_usd) for item in priced]),
        np.array([float(item.variable_usd(reference_price)) for item in priced]),
        float(first.fixed_usd),
    )


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a split. ``share``: of the whole notional, in parts of ``Split.parts``."""

    venue: VenueId
    pool: str | None
    share: int
    notional_usd: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Split:
    """Legs in the order of the curves, and what they cost together."""

    legs: tuple[Leg, ...]
    parts: int
    cost_usd: float


def best_single(curves: Sequence[CostCurve], notional_usd: float) -> Split | None:
    """The cheapest pool for all of it; the first of equals, None when no curve reaches so far."""
    return best_split(curves, notional_usd, max_legs=1)


def best_split(
    curves: Sequence[CostCurve], notional_usd: float, *, max_legs: int = MAX_LEGS, parts: int = 20
) -> Split | None:
    """The cheapest way to deal a size out over at most ``max_legs`` pools.

    Exact on the grid of ``parts`` equal shares, so never dearer than the best single pool, whatever
    the curves look like. The fewest legs among equals. None when the pools together do not reach.
    Raises InputError ``BAD_SPLIT`` for a size that is not positive or counts that make no sense.
    """
    if not (0 < notional_usd < np.inf and 1 <= max_legs <= MAX_LEGS and 1 <= parts <= 1000):
        raise InputError("BAD_SPLIT", f"{notional_usd} USD in {parts} parts over {max_legs} legs")
    sizes = np.linspace(0.0, notional_usd, parts + 1)
    costs = [curve.cost_at(sizes) for curve in curves]
    # table[legs][parts]: the least cost of so many parts over exactly so many of the pools so far.
    table = np.full((max_legs + 1, parts + 1), np.inf)
    table[0][0] = 0.0
    taken = np.zeros((len(curves), max_legs + 1, parts + 1), dtype=np.int64)
    for place, cost in enumerate(costs):
        # Downwards, so that a pool is used once.
        for legs in range(max_legs, 0, -1):
            for total in range(parts, 0, -1):
                # Parts given to this pool: 1 to total.
                options = cost[1 : total + 1] + table[legs - 1][total - 1 :: -1]
                least = int(np.argmin(options))
                if options[least] < table[legs][total]:
                    table[legs][total] = options[least]
                    taken[place][legs][total] = least + 1
    used = int(np.argmin(table[:, parts]))
    if not np.isfinite(table[used][parts]):
        return None
    legs_found = _read_back(curves, costs, taken, sizes, used)
    return Split(legs_found, parts, float(table[used][parts]))


def _read_back(
    curves: Sequence[CostCurve],
    costs: Sequence[Floats],
    taken: NDArray[np.int64],
    sizes: Floats,
    legs: int,
) -> tuple[Leg, ...]:
    """Which shares the least cost was made of, from the last pool back to the first."""
    left = len(sizes) - 1
    found: list[Leg] = []
    for place in range(len(curves) - 1, -1, -1):
        share = int(taken[place][legs][left])
        if legs and share:
            curve = curves[place]
            found.append(
                Leg(curve.venue, curve.pool, share, float(sizes[share]), float(costs[place][share]))
            )
            legs -= 1
            left -= share
    found.reverse()
    return tuple(found)
