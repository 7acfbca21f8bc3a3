"""Which venue stands apart from the others. Pure."""

from collections.abc import Sequence
from statistics import median_low
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
    prices = {row: price for row in rows if (price := row.reference_e18)}
    for row in rows:
        row.apart = None
    if len(prices) == 2:
        low, high = sorted(prices.values())
        return (high - low) * _BPS > low * DISAGREE_BPS
    if len(prices) > 2:
        middle = median_low(prices.values())
        distances = {row: abs(price - middle) for row, price in prices.items()}
        limit = SPREAD_FACTOR * median_low(distances.values())
        for row, distance in distances.items():
            row.apart = distance > limit and distance * _BPS > middle * FLOOR_BPS
    return False
