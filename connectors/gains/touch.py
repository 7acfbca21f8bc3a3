"""What a trade of nearly nothing fills at. Pure.

Prices are e10; ``_p`` are percentages in units of 1e-10 percent, positive moving the price up. The
parts of an impact are in ``economics``.
"""

from typing import NamedTuple

from connectors.gains.constants import PRICE_TO_E18
from connectors.gains.economics.scales import WHOLE_P, fill_e10, truncated

__all__ = ["PoolTerms", "fill_e10", "touch_e18", "truncated"]


class PoolTerms(NamedTuple):
    """What a pool adds to the oracle price for a seller (bid) and a buyer (ask)."""

    bid_p: int
    ask_p: int


def touch_e18(oracle_e10: int, terms: PoolTerms) -> tuple[int | None, int | None]:
    """Both fills as (bid, ask) in e18: ``fill_e10`` written out, since every print of a pair makes
    two for every pool."""
    down, up = oracle_e10 * terms[0], oracle_e10 * terms[1]
    bid = oracle_e10 + (down // WHOLE_P if down >= 0 else -(-down // WHOLE_P))
    ask = oracle_e10 + (up // WHOLE_P if up >= 0 else -(-up // WHOLE_P))
    return bid * PRICE_TO_E18 if bid > 0 else None, ask * PRICE_TO_E18 if ask > 0 else None
