"""Price history as a venue itself tells it, of times before it was recorded here."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from domain.candles import Candle
from domain.errors import InputError, VenueProtocolError
from domain.ids import MarketId
from domain.units import E18, parse_decimal, power10

LOADED: Final = ("1m", "1h", "1d")
"""Periods that are asked for; those between are made of them."""

MALFORMED: Final = (ValueError, KeyError, TypeError, IndexError, ArithmeticError, InputError)

Row = TypeVar("Row")


class VenueHistory(Protocol):
    """Candles of one venue; their ``ticks`` is 0. ``period``: one of ``LOADED``.

    ``candles`` gives those that begin in [from, to) in any order, as far back as the venue has
    them; none for a market that it has no series of. Raises VenueUnavailable or VenueProtocolError.
    """

    async def candles(
        self, market: MarketId, period: str, from_us: int, to_us: int
    ) -> Sequence[Candle]: ...
    async def close(self) -> None: ...


def number_e18(value: object) -> int:
    """A JSON number as 1e-18 units, by its shortest decimal form; what is finer is cut.

    Raises ValueError for anything that is no positive number.
    """
    if type(value) is not float and type(value) is not int:
        raise ValueError(f"no number: {value!r:.40}")
    number = Decimal(repr(value))
    if not number.is_finite() or not 0 < number < E18:
        raise ValueError(f"no price: {value!r:.40}")
    return int(number.scaleb(18))


def text_e18(text: str) -> int:
    """A plain decimal string as 1e-18 units; what is finer is cut. Raises InputError."""
    digits, decimals = parse_decimal(text)
    if decimals > 18:
        return int(digits // power10(decimals - 18))
    return int(digits * power10(18 - decimals))


def venue_candle(start_us: int, width_us: int, prices: Iterable[int]) -> Candle:
    """``prices``: open, high, low, close. Raises ValueError for what can be no candle."""
    first, high, low, last = prices
    if start_us % width_us or not 0 < low <= min(first, last) or max(first, last) > high:
        raise ValueError(f"no candle: {start_us} {first} {high} {low} {last}")
    return Candle(start_us, first, high, low, last, 0)


def readable(rows: Sequence[Row], read: Callable[[Row], Candle | None]) -> list[Candle]:
    """What ``read`` makes of the rows; those that make no sense are left out.

    Raises ValueError where none of them does.
    """
    found: list[Candle] = []
    error: Exception | None = None
    for row in rows:
        try:
            candle = read(row)
        except MALFORMED as bad:
            error = bad
            continue
        if candle is not None:
            found.append(candle)
    if error is not None and not found:
        raise ValueError(f"no readable candle: {error!r:.200}")
    return found


async def read_page(parse: Callable[[bytes], Row], body: bytes, what: str) -> Row:
    """``parse`` beside the loop, and not in the way of frames. Raises VenueProtocolError
    ``GARBAGE``."""
    try:
        return await asyncio.to_thread(parse, body)
    except MALFORMED as error:
        raise VenueProtocolError("GARBAGE", f"{what}: {error!r:.200}") from None
