"""dYdX wire values -> domain values. Pure; every function raises InputError, KeyError, TypeError or
ValueError on what the protocol does not allow, and the session turns that into a resync."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Any, Final

from connectors.dydx.constants import VENUE
from connectors.dydx.messages import WireBook, WireMarket, WireTrade
from domain.errors import InputError
from domain.events import Levels, Trade
from domain.ids import MarketId
from domain.market import Market, MarketStatus
from domain.units import E18, Grid, minimal, minimal_decimal, parse_decimal, power10

STATUS: Final[dict[str, MarketStatus]] = {
    "ACTIVE": "open",
    "PAUSED": "halted",
    "CANCEL_ONLY": "halted",
    # Takes makers only: nobody can trade at the prices it shows.
    "POST_ONLY": "halted",
    "INITIALIZING": "halted",
    "FINAL_SETTLEMENT": "halted",
}


def market_status(text: str) -> MarketStatus:
    """Statuses not known yet count as halted: never quote what may not be tradable."""
    return STATUS.get(text, "halted")


def market(raw: WireMarket, canonical: MarketId, chain_id: str) -> Market:
    """A listed market. ``max_leverage`` is 1 / initial margin fraction, rounded down to 0.01."""
    step = Grid(raw["stepSize"])
    margin = Decimal(raw["initialMarginFraction"])
    leverage = None
    if margin.is_finite() and margin > 0:
        leverage = minimal((1 / margin).quantize(Decimal("0.01"), ROUND_DOWN))
    return Market(
        venue=VENUE,
        market=canonical,
        symbol=raw["ticker"],
        tick=Grid(raw["tickSize"]),
        step=step,
        status=market_status(raw["status"]),
        max_leverage=leverage,
        chain_ids=(chain_id,),
    )


def price_e18(text: str) -> int:
    """A positive price in 1e-18 units, cut off there. Raises InputError ``BAD_PRICE``."""
    digits, decimals = parse_decimal(text)
    value = digits * E18 // power10(decimals)
    if value <= 0:
        raise InputError("BAD_PRICE", f"price must be positive: {text!r}")
    return value


def signed(text: str) -> str:
    """A plain decimal that may be negative, in minimal form. Raises InputError ``BAD_DECIMAL``."""
    if not text.startswith("-"):
        return minimal_decimal(text)
    size = minimal_decimal(text[1:])
    return size if size == "0" else f"-{size}"


def height(text: str) -> int:
    """A block height. Raises InputError ``BAD_HEIGHT``."""
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError("BAD_HEIGHT", f"height {text!r:.60}")
    return int(text)


def levels(book: WireBook, market: Market) -> tuple[Levels, Levels]:
    """Both sides of a snapshot as (price_ticks, size_steps)."""
    return _side(book["bids"], market), _side(book["asks"], market)


def _side(rows: Iterable[Any], market: Market) -> Levels:
    price, size = market.tick.parse, market.step.parse
    side = tuple([(price(row["price"]), size(row["size"])) for row in rows])
    if not all(ticks for ticks, _ in side):
        raise InputError("BAD_PRICE", "a level has no positive price")
    return side


def best_of(book: WireBook, market: Market) -> tuple[int | None, int | None]:
    """Best (bid, ask) in ticks of a REST book, None for an empty side."""
    bids, asks = levels(book, market)
    return (
        max((ticks for ticks, steps in bids if steps), default=None),
        min((ticks for ticks, steps in asks if steps), default=None),
    )


def trade(raw: WireTrade, market: MarketId) -> Trade:
    """A public trade. Its price need not be on the tick grid (deleveraging)."""
    side = raw["side"]
    if side not in ("BUY", "SELL"):
        raise InputError("BAD_SIDE", f"side {side!r}")
    price, size = minimal_decimal(raw["price"]), minimal_decimal(raw["size"])
    if "0" in (price, size):
        raise InputError("BAD_TRADE", "a trade of nothing or for nothing")
    if not isinstance(raw["id"], str):
        raise InputError("BAD_TRADE", "trade id is no string")
    return Trade(
        market,
        raw["id"],
        price,
        size,
        side,
        time_us(raw["createdAt"]),
    )


# All trades of a block have the same time.
@lru_cache(maxsize=8)
def time_us(text: str) -> int:
    """ISO-8601 with zone -> microseconds since 1970."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("time without zone")
    return round(moment.timestamp() * 1_000_000)


def change_24h(change: str, oracle: str) -> float | None:
    """``priceChange24H`` (quote currency) as a fraction of the price a day ago."""
    now, moved = Decimal(oracle), Decimal(change)
    before = now - moved
    if not before.is_finite() or before <= 0:
        return None
    return round(float(moved / before), 6)
