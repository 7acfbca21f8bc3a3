"""Numbers of the venue's own library as integers of the contracts, and results in its units."""

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from connectors.gains.economics.scales import (
    E18,
    Collateral,
)

Leaf = Fraction | str | bool | None
Results = dict[str, Leaf]

FINE: Final = 10**12

P: Final = 10**10
E10: Final = 10**10


def scaled(value: Any, scale: int) -> int:
    """A JSON number in units of 1 / scale, to the nearest."""
    return round(Fraction(Decimal(repr(value))) * scale)


def amount(value: Any) -> int:
    return scaled(value, E18)


def price(value: Any) -> int:
    return scaled(value, E10)


def e3(value: Any) -> int:
    return scaled(value, 1_000)


def coins(price_usd: Any = 1) -> Collateral:
    """Collateral of 18 decimals, so that amounts are as fine as they can be."""
    return Collateral(18, scaled(price_usd, 10**8))
