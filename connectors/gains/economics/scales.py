"""Integer steps and scales that all formulas share."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from connectors.gains.constants import PERCENT, PRICE_MAX_E10
from domain.errors import InputError
from domain.units import E18, power10

E3: Final = 10**3
E8: Final = 10**8
E10: Final = 10**10

WHOLE_P: Final = 100 * PERCENT
"""100 %."""

SLIPPAGE_WHOLE: Final = 100 * E3
"""100 % of slippages and fee shares, which are e3 percent."""


class ContractRefusal(InputError):
    """The contract reverts. ``code`` is the name of its error, such as ``BelowMin``."""


def truncated(numerator: int, denominator: int) -> int:
    """Quotient toward zero; ``denominator`` is positive."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def rounded_up(value: int, numerator: int, denominator: int) -> int:
    """``value * numerator / denominator`` rounded up; nothing is negative."""
    return -(-value * numerator // denominator)


def position_size(collateral: int, leverage_e3: int) -> int:
    """Size in base units of the collateral.

    Source: TradingCommonUtils.getPositionSizeCollateral, v10.2.
    """
    return collateral * leverage_e3 // E3


@dataclass(frozen=True)
class Collateral:
    """A collateral token of one chain and its price."""

    decimals: int
    price_usd_e8: int

    @cached_property
    def precision(self) -> int:
        return power10(self.decimals)

    @cached_property
    def precision_delta(self) -> int:
        return power10(18 - self.decimals)

    def usd_e18(self, amount: int) -> int:
        """Source: PriceAggregatorUtils.getUsdNormalizedValue, v10.2."""
        return amount * self.precision_delta * self.price_usd_e8 // E8

    def from_usd_e18(self, usd_e18: int) -> int:
        """Source: PriceAggregatorUtils.getCollateralFromUsdNormalizedValue, v10.2."""
        return usd_e18 * E8 // self.price_usd_e8 // self.precision_delta

    def from_e10(self, amount_e10: int) -> int:
        """Whole tokens in e10, as open interest and its limits are kept, to base units."""
        return amount_e10 * self.precision // E10

    def from_tokens(self, token_e18: int, price_e10: int) -> int:
        """Pair tokens at a price. For collateral that is no dollar these are no real pair tokens:
        the contract divides size by price without the collateral's own price, and so back."""
        return token_e18 * price_e10 // E10 // self.precision_delta

    def tokens_e18(self, amount: int, price_e10: int) -> int:
        """The way there; see ``from_tokens``."""
        return amount * self.precision_delta * E10 // price_e10


def fill_e10(oracle_e10: int, impact_p: int) -> int | None:
    """The price after impact; None where the contract refuses because nothing is left of it.

    The contract divides by 1e10, then by 100, each time toward zero: once by both is the same.
    """
    filled = oracle_e10 + truncated(oracle_e10 * impact_p, WHOLE_P)
    return filled if filled > 0 else None


def price_after_impact_e10(oracle_e10: int, impact_p: int) -> int:
    """``fill_e10`` that raises.

    Units: price e10, impact 1e-10 percent. Raises ContractRefusal ``BelowMin`` when nothing of the
    price is left and ``AboveMax`` when it exceeds what storage holds.
    Source: TradingCommonUtils.getPriceAfterImpact, v10.2.
    """
    filled = fill_e10(oracle_e10, impact_p)
    if filled is None:
        raise ContractRefusal("BelowMin", "the price after impact is not positive")
    if filled > PRICE_MAX_E10:
        raise ContractRefusal("AboveMax", "the price after impact does not fit into storage")
    return filled


__all__ = [
    "E3",
    "E8",
    "E10",
    "E18",
    "SLIPPAGE_WHOLE",
    "WHOLE_P",
    "Collateral",
    "ContractRefusal",
    "fill_e10",
    "position_size",
    "price_after_impact_e10",
    "rounded_up",
    "truncated",
]
