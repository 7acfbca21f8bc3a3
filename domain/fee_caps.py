"""How much a transaction may offer for its gas."""

from collections.abc import Mapping
from typing import Final

GWEI: Final = 10**9

FEE_CAPS_WEI: Final[Mapping[int, int]] = {
    42161: 10 * GWEI,
    421614: 10 * GWEI,
    137: 2_000 * GWEI,
    8453: 10 * GWEI,
}
"""``max_fee_per_gas`` by chain, never exceeded."""
