"""Every Redis key, channel and room name. Nobody spells one anywhere else."""

import zlib
from typing import Final, Literal

from domain.ids import MarketId

TAPE: Final = "tape"
"""Pub/sub: batches of envelopes, and a beat at least every ``BEAT_MS``."""

VENUES_STATE: Final = "venues"
"""String, the ``venues`` envelope, ``STATE_TTL_MS``."""

MARKETS_STATE: Final = "markets"
"""String, JSON rows of ``GET /v1/markets``, ``STATE_TTL_MS``."""

UNPRICED_STATE: Final = "unpriced"
"""String, a batch as on the tape: the newest envelope of every market without a price, which
says why and has no key of its own. ``STATE_TTL_MS``."""

FEED_EPOCH: Final = "feed:epoch"
"""Integer, the highest epoch ever given to a feed."""

FEED_LEADER: Final = "feed:leader"
"""String, who publishes; ``LEASE_MS``, renewed by its holder."""

FEED_BEAT: Final = "feed:beat"
"""String, the epoch of the feed that writes; ``STATE_TTL_MS``."""

QUOTE_PREFIX: Final = "quote:"
LADDER_PREFIX: Final = "ladder:"
DEPTH_PREFIX: Final = "depth:"

QUOTE_TTL_MS: Final = 100
REWRITE_MS: Final = 40
"""Live quotes are renewed this often: within 50 ms, with room for a late timer."""
BEAT_MS: Final = 40
BEAT_LOST_MS: Final = 250
STATE_TTL_MS: Final = 1_000
STATE_REWRITE_MS: Final = 300
"""What lives ``STATE_TTL_MS`` is written again this often."""
LADDER_TTL_MS: Final = 1_000
"""Of ``ladder:*`` and ``depth:*``, which are made every ``LADDER_MS`` and extended in between."""
LADDER_MS: Final = 1_000
FUNDING_SHARES: Final = 8
"""Funding is told and written in shares, one after the other."""
FUNDING_MS: Final = 1_000
FUNDING_TTL_MS: Final = 3_000
LEASE_MS: Final = 1_500

PRICES_ROOM: Final = "prices"
VENUES_ROOM: Final = "venues"
FUNDING_ROOM: Final = "funding"

RoomKind = Literal["price", "prices", "venues", "trades", "candles", "ladder", "funding"]


def quote_key(market: MarketId | str) -> str:
    return QUOTE_PREFIX + market


def ladder_key(market: MarketId | str) -> str:
    """String, the ``ladder`` envelope."""
    return LADDER_PREFIX + market


def depth_key(market: MarketId | str) -> str:
    """String, what every pool of a market can be priced with anywhere."""
    return DEPTH_PREFIX + market


def funding_key(share: int) -> str:
    """String, a ``funding`` envelope with every market of a share."""
    return f"funding:{share}"


def share_of(market: MarketId | str, shares: int) -> int:
    """Which of so many shares a market belongs to, the same in every process."""
    return zlib.crc32(market.encode()) % shares


def price_room(market: MarketId | str) -> str:
    return f"price:{market}"


def ladder_room(market: MarketId | str) -> str:
    return f"ladder:{market}"


def trades_room(market: MarketId | str) -> str:
    return f"trades:{market}"


def candles_tape_room(market: MarketId | str) -> str:
    """On the tape one room has the candles of all periods; gateways make a room of each."""
    return f"candles:{market}"


def candles_room(market: MarketId | str, period: str) -> str:
    return f"candles:{market}:{period}"


def room_kind(room: str) -> str:
    """``price:BTC-USD`` -> ``price``: also the name of the room's Socket.IO event."""
    return room.partition(":")[0]


def room_market(room: str) -> str:
    """``price:BTC-USD`` -> ``BTC-USD``; empty for rooms without a market."""
    return room.partition(":")[2]
