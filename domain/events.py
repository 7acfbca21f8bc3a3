"""What venues emit. Connectors make these, the aggregator consumes them; nothing else passes.

Prices are integers of the market's tick, sizes integers of its step. ``stamp`` orders the changes
of one book on one connection (dYdX: the message id); a higher stamp is newer.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from domain.ids import MarketId
from domain.market import Market, MarketStatus

Levels: TypeAlias = tuple[tuple[int, int], ...]
"""((price_ticks, size_steps), ...), best first as the venue sent them; order is not relied on."""

BookDelta: TypeAlias = tuple[MarketId, bool, int, int, int]
"""(market, is_bid, price_ticks, size_steps, stamp): the new total at one price, 0 removes it.
A plain tuple because it is the hot path: one is made for every level of every update."""

SourceState = Literal["connecting", "live", "resyncing"]


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """The whole book of a market; replaces what was known and makes it valid again."""

    market: MarketId
    stamp: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class BookAudit:
    """The best prices another channel of the venue reports, to compare with the book held here."""

    market: MarketId
    bid_ticks: int | None
    ask_ticks: int | None


class PoolQuote(NamedTuple):
    """The touch of one pool of an oracle venue: what a trade of nearly nothing fills at, spread and
    standing impact included. Makes the market valid again, as a BookSnapshot does for a book.

    ``pool``: its name at the venue (GMX the market token, Gains ``42161:USDC``). Prices: quote
    currency x 1e18, None where that side cannot be traded; both None takes the pool out of the
    touch. Sizes: what can be traded, base units as minimal decimal strings, None where unknown.
    ``venue_time_ms``: when the oracle saw the price; the same touch seen later is the same.
    A named tuple because a frame makes hundreds: a frozen class takes four times as long.
    """

    market: MarketId
    pool: str
    bid_e18: int | None
    ask_e18: int | None
    bid_size: str | None
    ask_size: str | None
    venue_time_ms: int | None

    def __eq__(self, other: object) -> bool:
        return type(other) is PoolQuote and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return type(other) is not PoolQuote or self[:-1] != other[:-1]

    def __hash__(self) -> int:
        return hash(self[:-1])


class OraclePrice(NamedTuple):
    """The price the venue's contracts use. ``price_e18``: quote currency x 1e18."""

    market: MarketId
    price_e18: int
    venue_time_ms: int | None


class Trade(NamedTuple):
    """A public trade. ``price``, ``size``: minimal decimal strings (a deleveraging price need not
    be on the tick grid). ``side``: of the taker."""

    market: MarketId
    trade_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time_us: int


@dataclass(frozen=True, slots=True)
class MarketState:
    """What changed of a market: None means unchanged.

    ``trusted``: False takes the market out of the best price (its book is being replaced, or the
    venue's data contradict its metadata) until a new BookSnapshot; ``reason`` says why.
    ``change_24h``: fraction, 0.01 = 1 % up.
    """

    market: MarketId
    status: MarketStatus | None = None
    trusted: bool | None = None
    reason: str | None = None
    change_24h: float | None = None


class Funding(NamedTuple):
    """What holding a position costs or brings at one pool of the venue, told when it changes.

    Rates are fractions of the notional for ``interval_hours`` as minimal decimal strings. ``raw``:
    what longs pay; negative, they receive. ``short_raw``: what shorts receive for it, None where
    that is the same. ``borrow_*_raw``: what each side pays for borrowed liquidity, None at venues
    that have no such fee. ``next_at_ms``: when it is settled next, None where it accrues all the
    time. USD as minimal decimal strings, None where unknown: open interest of each side, and how
    much more of each can be opened. ``pool``: None at an order book.
    """

    market: MarketId
    raw: str
    interval_hours: int
    next_at_ms: int | None
    oi_long_usd: str | None
    oi_short_usd: str | None
    pool: str | None = None
    short_raw: str | None = None
    borrow_long_raw: str | None = None
    borrow_short_raw: str | None = None
    available_long_usd: str | None = None
    available_short_usd: str | None = None


@dataclass(frozen=True, slots=True)
class MarketListed:
    """The venue's description of a market, new or changed."""

    market: Market


@dataclass(frozen=True, slots=True)
class Liveness:
    """Proof that the prices of this source are current: dYdX a block height, GMX a good poll, Gains
    any frame."""

    height: int | None = None


@dataclass(frozen=True, slots=True)
class VenueStatus:
    """State of the whole source. Any state but ``live`` makes every book of it invalid."""

    state: SourceState
    reason: str | None = None


Event: TypeAlias = (
    BookDelta
    | BookSnapshot
    | BookAudit
    | PoolQuote
    | OraclePrice
    | Trade
    | MarketState
    | Funding
    | MarketListed
    | Liveness
    | VenueStatus
)
