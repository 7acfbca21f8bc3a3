"""Depth bands: how far recent volume and a trade's own size move the price of a pair."""

from functools import lru_cache
from typing import Final, NamedTuple

from connectors.gains.constants import FULL_BPS, PPM
from connectors.gains.economics.scales import E10, E18, truncated

BANDS: Final = 30

_WORD: Final = 2**256
_FIRST: Final = 14
_MAX_DEPTH: Final = 2**32
_MAX_BAND: Final = 2**16


class Side(NamedTuple):
    """Depth on one side of the price. ``bands``: cumulative share of it in basis points."""

    depth_usd: int
    bands: tuple[int, ...]


NO_DEPTH: Final = Side(0, (0,) * BANDS)


@lru_cache(maxsize=4096)
def decode_side(slot1: int, slot2: int) -> Side:
    """Two packed words: 32 bits of depth in USD, then 30 values of 16 bits. The mapping of bands to
    price offsets has the same layout with ppm as values and no depth.

    Raises ValueError when a slot is no word of 256 bits.
    Source: PriceImpactUtils._getBandValue and _getTotalDepthUsd, v10.2.
    """
    if not 0 <= slot1 < _WORD or not 0 <= slot2 < _WORD:
        raise ValueError("a slot is a word of 256 bits")
    first = [slot1 >> 32 + 16 * place & 0xFFFF for place in range(_FIRST)]
    return Side(
        slot1 & 0xFFFFFFFF, (*first, *(slot2 >> 16 * place & 0xFFFF for place in range(16)))
    )


@lru_cache(maxsize=4096)
def encode_side(side: Side) -> tuple[int, int]:
    """The inverse of ``decode_side``: (slot 1, slot 2). Raises ValueError where a value does not
    fit or there are not 30 bands."""
    if (
        len(side.bands) != BANDS
        or not 0 <= side.depth_usd < _MAX_DEPTH
        or not all(0 <= band < _MAX_BAND for band in side.bands)
    ):
        raise ValueError("30 values of 16 bits and a depth of 32 bits fit into the slots")
    slot1 = side.depth_usd
    for place, band in enumerate(side.bands[:_FIRST]):
        slot1 |= band << 32 + 16 * place
    return slot1, sum(band << 16 * place for place, band in enumerate(side.bands[_FIRST:]))


def average_offset_p(volume_usd_e18: int, side: Side, offsets_ppm: tuple[int, ...]) -> int:
    """Mean price offset of a volume that walks the bands from the first on.

    A band that adds no depth only moves the offset; the one at 10000 bps takes all that remains.
    Source: PriceImpactUtils._calculateDepthBandsPriceImpact, v10.2.
    """
    if volume_usd_e18 <= 0 or not side.depth_usd:
        return 0
    depth = side.depth_usd * E18
    left, weighted, low, before = volume_usd_e18, 0, 0, 0
    for share, ppm in zip(side.bands, offsets_ppm, strict=True):
        high = ppm * PPM
        if share > before:
            capacity = depth * (share - before) // FULL_BPS
            used = left if share == FULL_BPS else min(left, capacity)
            weighted += (low + truncated((high - low) * used // capacity, 2)) * used
            left -= used
        low, before = high, share
        if not left:
            break
    return weighted // volume_usd_e18


def volume_impact_p(
    volume_usd_e18: int,
    size_usd_e18: int,
    side: Side,
    offsets_ppm: tuple[int, ...],
    *,
    up: bool,
    factor_e10: int = E10,
) -> int:
    """Impact of a trade of ``size_usd_e18`` after ``volume_usd_e18`` in the windows of its side.

    With size 0 it is the standing part, which every trade of the side pays.
    Source: PriceImpactUtils._getDepthBandsPriceImpactP, v10.2.
    """
    if not side.depth_usd:
        return 0
    standing = average_offset_p(volume_usd_e18, side, offsets_ppm)
    after = average_offset_p(volume_usd_e18 + size_usd_e18, side, offsets_ppm)
    impact = (standing + truncated(after - standing, 2)) * factor_e10 // E10
    return impact if up else -impact
