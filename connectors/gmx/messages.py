"""Bodies of the keeper service and messages of an Arbitrum node as they stand on the wire. Only
what is read is listed."""

from typing import NotRequired, TypedDict


class WireTicker(TypedDict):
    """An item of ``/prices/tickers``. Prices: integers x 10^(30 - token decimals), as text.
    ``timestamp``: of the oracle, seconds."""

    tokenAddress: str
    minPrice: str
    maxPrice: str
    timestamp: int


class WireToken(TypedDict):
    symbol: str
    address: str
    decimals: int


class WireMarket(TypedDict):
    """An item of ``/markets``: one pool. Pools that only swap have the zero address as index."""

    name: str
    marketToken: str
    indexToken: str
    longToken: str
    shortToken: str
    isListed: bool


class WireInfo(TypedDict):
    """An item of ``/markets/info``. Liquidity: USD x 1e30 as text, at times slightly negative."""

    marketToken: str
    isListed: bool
    isDisabled: bool
    availableLiquidityLong: NotRequired[str]
    availableLiquidityShort: NotRequired[str]


class WireDay(TypedDict):
    """An item of ``/prices/24h``: USD as JSON numbers."""

    tokenSymbol: str
    open: float
    close: float


class WireLog(TypedDict):
    """An entry of ``eth_getLogs`` and of a log subscription; numbers in hexadecimal."""

    address: str
    topics: list[str]
    data: str
    blockNumber: str
    blockHash: str
    transactionHash: str
    logIndex: str
    removed: NotRequired[bool]
