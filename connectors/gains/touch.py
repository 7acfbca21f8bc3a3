"""What a trade of nearly nothing fills at, in the integer steps of the contract. Pure.

Prices are e10; ``_p`` are percentages in units of 1e-10 percent, positive moving the price up; USD
and token amounts are e18. Divisions truncate toward zero, as the contract's do.
Source: gTrade v10.2 ``PriceImpactUtils`` and ``TradingCommonUtils``, run on a local EVM.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from connectors.gains.constants import FULL_BPS, PERCENT, PPM, PRICE_TO_E18
from domain.units import E18

_WORD: Final = 2**256
_WHOLE: Final = 100 * PERCENT


class Side(NamedTuple):
    """Depth on one side of the price. ``bands``: cumulative share of it in basis points."""

    depth_usd: int
    bands: tuple[int, ...]


class PoolTerms(NamedTuple):
    """What a pool adds to the oracle price for a seller (bid) and a buyer (ask)."""

    bid_p: int
    ask_p: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Length and count of the windows that a trade's size is remembered for; times in seconds."""

    start_s: int
    duration_s: int
    count: int

    def current(self, now_s: int) -> int:
        return (now_s - self.start_s) // self.duration_s

    def volume(self, sizes: Mapping[int, int], now_s: int) -> int:
        """Sum over the windows that count now, of sizes by window id."""
        last = self.current(now_s)
        return sum(size for window, size in sizes.items() if last - self.count < window <= last)


def truncated(numerator: int, denominator: int) -> int:
    """Quotient toward zero; ``denominator`` is positive."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


@lru_cache(maxsize=4096)
def decode_side(slot1: int, slot2: int) -> Side:
    """Two packed words: 32 bits of depth in USD, then 30 values of 16 bits. The mapping of bands to
    price offsets has the same layout with ppm as values and no depth."""
    if not 0 <= slot1 < _WORD or not 0 <= slot2 < _WORD:
        raise ValueError("a slot is a word of 256 bits")
    first = [slot1 >> 32 + 16 * place & 0xFFFF for place in range(14)]
    return Side(
        slot1 & 0xFFFFFFFF, (*first, *(slot2 >> 16 * place & 0xFFFF for place in range(16)))
    )


def fixed_spread_p(spread_p: int, *, up: bool) -> int:
    """Half of the pair's spread, to the trader's disadvantage."""
    half = spread_p // 2
    return half if up else -half


def average_offset_p(volume_usd: int, side: Side, offsets_ppm: tuple[int, ...]) -> int:
    """Mean price offset of a volume that walks the bands from the first on.

    A band that adds no depth only moves the offset; the one at 10000 bps takes all that remains.
    """
    if volume_usd <= 0:
        return 0
    depth = side.depth_usd * E18
    left, weighted, low, before = volume_usd, 0, 0, 0
    for share, ppm in zip(side.bands, offsets_ppm, strict=True):
        high = ppm * PPM
        if share > before:
            capacity = depth * (share - before) // FULL_BPS
            used = left if share == FULL_BPS else min(left, capacity)
            weighted += (low + truncated((high - low) * used // capacity, 2)) * used
            left -= used
            before = share
        low = high
        if not left:
            break
    return weighted // volume_usd


def volume_impact_p(
    volume_usd: int, size_usd: int, side: Side, offsets_ppm: tuple[int, ...], *, up: bool
) -> int:
    """Impact of a trade of ``size_usd`` after ``volume_usd`` in the windows of its side.

    With size 0 it is the standing part, which every trade of the side pays.
    """
    if not side.depth_usd:
        return 0
    standing = average_offset_p(volume_usd, side, offsets_ppm)
    after = average_offset_p(volume_usd + size_usd, side, offsets_ppm)
    impact = standing + truncated(after - standing, 2)
    return impact if up else -impact


def standing_skew_p(long_token: int, short_token: int, depth_token: int) -> int:
    """Half of the collateral's net open interest against its depth: the same for both sides."""
    if not depth_token:
        return 0
    return truncated((long_token - short_token) * PERCENT, 2 * depth_token)


def fill_e10(oracle_e10: int, impact_p: int) -> int | None:
    """The price after impact; None where the contract refuses because nothing is left of it.

    The contract divides by 1e10, then by 100, each time toward zero: once by both is the same.
    """
    filled = oracle_e10 + truncated(oracle_e10 * impact_p, _WHOLE)
    return filled if filled > 0 else None


def touch_e18(oracle_e10: int, terms: PoolTerms) -> tuple[int | None, int | None]:
    """Both fills as (bid, ask) in e18: ``fill_e10`` written out, since every print of a pair makes
    two for every pool."""
    down, up = oracle_e10 * terms[0], oracle_e10 * terms[1]
    bid = oracle_e10 + (down // _WHOLE if down >= 0 else -(-down // _WHOLE))
    ask = oracle_e10 + (up // _WHOLE if up >= 0 else -(-up // _WHOLE))
    return bid * PRICE_TO_E18 if bid > 0 else None, ask * PRICE_TO_E18 if ask > 0 else None
