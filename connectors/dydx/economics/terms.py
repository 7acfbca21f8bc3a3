"""The parameters of a market in the chain's own integers, and the conversions to and from them.

Base amounts are counted in base quantums (10^A of a base unit), money in quote quantums (``_e6``:
millionths of a USDC), prices of orders in subticks, fractions in ppm.
Source: dydxprotocol/v4-chain ``protocol/lib/quantums.go``, ``x/clob/types/quantums.go``.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from domain import exact
from domain.errors import InputError
from domain.exact import Rounding
from domain.units import parse_decimal, power10

PPM: Final = 1_000_000
QUOTE_DECIMALS: Final = 6
ORACLE_DECIMALS: Final = 10
"""The indexer drops trailing zeros of oracle prices, so their grid is not known from them; prices
are counted at least this fine, which every real price is a multiple of."""


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What governance set for a market. ``maintenance_fraction_ppm``: of the initial margin.

    ``oi_lower_cap_e6``, ``oi_upper_cap_e6``: open notional between which the initial margin grows
    to the whole notional; an upper cap of 0 switches that off.
    """

    atomic_resolution: int
    quantum_conversion_exponent: int
    step_base_quantums: int
    subticks_per_tick: int
    initial_margin_ppm: int
    maintenance_fraction_ppm: int
    oi_lower_cap_e6: int = 0
    oi_upper_cap_e6: int = 0
    isolated: bool = False
    default_funding_1h: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OracleValue:
    """A price as the chain keeps it: ``value`` x 10^``exponent`` of quote currency."""

    value: int
    exponent: int

    @property
    def price(self) -> Decimal:
        return Decimal(f"{self.value}E{self.exponent}")


def terms_of(row: dict[str, Any]) -> MarketTerms:
    """A row of ``/v4/perpetualMarkets`` or of the v4_markets snapshot with later changes merged.

    Rounding: the maintenance fraction is not on the wire and comes from dividing the two margins,
    up. Raises InputError ``BAD_TERMS`` or ``BAD_DECIMAL``, KeyError and TypeError on other shapes.
    """
    initial = _ppm(row["initialMarginFraction"])
    maintenance = exact.fraction(row["maintenanceMarginFraction"]) * PPM
    if not 0 < initial <= PPM or not 0 <= maintenance <= initial:
        raise InputError("BAD_TERMS", f"margins {initial} and {maintenance} ppm")
    fraction = exact.ceil_div((maintenance * PPM).numerator, maintenance.denominator * initial)
    lower, upper = (
        int(exact.fraction(row.get(name) or "0") * 10**QUOTE_DECIMALS)
        for name in ("openInterestLowerCap", "openInterestUpperCap")
    )
    if not 0 <= lower <= upper:
        raise InputError("BAD_TERMS", f"open interest caps {lower} and {upper}")
    terms = MarketTerms(
        int(row["atomicResolution"]),
        int(row["quantumConversionExponent"]),
        int(row["stepBaseQuantums"]),
        int(row["subticksPerTick"]),
        initial,
        fraction,
        lower,
        upper,
        row.get("marketType") == "ISOLATED",
        Decimal(row.get("defaultFundingRate1H") or "0"),
    )
    if terms.step_base_quantums < 1 or terms.subticks_per_tick < 1:
        raise InputError("BAD_TERMS", "a step and a tick must be positive")
    return terms


def _ppm(text: str) -> int:
    value = exact.fraction(text) * PPM
    if value.denominator != 1:
        raise InputError("BAD_TERMS", f"{text!s:.40} is no whole number of ppm")
    return value.numerator


def oracle_value(text: str) -> OracleValue:
    """The decimal string of the indexer, exact. Raises InputError ``BAD_DECIMAL``."""
    digits, decimals = parse_decimal(text)
    finer = max(0, ORACLE_DECIMALS - decimals)
    return OracleValue(digits * power10(finer), -decimals - finer)


def quantums_of(size_base: Decimal, terms: MarketTerms, rounding: Rounding | None = None) -> int:
    """A size as base quantums, a multiple of the step.

    Raises InputError ``OFF_GRID`` where it is none and no rounding is named.
    """
    steps = exact.fraction(size_base) / _power(terms.atomic_resolution) / terms.step_base_quantums
    return _whole(steps, rounding) * terms.step_base_quantums


def subticks_of(price: Decimal, terms: MarketTerms, rounding: Rounding | None = None) -> int:
    """A price as subticks, a multiple of the tick; round up for sells and down for buys to stay
    within a limit. Raises InputError ``OFF_GRID`` where it is none and no rounding is named."""
    ticks = exact.fraction(price) / _subtick(terms) / terms.subticks_per_tick
    return _whole(ticks, rounding) * terms.subticks_per_tick


def size_of(quantums: int, terms: MarketTerms) -> Decimal:
    """Base quantums as a size; exact."""
    return Decimal(f"{quantums}E{terms.atomic_resolution}")


def price_of(subticks: int, terms: MarketTerms) -> Decimal:
    """Subticks as a price; exact."""
    exponent = terms.quantum_conversion_exponent - QUOTE_DECIMALS - terms.atomic_resolution
    return Decimal(f"{subticks}E{exponent}")


def fill_e6(quantums: int, subticks: int, terms: MarketTerms) -> int:
    """What a fill moves, in quote quantums, rounded down.

    Source: ``x/clob/types/quantums.go`` FillAmountToQuoteQuantums.
    """
    value = quantums * subticks * _power(terms.quantum_conversion_exponent)
    return value.numerator // value.denominator


def notional_e6(quantums: int, oracle: OracleValue, terms: MarketTerms) -> int:
    """Signed value of a position in quote quantums, rounded toward zero.

    Source: ``protocol/lib/quantums.go`` BaseToQuoteQuantums.
    """
    exponent = oracle.exponent + terms.atomic_resolution + QUOTE_DECIMALS
    value = quantums * oracle.value
    if exponent >= 0:
        return value * int(10**exponent)
    return exact.trunc_div(value, 10**-exponent)


def _power(exponent: int) -> Fraction:
    return Fraction(10) ** exponent


def _subtick(terms: MarketTerms) -> Fraction:
    return _power(terms.quantum_conversion_exponent - QUOTE_DECIMALS - terms.atomic_resolution)


def _whole(value: Fraction, rounding: Rounding | None) -> int:
    if rounding is None and value.denominator != 1:
        raise InputError("OFF_GRID", "no multiple of the increment")
    divide = exact.ceil_div if rounding == "up" else exact.floor_div
    return divide(value.numerator, value.denominator)
