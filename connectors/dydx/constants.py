"""Endpoints, limits and times of the dYdX indexer.

Source: dydxprotocol/v4-chain ``indexer/services/socks`` and ``comlink`` (limits are the server's
defaults; an operator can change them), v4-documentation ``interaction/endpoints``.
"""

from typing import Final

from domain.ids import VenueId

VENUE: Final = VenueId("dydx")

WS_URLS: Final = {
    "live": "wss://indexer.dydx.trade/v4/ws",
    "testnet": "wss://indexer.v4testnet.dydx.exchange/v4/ws",
}
HTTP_URLS: Final = {
    "live": "https://indexer.dydx.trade",
    "testnet": "https://indexer.v4testnet.dydx.exchange",
}
CHAIN_IDS: Final = {
    "live": "dydx-mainnet-1",
    "testnet": "dydx-testnet-4",
    "sandbox": "localdydxprotocol",
}

REST_PER_SECOND: Final = 5.0
"""Half of the allowed 100 requests in 10 s an address."""

RETRY_AFTER_UNIT_S: Final = 0.001
"""The server's ``Retry-After`` is in milliseconds, where HTTP means seconds."""

SUBSCRIPTIONS_PER_CHANNEL: Final = 32
"""The server's limit of ids a channel on one connection."""

SUBSCRIBES_IN_FLIGHT: Final = 12
"""Requests unanswered at a time: each makes the server fetch a snapshot, and error frames without
an id are only told apart by their being few."""

SUBSCRIBE_SPACING_NS: Final = 1_000_000_000
"""Between two subscribes of one id: the server allows 2 a second and closes on the third."""

SUBSCRIBE_TIMEOUT_NS: Final = 2_000_000_000
SUBSCRIBE_TIMEOUT_CAP_NS: Final = 20_000_000_000
"""A subscribe is asked again after the first, doubling to the second, which is as long as the
server itself waits for the snapshot. Where messages are missing the answer was lost, not slow, and
the time does not double."""

GREETING_NS: Final = 3_000_000_000
"""``connected`` comes at once after the handshake."""

HOLE_NS: Final = 1_500_000_000
"""A message id missing for longer is lost: TCP keeps the order, so the server dropped it."""

MAX_ID_JUMP: Final = 1_000
"""A larger jump is not late frames but a counter that cannot be followed."""

HEIGHT_MAX_AGE_NS: Final = 5_000_000_000
"""Without a new block height for this long the connection's prices are not known to be current."""

SILENT_NS: Final = 6_000_000_000
"""No frame at all for this long: the socket is dead whatever TCP says."""

NO_HEIGHT_NS: Final = 20_000_000_000
"""Frames but no block height for this long: another connection may do better."""

RESNAPSHOT_NS: Final = 60_000_000_000
"""Every book is fetched again this often: an update published between the server's snapshot and its
subscription reaches nobody, and levels cleaned up by the server are never announced."""

RESNAPSHOT_LATE_NS: Final = 1_000_000_000
"""How long the old book is used while it is being replaced."""

GARBAGE_BUDGET: Final = 20
GARBAGE_WINDOW_NS: Final = 10_000_000_000
"""Unreadable frames within the window before the connection is given up."""

TRADES_IN_SNAPSHOT: Final = 50

AUDIT_INTERVAL_NS: Final = 2_000_000_000
"""One book is compared with REST this often, in turn."""
