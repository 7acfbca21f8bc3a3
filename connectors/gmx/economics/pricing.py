"""GMX for whoever prices trades: see ``connectors.base.economics``.

A position's size in USD is what it is worth at the price it is filled at: its tokens are the size
over the execution price. So the size that is asked for is the notional, for longs and for shorts.
The impact has its share in the fill although the contracts settle it when the position is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from connectors.base.economics import Durable, LadderArrays
from connectors.gmx.constants import VENUE
from connectors.gmx.economics import codec, opened
from connectors.gmx.economics.fixed import FACTOR_ONE
from connectors.gmx.economics.ladder import (
    BELOW_MIN,
    DEPTH,
    IMPACT,
    ladder,
    pool_row,
    price_row,
)
from connectors.gmx.economics.model import MarketPrices, OpeningConfig, OpeningState
from connectors.gmx.economics.opened import Posted
from connectors.gmx.economics.quote import Unquotable, all_in
from domain import exact
from domain.costs import Floats, OrderSide, PoolCost, PricedPool, UnpricedPool
from domain.errors import InputError
from domain.units import BPS

BPS_DECIMALS: Final = 18
_PRICE_DECIMALS: Final = 30
_UNREADABLE: Final = (
    InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError,
)  # fmt: skip
_REASONS: Final = {
    "MinPositionSize": BELOW_MIN,
    "MaxOpenInterestExceeded": DEPTH,
    "InsufficientReserve": DEPTH,
    "InsufficientReserveForOpenInterest": DEPTH,
    "PriceImpactLargerThanOrderSize": IMPACT,
    "EmptySizeDeltaInTokens": IMPACT,
}


@dataclass(frozen=True, slots=True)
class PoolTerms(Durable):
    """What a pool says of itself. ``decimals``: of its index token. ``posted``: None where its
    tokens are unknown. ``row``: what ladders read, as floats."""

    decimals: int
    config: OpeningConfig
    state: OpeningState
    posted: Posted | None = None
    row: Floats = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", pool_row(self.config, self.state, self.decimals))


class Fixed(NamedTuple):
    """What an order costs whatever its size; None where it is not known. ``execution_fee_usd`` is
    the smallest that the contracts take; what the keeper does not use of a fee comes back."""

    gas_usd: Decimal | None
    execution_fee_usd: Decimal | None


NO_FIXED: Final = Fixed(None, None)


@dataclass(frozen=True, slots=True)
class GmxInputs:
    """One pool at one moment."""

    terms: PoolTerms
    prices: MarketPrices
    fixed: Fixed = NO_FIXED
    price_row: tuple[float, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "price_row", price_row(self.prices))


class GmxEconomics:
    """See ``connectors.base.economics.Economics``. Reasons: ``BELOW_MIN`` (of a position),
    ``DEPTH`` (the pool has not so much left), ``IMPACT`` (it would be all of the size)."""

    def encode(self, inputs: GmxInputs) -> Any:
        terms = inputs.terms
        return {
            "decimals": terms.decimals,
            **codec.encoded(terms.config, terms.state, inputs.prices),
            "posted": opened.encoded(terms.posted),
            **{
                name: None if usd is None else str(usd)
                for name, usd in inputs.fixed._asdict().items()
            },
        }

    def decode(self, row: Any) -> GmxInputs:
        try:
            decimals = row["decimals"]
            if type(decimals) is not int or not 0 <= decimals <= _PRICE_DECIMALS:
                raise InputError("BAD_VALUE", f"decimals {decimals!r:.60}")
            posted = opened.decoded(row["posted"])
            terms = PoolTerms(decimals, codec.config(row), codec.state(row), posted)
            fixed = Fixed(*(_usd(row[name]) for name in Fixed._fields))
            return GmxInputs(terms, codec.prices(row), fixed)
        except _UNREADABLE as error:
            raise InputError("BAD_DEPTH", f"GMX: {error!r:.200}") from None

    def price(
        self, pool: str | None, inputs: GmxInputs, side: OrderSide, notional_usd: Decimal
    ) -> PoolCost:
        """Rounding: bps up after 18 decimals; the price is the contract's own integer.
        Raises InputError ``BAD_SIZE`` unless the notional is positive."""
        size = exact.fraction(notional_usd) * FACTOR_ONE
        if size <= 0:
            raise InputError("BAD_SIZE", "a notional must be positive")
        terms, index = inputs.terms, inputs.prices.index
        is_long = side == "BUY"
        # Less than the contracts tell apart is left out.
        size_usd = size.numerator // size.denominator
        found = all_in(terms.config, terms.state, inputs.prices, is_long, size_usd)
        if isinstance(found, Unquotable):
            return UnpricedPool(VENUE, pool, side, notional_usd, _REASONS[found.reason])
        # Twice the middle of the oracle's prices, and their width.
        middle2 = index.min_usd_e30 + index.max_usd_e30
        width = index.max_usd_e30 - index.min_usd_e30
        worse = found.price_usd_e30 - found.oracle_usd_e30
        return PricedPool(
            VENUE,
            pool,
            side,
            notional_usd,
            Decimal(f"{found.price_usd_e30}E{terms.decimals - _PRICE_DECIMALS}"),
            _bps(Fraction(found.fee_usd_e30, size_usd)),
            _bps(Fraction(width, middle2)),
            _bps(Fraction(2 * (worse if is_long else -worse), middle2)),
            *inputs.fixed,
        )

    def ladder(self, inputs: Sequence[GmxInputs], notional_usd: Floats) -> LadderArrays:
        return ladder(
            [item.terms.row for item in inputs],
            [item.price_row for item in inputs],
            notional_usd,
        )


def _bps(fraction: Fraction) -> Decimal:
    return exact.decimal(fraction * BPS, BPS_DECIMALS, "up")


def _usd(text: Any) -> Decimal | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise InputError("BAD_VALUE", f"no amount: {text!r:.60}")
    exact.fraction(text)
    return Decimal(text)


ECONOMICS: Final = GmxEconomics()
