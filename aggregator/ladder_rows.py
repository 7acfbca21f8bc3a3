"""The rows of many ladders, written out at once. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import orjson

from domain.costs import Floats
from domain.ladder import BPS_DECIMALS, SIDES, Place, Ranking, money, row

PRICE_DIGITS: Final = 12
"""Significant digits of a price that was ranked with: floats are right to 15."""

Rows = list[dict[str, Any]]


def rows_of(ranking: Ranking, places: Sequence[Sequence[Place]]) -> list[list[Rows]]:
    """The rows of the envelope by side and market, NaN for null."""
    flat = [place for of_market in places for place in of_market]
    all_in = texts(ranking.all_in, [place.decimals for place in flat])
    # Minus nothing is written as nothing.
    numbers = np.round(np.stack(ranking[1:5]), BPS_DECIMALS) + 0.0
    fee, spread, impact, total = numbers.reshape(4, -1).tolist()
    best, reason = ranking.best.ravel().tolist(), ranking.reason.ravel().tolist()
    fixed = [(money(place.gas_usd), money(place.execution_fee_usd)) for place in flat]
    sizes = ranking.best.shape[2]
    sides, begin = [], 0
    for _ in SIDES:
        costs, of_side = iter(fixed), []
        for of_market in places:
            rows = []
            for place in of_market:
                cut = slice(begin, begin + sizes)
                parts = fee[cut], spread[cut], impact[cut], total[cut]
                rows.append(row(place, next(costs), all_in[cut], parts, best[cut], reason[cut]))
                begin += sizes
            of_side.append(rows)
        sides.append(of_side)
    return sides


def texts(values: Floats, decimals: Sequence[int]) -> list[str | None]:
    """Prices as decimal strings of at most PRICE_DIGITS digits, None for NaN.

    Shape: (2, pools, sizes), and all of it in one row; ``decimals`` by pool.
    """
    known = np.where(np.isnan(values), 1.0, values)
    digits = PRICE_DIGITS - 1 - np.floor(np.log10(known)).astype(np.int64)
    places = np.clip(digits, 0, np.array(decimals, dtype=np.int64)[:, None])
    scale = 10.0**places
    # A double that is nearest to so short a decimal is written as that decimal, and by this writer
    # ten times as fast as one after the other.
    rounded = (np.rint(values * scale) / scale).ravel().tolist()
    written = orjson.dumps(rounded).decode()[1:-1].split(",")
    return [
        text
        if text[-2:] != ".0" and "e" not in text and text != "null"
        else _mended(text, value, place)
        for text, value, place in zip(written, rounded, places.ravel().tolist(), strict=True)
    ]


def _mended(text: str, value: float, decimals: int) -> str | None:
    if text == "null":
        return None
    if "e" not in text:
        return text[:-2]
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
