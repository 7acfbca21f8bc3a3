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
FUNDING_SHARES: Final = 20
"""Funding is told and written in shares, one after the other."""
FUNDING_MS: Final = 1_000
FUNDING_TTL_MS: Final = 3_000
LEASE_MS: Final = 1_500

NONCE_TTL_S: Final = 300
"""``nonce:<value>``: string, what a sign-in nonce was given for. Read and deleted at once."""

SESSION_TTL_S: Final = 24 * 3600
"""``session:<id>``: hash, ``account_id``, ``address``, ``chain_id``, or ``ended``. Since the last
use."""

EVENTS_KEPT: Final = 1_000
EVENTS_KEPT_S: Final = 24 * 3600
"""``events:<account>``: stream, an ``account`` envelope an entry, the id is its ``seq``. The last
``EVENTS_KEPT``; all go ``EVENTS_KEPT_S`` after the last one."""

SESSIONS_ENDED: Final = "sessions:ended"
"""Stream, ids of sessions that were ended, for gateways with sockets of theirs."""
SESSIONS_ENDED_KEPT: Final = 10_000

ORDERS_STREAM: Final = "orders"
"""Stream, ``order`` and ``version`` an entry: a worker shall look at it. What is true of an order
is in Postgres. Trimmed below the oldest entry that is not acknowledged."""
ORDERS_GROUP: Final = "executor"
ORDERS_DEAD_STREAM: Final = "orders:dead"
"""Stream, ``letter``, ``order`` and ``code`` an entry. Kept."""

PRICES_ROOM: Final = "prices"
VENUES_ROOM: Final = "venues"
FUNDING_ROOM: Final = "funding"
ACCOUNT_ROOM: Final = "account"
"""The one room that is another one for every account."""

RoomKind = Literal["price", "prices", "venues", "trades", "candles", "ladder", "funding", "account"]


def quote_key(market: MarketId | str) -> str:
    return QUOTE_PREFIX + market


def nonce_key(nonce: str) -> str:
    return f"nonce:{nonce}"


def link_key(nonce: str) -> str:
    """String, which account asked to link which address with this nonce; as long as ``nonce:*``."""
    return f"link:{nonce}"


def rate_key(policy: str, client: str) -> str:
    """String, the token bucket of a client: what is left, and when that was so."""
    return f"rate:{policy}:{client}"


def session_key(session_id: str) -> str:
    return f"session:{session_id}"


def events_key(account_id: str) -> str:
    return f"events:{account_id}"


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
