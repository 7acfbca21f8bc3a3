"""GMX wire values -> domain values. Pure; every function raises InputError, KeyError, TypeError or
ValueError on what the protocol does not allow. Of a list, a row that makes no sense costs that row
only, and a list without any that does is refused."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import le
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from connectors.gmx import constants as c
from connectors.gmx.addresses import address
from connectors.gmx.messages import WireDay, WireInfo, WireMarket, WireTicker, WireToken
from domain.errors import InputError, PerpError
from domain.units import format_e18, power10

_T = TypeVar("_T")

MALFORMED: Final = (PerpError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

_INTEGER: Final = re.compile(r"-?[0-9]{1,60}")
_PRICE_DIGITS: Final = 50
_MAX_DECIMALS: Final = 30
_E30_TO_E18: Final = 12
_SCALES: Final = tuple(power10(abs(_E30_TO_E18 - places)) for places in range(_MAX_DECIMALS + 1))
_SYMBOL: Final = re.compile(r"[ -~]{1,60}")


class Ticker(NamedTuple):
    """Oracle price of a token. ``min_price``, ``max_price``: USD x 10^(30 - token decimals), as
    the contracts have it; ``time_s``: when the oracle saw it."""

    min_price: int
    max_price: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Token:
    """``unique``: no other token has the symbol."""

    symbol: str
    decimals: int
    unique: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of ``/markets``: ``market_token`` checksummed, ``index_token`` in lower case."""

    market_token: str
    index_token: str
    listed: bool


class PoolTokens(NamedTuple):
    """Of a pool; addresses in lower case."""

    market_token: str
    index_token: str
    long_token: str
    short_token: str


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """What a pool still takes. Liquidity: USD x 1e30, never negative, None where not told."""

    disabled: bool
    long_usd_e30: int | None
    short_usd_e30: int | None


_new_ticker: Final[Callable[[Iterable[int]], Ticker]] = partial(tuple.__new__, Ticker)
"""What ``Ticker._make`` does, without leaving the interpreter's own code."""

# Bodies -----------------------------------------------------------------------------------------


def json_body(body: bytes, max_bytes: int = c.MAX_BODY_BYTES) -> object:
    """Raises ValueError when it is too long, nested too deeply or no JSON."""
    if len(body) > max_bytes:
        raise ValueError(f"{len(body)} bytes")
    return orjson.loads(body)


def tickers(body: object, wall_us: int) -> dict[str, Ticker | None]:
    """Tickers by token address in lower case; None where the row makes no sense or contradicts
    another."""
    rows = row_list(body)
    latest_s = (wall_us + c.TICKER_AHEAD_US) // 1_000_000
    found = _usual_tickers(rows, latest_s)
    if found is not None:
        return found
    found = {}
    for row in rows:
        try:
            token = address_key(row["tokenAddress"])
        except MALFORMED:
            continue
        try:
            ticker = _ticker(row, latest_s)
        except MALFORMED:
            found[token] = None
        else:
            found[token] = None if token in found and found[token] != ticker else ticker
    if not any(found.values()):
        raise ValueError("no readable ticker")
    return found


def _usual_tickers(rows: list[Any], latest_s: int) -> dict[str, Ticker | None] | None:
    """All rows at once, in half the time of one by one; None unless every row makes sense."""
    try:
        lows = [row["minPrice"] for row in rows]
        highs = [row["maxPrice"] for row in rows]
        times = [row["timestamp"] for row in rows]
        digits = "".join(lows) + "".join(highs)
        if not digits.isdigit() or not digits.isascii() or set(map(type, times)) != {int}:
            return None
        if max(map(len, lows)) > _PRICE_DIGITS or max(map(len, highs)) > _PRICE_DIGITS:
            return None
        least, most = list(map(int, lows)), list(map(int, highs))
        tickers = map(_new_ticker, zip(least, most, times, strict=True))
        found = dict(zip([row["tokenAddress"].lower() for row in rows], tickers, strict=True))
    except MALFORMED:
        return None
    is_usual = (
        min(least) > 0
        and all(map(le, least, most))
        and min(times) > 0
        and max(times) <= latest_s
        and len(found) == len(rows)
        and set(map(type, found)) == {str}
    )
    return found if is_usual else None


def _ticker(row: WireTicker, latest_s: int) -> Ticker:
    low, high, time_s = _price(row["minPrice"]), _price(row["maxPrice"]), row["timestamp"]
    if type(time_s) is not int or not 0 < time_s <= latest_s:
        raise InputError("BAD_TIME", f"timestamp {time_s!r:.60}")
    if low > high:
        raise InputError("BAD_PRICE", f"min {low} above max {high}")
    return Ticker(low, high, time_s)


def _price(text: object) -> int:
    value = _integer(text)
    if value <= 0 or len(str(value)) > _PRICE_DIGITS:
        raise InputError("BAD_PRICE", f"price {text!r:.60}")
    return value


def tokens(body: object) -> dict[str, Token]:
    """Tokens by address in lower case."""
    rows = list(readable(row_list(_field(body, "tokens")), _token))
    if not rows:
        raise ValueError("no readable token")
    symbols = Counter(symbol for _, symbol, _ in rows)
    return {key: Token(symbol, places, symbols[symbol] == 1) for key, symbol, places in rows}


def _token(row: WireToken) -> tuple[str, str, int]:
    decimals, symbol = row["decimals"], row["symbol"]
    if type(decimals) is not int or not 0 <= decimals <= _MAX_DECIMALS:
        raise InputError("BAD_DECIMALS", f"decimals {decimals!r:.60}")
    if not isinstance(symbol, str) or _SYMBOL.fullmatch(symbol) is None:
        raise InputError("BAD_SYMBOL", f"symbol {symbol!r:.60}")
    return address_key(row["address"]), symbol, decimals


def market_rows(body: object) -> list[Any]:
    """The rows of ``/markets``, as yet unread. Raises ValueError where there are none."""
    rows = row_list(_field(body, "markets"))
    if not rows:
        raise ValueError("no markets")
    return rows


def pool(row: WireMarket) -> Pool:
    return Pool(address(row["marketToken"]), address_key(row["indexToken"]), _flag(row["isListed"]))


def pool_tokens(row: WireMarket) -> PoolTokens:
    """Raises one of MALFORMED."""
    found = (row["marketToken"], row["indexToken"], row["longToken"], row["shortToken"])
    return PoolTokens(*(address(token).lower() for token in found))


def pool_infos(body: object) -> dict[str, PoolInfo]:
    """``/markets/info`` by market token in lower case."""
    found = dict(readable(row_list(_field(body, "markets")), _pool_info))
    if not found:
        raise ValueError("no readable market info")
    return found


def _pool_info(row: WireInfo) -> tuple[str, PoolInfo]:
    return address_key(row["marketToken"]), PoolInfo(
        disabled=_flag(row["isDisabled"]) or not _flag(row["isListed"]),
        long_usd_e30=_liquidity(row.get("availableLiquidityLong")),
        short_usd_e30=_liquidity(row.get("availableLiquidityShort")),
    )


def _liquidity(text: object) -> int | None:
    return None if text is None else max(0, _integer(text))


def day_changes(body: object) -> dict[str, float]:
    """Change of a day as a fraction, by token symbol; without those that stand there twice."""
    rows = row_list(body)
    read = list(readable(rows, _day_change))
    if rows and not read:
        raise ValueError("no readable day")
    symbols = Counter(symbol for symbol, _ in read)
    return {symbol: change for symbol, change in read if symbols[symbol] == 1}


def _day_change(row: WireDay) -> tuple[str, float]:
    first, last, symbol = row["open"], row["close"], row["tokenSymbol"]
    if not isinstance(symbol, str):
        raise TypeError("tokenSymbol is no string")
    for value in (first, last):
        if type(value) not in (int, float) or value <= 0:
            raise InputError("BAD_PRICE", f"price {value!r:.60}")
    change = round(last / first - 1, 6)
    if not math.isfinite(change):
        raise InputError("BAD_PRICE", f"change {change}")
    return symbol, change


# Prices and sizes -------------------------------------------------------------------------------


def bid_e18(min_price: int, decimals: int) -> int:
    """Price of the contracts -> USD x 1e18, rounded down: never more than a seller gets."""
    if decimals >= _E30_TO_E18:
        return min_price * _SCALES[decimals]
    return min_price // _SCALES[decimals]


def ask_e18(max_price: int, decimals: int) -> int:
    """Price of the contracts -> USD x 1e18, rounded up: never less than a buyer pays."""
    if decimals >= _E30_TO_E18:
        return max_price * _SCALES[decimals]
    return -(-max_price // _SCALES[decimals])


def size(liquidity_usd_e30: int, price_e18: int) -> str:
    """Base units that the liquidity takes at a price: minimal decimal, cut to six digits."""
    digits = str(liquidity_usd_e30 * 1_000_000 // price_e18)
    point = len(digits) - 18
    # Written out for the usual ones, because every pool gets two with every price.
    if point >= c.SIZE_DIGITS:
        return digits[: c.SIZE_DIGITS] + "0" * (point - c.SIZE_DIGITS)
    if point > 0:
        text = digits[:point] + "." + digits[point : c.SIZE_DIGITS]
        return text if text[-1] != "0" else text.rstrip("0").rstrip(".")
    return format_e18(int(digits[: c.SIZE_DIGITS]) * power10(max(0, len(digits) - c.SIZE_DIGITS)))


# Shapes -----------------------------------------------------------------------------------------


def row_list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > c.MAX_ROWS:
        raise TypeError("not a list of a sane length")
    return value


def _field(body: object, name: str) -> object:
    if not isinstance(body, dict):
        raise TypeError("not an object")
    return body[name]


def _integer(text: object) -> int:
    if not isinstance(text, str) or _INTEGER.fullmatch(text) is None:
        raise InputError("BAD_INTEGER", f"not an integer as text: {text!r:.60}")
    return int(text)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"no boolean: {value!r:.60}")
    return value


def address_key(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"no address: {text!r:.60}")
    return text.lower()


def readable(rows: Iterable[Any], read: Callable[[Any], _T]) -> Iterator[_T]:
    for row in rows:
        try:
            yield read(row)
        except MALFORMED:
            continue
