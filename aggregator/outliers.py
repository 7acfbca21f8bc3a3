"""Which venue stands apart from the others. Pure."""

from collections.abc import Sequence
from typing import Final

from aggregator.rows import Row

SPREAD_FACTOR: Final = 5
FLOOR_BPS: Final = 10
"""A venue is apart when its price is further from the median than five times the median of all such
distances, and further than 10 bps: venues follow each other with delays of a few hundred ms."""

DISAGREE_BPS: Final = 50
"""Two venues this far apart cannot both be right."""

_BPS: Final = 10_000


def compare_venues(rows: Sequence[Row]) -> bool:
    """Sets ``apart`` of every row of a market; True when only two can be compared and disagree.

    The median of an even number is the lower middle one, so that every distance is between two
    prices that somebody shows.
    """
    priced, prices = [], []
    for row in rows:
        row.apart = None
        price = row.reference_e18
        if price:
            priced.append(row)
            prices.append(price)
    if len(prices) == 2:
        low, high = min(prices), max(prices)
        return (high - low) * _BPS > low * DISAGREE_BPS
    if len(prices) > 2:
        middle = _median_low(prices)
        distances = [abs(price - middle) for price in prices]
        limit = SPREAD_FACTOR * _median_low(distances)
        for row, distance in zip(priced, distances, strict=True):
            row.apart = distance > limit and distance * _BPS > middle * FLOOR_BPS
    return False


def _median_low(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
