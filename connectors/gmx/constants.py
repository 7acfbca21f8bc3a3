"""Endpoints, limits and times of the GMX keeper service and of the chain behind it.

Source: gmx-io/gmx-interface ``sdk/src/configs/oracleKeeper.ts`` (hosts), GMX documentation of the
REST API (paths, cache times); the service publishes no rate limit.
"""

from typing import Final

from domain.ids import VenueId

VENUE: Final = VenueId("gmx")

KEEPER_URLS: Final = {
    "live": (
        "https://arbitrum-api.gmxinfra.io",
        "https://arbitrum-api-fallback.gmxinfra.io",
        "https://arbitrum-api-fallback.gmxinfra2.io",
        "https://arbitrum-api.gmxinfra2.io",
    ),
    "testnet": ("https://dolphin-app-a2dup.ondigitalocean.app",),
}
API_URLS: Final = {"live": ("https://arbitrum.gmxapi.io",)}
"""The GMX API, which has what the keeper has not."""
NATIVE_TOKENS: Final = {
    42161: "0x82af49447d8a07e3bd95bd0d56f35241523fbab1",
    421614: "0x980b62da83eff3d4576c647993b0c1d7faf17c73",
}
"""Address of the wrapped token that gas is paid in, whose price the tickers have."""
CHAIN_IDS: Final = {"live": 42161, "testnet": 421614, "sandbox": 42161}

TICKERS_PATH: Final = "/prices/tickers"
INFO_PATH: Final = "/markets/info?marketTokensData=true"
DAY_PATH: Final = "/prices/24h"
MARKETS_PATH: Final = "/markets"
TOKENS_PATH: Final = "/tokens"
LIMITS_PATH: Final = "/v1/markets"
CONFIG_PATH: Final = "/v1/markets/config"
VALUES_PATH: Final = "/v1/markets/values"

REST_PER_SECOND: Final = 4.0
"""Of one host. The oracle has a new price once a second; nothing is to be had by asking faster."""

TICKERS_EVERY_NS: Final = 500_000_000
INFO_EVERY_NS: Final = 5_000_000_000
DAY_EVERY_NS: Final = 60_000_000_000
CONFIG_EVERY_NS: Final = 60_000_000_000
VALUES_EVERY_NS: Final = 5_000_000_000
GAS_EVERY_NS: Final = 60_000_000_000

REUSE_NS: Final = 200_000_000
"""Pollers of the same path get the same answer within this time."""

TICKERS_TIMEOUT_S: Final = 1.5
"""A host that is slower has cost more than half of MAX_AGE_NS; the next one is asked."""
TIMEOUT_S: Final = 5.0
LIMITS_TIMEOUT_S: Final = 1.5
"""A list of markets does not wait longer for what is nice to know."""

HOST_REST_NS: Final = 15_000_000_000
"""How long a host is passed over after it failed."""

MAX_AGE_NS: Final = 2_500_000_000
"""Without a good poll for this long no price is known to be current."""

TICKER_MAX_AGE_US: Final = 15_000_000
"""An older oracle price is none."""
TICKER_LAG_US: Final = 5_000_000
"""A host whose newest price is older is used, but another one may do better."""
TICKER_AHEAD_US: Final = 15_000_000
"""A price from further in the future is nonsense, and so would be every age compared with it."""

INFO_MAX_AGE_NS: Final = 20_000_000_000
"""Liquidity not heard of for longer is unknown."""

VALUES_MAX_AGE_US: Final = 20_000_000
"""Values of a pool that the service read longer ago are unknown."""
VALUES_LAG_US: Final = 10_000_000
"""A host that has read nothing for as long is used, but another one may do better."""
CONFIG_MAX_AGE_NS: Final = 200_000_000_000
"""Governance seldom changes anything; three polls may fail."""
READS_EVERY_NS: Final = 1_000_000_000
READS_AT_ONCE: Final = 8
"""Pools that are read from the chain at a time, some 270 calls in one batch: no contract is asked
to gather them, which others would have to deploy."""
READ_WAIT_NS: Final = 6_000_000_000
"""A request that was not answered for so long is forgotten."""
READS_AFTER_NS: Final = 3_000_000_000
"""So long after a start the API is waited for."""
READ_MAX_AGE_NS: Final = 20_000_000_000
"""What was read of a pool longer ago is unknown."""
GAS_MAX_AGE_NS: Final = 200_000_000_000
"""As long; what an order has to bring along is asked for when it is made."""

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_ROWS: Final = 2_000
"""The longest known answer has 134 rows and some 150 KB."""
MAX_VALUES_BYTES: Final = 4 * 1024 * 1024
"""The configuration of 134 pools has some 600 KB."""

GARBAGE_BUDGET: Final = 10
"""Unreadable answers in a row before the poll is given up and says why."""

SIZE_DIGITS: Final = 6

# The contracts' events --------------------------------------------------------------------------

EVENT_KINDS: Final = {
    "EventLog1": "0x137a44067c8961cd7e1d876f4754a5a3a75989b4552f1843fc69c3b372def160",
    "EventLog2": "0x468a25a7ba624ceea6e540ad6f49171b52495b648417ae91bca21676d8a24dc5",
}
"""The first topic; the kind is the number of topics after the name. All that is asked for has one
or two."""

EVENTS: Final = {
    "OraclePriceUpdate": "0x41c7b30afab659d385f1996d0addfa6e647694862e72378d0b43773f556cbeb2",
    "OpenInterestUpdated": "0x00196834ad19e18bcab573766c501e3a5cf9a022e5fc21614e0dc7655b7e9c8f",
    "OpenInterestInTokensUpdated": (
        "0xfbbe3c3c8271403e547b480ca2b55983a21fe524ed9d85d50d72a461e3290111"
    ),
    "PoolAmountUpdated": "0xf4cb25a2cd3af50847ea41e39e0b572ab9c2d43065dcf3460884e62301851853",
    "PositionIncrease": "0xf94196ccb31f81a3e67df18f2a62cbfb50009c80a7d3c728a3f542e3abc5cb63",
    "PositionDecrease": "0x07d51b51b408d7c62dcc47cc558da5ce6a6e0fd129a427ebce150f52b0e5171a",
    "OrderCreated": "0xa7427759bfd3b941f14e687e129519da3c9b0046c5b9aaa290bb1dede63753b3",
    "OrderUpdated": "0x84b670ed7b7ee8ccb350963a7dea39493daff6e7a43ab021a0e4ac2d652d359e",
    "OrderExecuted": "0x680f10f06595d3d707241f604672ec4b6ae50eb82728ec2f3c65f6789e897760",
    "OrderCancelled": "0xc7bb288dfd646d5b6c69d5099dd75b72f9c8c09ec9d40984c8ad8182357ae4b2",
    "OrderFrozen": "0x073fdba4e5f6b272d64068005c56e7adbaa6d8de035ca1f7b08422c6dc9fe606",
    "OrderSizeDeltaAutoUpdated": (
        "0xb05b114a7f40ac32ae3434bb471c7c290d8378f8799381f8d644bc6aa86762fb"
    ),
    "OrderCollateralDeltaAmountAutoUpdated": (
        "0x6830fdbb2d7dd783d51d86f788fc4377eff6d56b7bf1bf8a58fea76a39af4137"
    ),
}
"""The second topic: keccak256 of the event's name."""

MAX_EVENT_BYTES: Final = 16 * 1024
"""The longest known event has 6 KB. The ABI lets a few bytes refer to each other so that decoding
takes a time that grows with the square of the length."""

HEAD_MAX_AGE_NS: Final = 10_000_000_000
"""Arbitrum makes four blocks a second: a node without a new one for this long is of no use."""

RPC_TIMEOUT_NS: Final = 10_000_000_000

REPLAY_OVERLAP_BLOCKS: Final = 16
"""Read again after a reconnect: a head can be told before the logs of its block."""
REPLAY_CHUNK_BLOCKS: Final = 20
"""Asked for at a time; decoding an event takes half a millisecond, and quotes must not wait."""
MAX_REPLAY_BLOCKS: Final = 4_000
"""After a longer absence nothing is made up for: what was known is forgotten."""

LOGS_REMEMBERED: Final = 16_384
"""For telling repeated logs; far more than a replay's overlap can hold."""

# Gas --------------------------------------------------------------------------------------------

GAS_KEYS: Final = {
    "INCREASE_ORDER_GAS_LIMIT": (
        "0x983e0a7f5307213e84497f2543331fe5e404db14ddf98f98dc956e0ee3ab6875"
    ),
    "DECREASE_ORDER_GAS_LIMIT": (
        "0xfce7a3444b72c2d30987163c1f2e6c00cffa03bf0b6ca2f077e8db006b4cae8b"
    ),
    "SWAP_ORDER_GAS_LIMIT": "0x1df34600e0072da6588ec3a179142a668c6e62238ad3354a7d2a3ae665b50f5c",
    "SINGLE_SWAP_GAS_LIMIT": "0x3be28fb346f7abc4a956a16d3739c8c4bfcca9385988c64bf86cdd16638c1f81",
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1": (
        "0x39288f227e5db9a793e9f4afb15aa22b77dbb7e410ffc973c816a19a6ed921cd"
    ),
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE": (
        "0xf95915378e4358fb5f51ae0fd75853a15a29a978eb14b73d5c5b7d69d3b9fccc"
    ),
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR": (
        "0xce135f2a886cf6d862269f215b1e64498fa09cb04f90b771b163399df2a82b81"
    ),
}
"""Of the DataStore: keccak256 of the ABI-encoded name."""

GET_UINT: Final = "0xbd02d0f5"
"""Selector of ``getUint(bytes32)``."""

CREATE_ORDER_GAS: Final = 1_000_000
"""What GMX's interface plans for the transaction that creates an order."""

# Roles ------------------------------------------------------------------------------------------

ROUTER_ROLES: Final = {
    "CONTROLLER": "0x97adf037b2472f4a6a9825eff7d2dd45e37f2dc308df2a260d6a72af4189a65b",
    "ROUTER_PLUGIN": "0xc82e6cc76072f8edb32d42796e58e13ab6e145524eb6b36c073be82f20d410f3",
}
"""What the exchange router in use has in the RoleStore: keccak256 of the ABI-encoded name."""

HAS_ROLE: Final = "0xac4ab3fb"
"""Selector of ``hasRole(address,bytes32)``."""
