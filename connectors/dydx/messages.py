"""Frames and bodies of the indexer as they stand on the wire. Only what is read is listed."""

from typing import Literal, NotRequired, TypedDict


class WireLevel(TypedDict):
    price: str
    size: str


class WireBook(TypedDict):
    """``subscribed.contents`` of v4_orderbook, and the REST order book."""

    bids: list[WireLevel]
    asks: list[WireLevel]


class WireBookUpdate(TypedDict, total=False):
    """A missing side is unchanged. Tuples are [price, new total size], once with a third item."""

    bids: list[list[str]]
    asks: list[list[str]]


class WireTrade(TypedDict):
    id: str
    side: Literal["BUY", "SELL"]
    size: str
    price: str
    createdAt: str
    type: NotRequired[str]


class WireMarket(TypedDict):
    """A row of ``/v4/perpetualMarkets`` and of the v4_markets snapshot."""

    ticker: str
    clobPairId: str
    status: str
    oraclePrice: str | None
    priceChange24H: str
    initialMarginFraction: str
    maintenanceMarginFraction: str
    tickSize: str
    stepSize: str
    nextFundingRate: NotRequired[str | None]
    openInterest: NotRequired[str | None]
    baseOpenInterest: NotRequired[str | None]


class WireOraclePrice(TypedDict):
    oraclePrice: str
    effectiveAt: str


Channel = Literal["v4_orderbook", "v4_trades", "v4_markets", "v4_block_height"]


class Request(TypedDict):
    """What a client sends. ``id`` is left out for v4_markets and v4_block_height: with any other id
    the server answers a snapshot and then stays silent."""

    type: Literal["subscribe", "unsubscribe"]
    channel: Channel
    id: NotRequired[str]
    batched: NotRequired[bool]
