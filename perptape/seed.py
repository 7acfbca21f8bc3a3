"""``perptape seed``: accounts and prices to look at, for a sandbox. Twice is as good as once."""

from typing import Final

import asyncpg

from db import samples
from db.history import TICKS, HistoryStore
from db.instants import instant
from domain.candles import BEST, MINUTE_US, SECOND_US, bucket
from runtime.clock import iso_ms, wall_us
from sandbox.past import Past
from sandbox.prices import load_assets

# The first accounts of every development chain, whose keys everybody knows.
ACCOUNTS: Final = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
)
MARKETS: Final = ("BTC-USD", "ETH-USD", "SOL-USD")
# How far the mid of each lies from that of all.
SERIES: Final = {BEST: 1.0, "dydx": 0.99995, "gmx": 1.0001, "gains": 1.00002}
TICK_S: Final = 30
_HOUR_S: Final = 3600


async def seed(connection: asyncpg.Connection, hours: int) -> str:
    """Says what was written. ``hours`` before now, or before the oldest tick of a series, get
    prices that lead up to it. The schema is up to date. Raises what asyncpg raises."""
    now_us = wall_us()
    await samples.ensure_accounts(connection, ACCOUNTS, instant(now_us))
    store = HistoryStore(connection)
    await store.prepare()
    ticks = 0
    for market in MARKETS:
        for venue in SERIES:
            ticks += await _series(connection, store, market, venue, hours, now_us)
    while await store.roll_up(now_us):
        pass
    return f"{len(ACCOUNTS)} accounts, {ticks} new prices of {', '.join(MARKETS)}"


async def _series(
    connection: asyncpg.Connection,
    store: HistoryStore,
    market: str,
    venue: str,
    hours: int,
    now_us: int,
) -> int:
    """How many ticks were written."""
    if venue != BEST and await samples.is_told(connection, market, venue):
        return 0
    first = await samples.first_tick(connection, market, venue)
    if first is None:
        (asset,) = (asset for asset in load_assets() if asset.market == market)
        end_s, price = now_us // SECOND_US, asset.price * SERIES[venue]
    else:
        end_s, price = first.at_us // SECOND_US, float(first.mid)
    from_s = now_us // SECOND_US - hours * _HOUR_S
    past = Past(market, price, end_s)
    bars = list(past.newest(TICK_S, hours * _HOUR_S // TICK_S, from_s, end_s))
    lines = [
        f"{iso_ms(start_s * SECOND_US)}\t{market}\t{venue}\t{opened:.6f}\n"
        for start_s, opened, _, _, _ in bars
    ]
    if not lines:
        return 0
    minutes = {bucket(start_s * SECOND_US, MINUTE_US) for start_s, *_ in bars}
    return await store.write({TICKS: ["".join(lines).encode()]}, len(lines), minutes)
