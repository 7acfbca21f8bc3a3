"""Market data."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from api.schemas.base import (
    DecimalText,
    Instant,
    Microseconds,
    Opaque,
    OpaqueIfAny,
    Read,
    Said,
    Told,
    amount,
    anchored,
    one_of,
    refused,
    text,
)
from api.schemas.paging import Page, SpanPage
from connectors import registry
from domain.candles import BEST, PERIODS

MAX_SIZES: Final = 10
MAX_USD: Final = 100_000_000
MAX_HOURS: Final = 8760
CANDLE_PERIODS: Final = ("1m", *(name for name in PERIODS if name != "1m"))
SPREAD_PERIODS: Final = ("5m", "1h", "1d")
FUNDING_PERIODS: Final = ("1h", "1d")
_SIZE_PLACES: Final = 6
_HOURS_PLACES: Final = 3

State = Literal["connecting", "live", "resyncing", "stale", "quarantined", "closed", "halted"]


def _sizes(value: Any) -> list[Decimal]:
    parts = text(value).split(",", MAX_SIZES)
    if len(parts) > MAX_SIZES:
        raise refused("TOO_MANY", f"at most {MAX_SIZES} sizes")
    spelling = f"USD as plain decimals of at most {_SIZE_PLACES} places, 1000,25000.5"
    sizes = [amount(part, "BAD_SIZE", spelling) for part in parts]
    if any(_places(size) > _SIZE_PLACES for size in sizes):
        raise refused("BAD_SIZE", spelling)
    if not all(1 <= size <= MAX_USD for size in sizes):
        raise refused("OUT_OF_RANGE", f"each from 1 to {MAX_USD}")
    return sizes


def _hours(value: Any) -> Decimal:
    problem = "OUT_OF_RANGE", f"above 0 and at most {MAX_HOURS}, {_HOURS_PLACES} places"
    hours = amount(value, *problem)
    if not 0 < hours <= MAX_HOURS or _places(hours) > _HOURS_PLACES:
        raise refused(*problem)
    return hours


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return -exponent


_ONE_SIZE: Final = r"([1-9]\d{0,7}(\.\d{1,6})?|100000000(\.0{1,6})?)"

_HOURS: Final = (
    r"(0\.(\d{0,2}[1-9]|[1-9]\d{0,2}|\d[1-9]\d)"
    r"|([1-9]\d{0,2}|[1-7]\d{3}|8[0-6]\d{2}|87[0-5]\d)(\.\d{1,3})?|8760(\.0{1,3})?)"
)

Sizes = Annotated[
    list[Decimal] | None,
    Read(
        _sizes,
        {
            "type": "string",
            "pattern": anchored(rf"{_ONE_SIZE}(,{_ONE_SIZE}){{0,{MAX_SIZES - 1}}}"),
            "examples": ["1000,25000.5"],
        },
    ),
]
Hours = Annotated[
    Decimal,
    Read(
        _hours,
        {
            "type": "string",
            "pattern": anchored(_HOURS),
            "examples": ["24"],
        },
    ),
]
Side = Annotated[str, one_of(("long", "short"), "UNKNOWN_SIDE")]
Sort = Annotated[str, one_of(("cost", "market"), "UNKNOWN_SORT")]


class MarketPath(Said):
    market: Opaque = Field(examples=["BTC-USD"])


class LadderQuery(Said):
    sizes: Sizes = Field(default=None, description="USD, 1 to 10 sizes")


class FundingQuery(Page):
    side: Side = "long"
    hours: Hours = Decimal(24)
    sort: Sort = "cost"
    market: OpaqueIfAny = Field(default=None, examples=["BTC-USD"])


class CandlesQuery(SpanPage):
    interval: Annotated[str, one_of(CANDLE_PERIODS, "UNKNOWN_INTERVAL")] = CANDLE_PERIODS[0]
    venue: Annotated[str, one_of((BEST, *registry.VENUES), "UNKNOWN_VENUE")] = Field(
        default=BEST, description="the consolidated mid without one"
    )


class SpreadsQuery(SpanPage):
    interval: Annotated[str, one_of(SPREAD_PERIODS, "UNKNOWN_INTERVAL")] = SPREAD_PERIODS[0]


class RatesQuery(SpanPage):
    interval: Annotated[str, one_of(FUNDING_PERIODS, "UNKNOWN_INTERVAL")] = FUNDING_PERIODS[0]


class VenueFacts(Told):
    symbol: str
    pools: list[str]
    tick: DecimalText
    step: DecimalText
    min_notional_usd: DecimalText | None
    max_leverage: DecimalText | None
    chain_ids: list[int | str]


class Market(Told):
    market: str = Field(examples=["BTC-USD"])
    base: str
    quote: str
    open: bool
    venues: dict[str, VenueFacts]


class Touch(Told):
    bid: DecimalText | None
    ask: DecimalText | None
    bid_size: DecimalText | None
    ask_size: DecimalText | None


class PoolTouch(Touch):
    pool: str


class VenuePrice(Told):
    bid: DecimalText | None
    ask: DecimalText | None
    kind: Literal["book", "oracle"]
    pool: str | None
    price_us: Microseconds | None
    state: State
    dropped_levels: int = Field(default=0, description="of books")
    pools: list[PoolTouch] = Field(default=[], description="of oracles")


class Excluded(Told):
    venue: str
    reason: str | None


class Quality(Told):
    venues: int
    excluded: list[Excluded]
    disagree: bool = False
    confidence_bps: float | None = None
    age_ms: dict[str, int | None] = Field(default={})


class Price(Touch):
    bid_venue: str | None
    ask_venue: str | None
    mid: DecimalText | None
    spread_bps: float | None
    crossed: bool
    quality: Quality
    venues: dict[str, VenuePrice]


class Envelope(Told):
    type: Literal["snapshot", "update"]
    room: str
    seq: int
    epoch: int
    cause: Literal["frame", "timer", "status"]
    received_us: Microseconds
    published_us: Microseconds


class PriceEnvelope(Envelope):
    data: Price


class QuoteRow(PriceEnvelope):
    """``state`` and ``last_seen_at`` only where there is no quote."""

    state: Literal["stale"] = "stale"
    last_seen_at: Instant | None = None


class LadderRow(Told):
    """Arrays are aligned with ``sizes``."""

    venue: str
    pool: str | None
    all_in: list[DecimalText | None]
    fee_bps: list[float | None]
    spread_bps: list[float | None]
    impact_bps: list[float | None]
    all_in_bps: list[float | None]
    gas_usd: DecimalText | None
    execution_fee_usd: DecimalText | None
    best: list[bool]
    reason: list[str | None]


class Leg(Told):
    venue: str
    pool: str | None
    share_bps: int


class SplitOf(Told):
    legs: list[Leg]
    all_in_bps: float
    saved_bps: float | None


class Split(SplitOf):
    two_legs: SplitOf | None = None


class Splits(Told):
    buy: list[Split | None]
    sell: list[Split | None]


class Ladder(Told):
    sizes: list[DecimalText]
    mid: DecimalText | None
    buy: list[LadderRow]
    sell: list[LadderRow]
    splits: Splits
    excluded: list[Excluded]
    service_fee_bps: DecimalText | None = Field(
        default=None, description="of this server, beside every row; absent where there is none"
    )


class LadderEnvelope(Envelope):
    data: Ladder


class Rates(Told):
    """Of one place. Fractions of the notional; positive: longs pay."""

    raw: str
    interval_hours: int
    per_hour: DecimalText
    per_8h: DecimalText
    apr: DecimalText
    next_at: Instant | None
    oi_long_usd: DecimalText | None
    oi_short_usd: DecimalText | None
    pool: str | None
    short_per_hour: DecimalText
    borrow_long_per_hour: DecimalText | None
    borrow_short_per_hour: DecimalText | None
    available_long_usd: DecimalText | None
    available_short_usd: DecimalText | None


class Held(Rates):
    market: str
    venue: str
    funding_bps: DecimalText
    borrow_bps: DecimalText
    carry_bps: DecimalText


class Trade(Told):
    venue: str
    id: str
    price: DecimalText
    size: DecimalText
    side: Literal["BUY", "SELL"]
    time_us: int


class Candle(Told):
    t: Instant
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    ticks: int
    closed: bool


class Bucket(Told):
    t: Instant
    closed: bool


class Spread(Told):
    spread_bps: float
    spread_low_bps: float
    spread_high_bps: float
    offset_bps: float
    offset_low_bps: float
    offset_high_bps: float
    samples: int


class SpreadBucket(Bucket):
    venues: dict[str, Spread]


class MeanRates(Told):
    pool: str | None
    per_hour: DecimalText
    per_8h: DecimalText
    apr: DecimalText
    short_per_hour: DecimalText | None
    borrow_long_per_hour: DecimalText | None
    borrow_short_per_hour: DecimalText | None
    oi_long_usd: DecimalText | None
    oi_short_usd: DecimalText | None
    samples: int


class RatesBucket(Bucket):
    venues: dict[str, list[MeanRates]]


class Venue(Told):
    state: State
    reason: str | None
    since: Instant | None
    markets: int
    last_frame_us: Microseconds | None


class Capabilities(Told):
    """Of a venue. Empty lists: no order of any kind can be sent."""

    chain_ids: list[int | str] = Field(default=[])
    order_types: list[Literal["market", "limit", "stop", "take_profit"]] = Field(default=[])
    time_in_force: list[str] = Field(default=[])
    reduce_only: bool = False
    post_only: bool = False
    brackets: bool = False
    claims: list[Literal["funding", "impact", "profit"]] = Field(
        default=[], description="what POST /v1/orders/claim takes out"
    )
    margin: bool = Field(
        default=False, description="collateral of a position is changed without a trade"
    )
    amend: bool = False
    delegation: bool = False
    native_collateral: bool = False
