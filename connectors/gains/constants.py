"""Endpoints, scales and times of Gains (gTrade v10.2 and later).

Source: docs.gains.trade ``developer/integrators`` (price-feed, backend), GainsNetwork-org/sdk
``src/constants.ts`` and ``src/pricing/depthBands.ts``; scales checked against the contracts.
"""

from typing import Final

from domain.ids import VenueId

VENUE: Final = VenueId("gains")

PRICING_WS_URL: Final = "wss://backend-pricing.eu.gains.trade/v4"
PRICING_HTTP_URL: Final = "https://backend-pricing.eu.gains.trade"
"""One host prices the pairs of every chain, test networks included."""

CHAINS: Final[dict[str, dict[int, str]]] = {
    "live": {
        42161: "backend-arbitrum.gains.trade",
        137: "backend-polygon.gains.trade",
        8453: "backend-base.gains.trade",
    },
    "testnet": {421614: "backend-sepolia.gains.trade"},
}
"""Host of the backend of each chain, for https and wss."""

VARIABLES_PATH: Final = "/trading-variables"
CHARTS_PATH: Final = "/charts"

REST_PER_SECOND: Final = 1.0
"""Figures of the venue's limits are not published."""

PRICE_DECIMALS: Final = 10
PRICE_TO_E18: Final = 10**8
PRICE_MAX_E10: Final = 2**64 - 1
"""Contract scale of prices, and the most its storage holds."""

PERCENT: Final = 10**10
"""One percent: percentages are integers of 1e-10 percent."""

FACTOR_ONE: Final = 10**10
"""Scale of the factors of a pair."""

PPM: Final = 10**6
"""One part per million in 1e-10 percent."""

FULL_BPS: Final = 10_000

FRAME_MAX_AGE_NS: Final = 3_000_000_000
"""A keep-alive comes every second; without any frame for this long prices are not known to be
current."""

PRINT_MAX_AGE_NS: Final = 90_000_000_000
"""A crypto price that did not change for longer is none: the stream sends changes only, so silence
about a pair is usual (BTC up to 8.5 s, the longest that was measured; quiet pairs longer)."""

TIME_BACK_MS: Final = 60_000
TIME_BACK_NS: Final = 2_000_000_000
"""A frame this much older than one before is no repetition, and neither are older frames for this
long (a keep-alive came after 1.5 s at the latest): the venue's clock was set back, and only a new
connection starts counting anew."""

REOPEN_MAX_AGE_NS: Final = 15_000_000_000
"""How old a price may be that is used when a market opens."""

SEED_SPACING_NS: Final = 30_000_000_000
"""Between two fetches of all prices because single ones could not be read."""

STREAM_MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
"""A chain's stream begins with its whole state."""

POLL_NS: Final = 30_000_000_000
RELOAD_SPACING_NS: Final = 2_000_000_000
"""A chain's state is fetched this often, and after a doubt at once but no more often than this."""

OUTDATED_SPACING_NS: Final = 10_000_000_000
"""After a message that says what changed but not to which value."""

STATE_MAX_AGE_NS: Final = 90_000_000_000
"""Older state of a chain prices nothing: three polls were missed."""

HOLDING_NS: Final = 10_000_000_000
HOLDING_AT_ONCE: Final = 3
"""Costs of holding are told this often a market, or as often as so many markets at each timer
allow: one with eight pools takes some 0.4 ms."""

HOUR_MS: Final = 3_600_000
BLOCK_MS: Final[dict[int, int]] = {42161: 250, 421614: 250, 137: 2000, 8453: 2000}
"""What the chains aim at between two blocks, for fees that are counted by block. The venue's own
figures are of the same kind: the contracts hold a constant for each chain."""

STREAM_SILENT_NS: Final = 60_000_000_000
"""A chain's stream tells every block."""

WAKE_NS: Final = 200_000_000
"""How often a poll looks whether it is wanted before its time."""

BUFFER: Final = 10_000
"""Stream messages kept while a fetch is under way; with more the fetch is made again."""

WINDOWS_KEPT: Final = 64
"""Open-interest windows of one pair; the contract sums up a handful."""

GARBAGE_BUDGET: Final = 20
GARBAGE_WINDOW_NS: Final = 10_000_000_000
"""Unreadable frames within the window before the connection is given up."""
