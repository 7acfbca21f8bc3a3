"""How fast the Gains price stream is: arrays of 25 pairs through parse, state and touch.

Budget: at most 4 times the time of ``orjson.loads`` alone on the same frames in the same run. The
frames are batches of the sandbox's price stream at its own cadence, cut to 25 pairs; every price in
them is new, because the stream sends nothing else. A pair's touch is one for each pool, and a pool
is a chain and a collateral.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from aggregator.consolidate import Consolidator
from benchmarks.support import compare, free_port, wait_until_served
from connectors.base import markets as market_table
from connectors.base.protocol import HttpReply, HttpTransport, Session, Source
from connectors.gains import connector as gains
from connectors.gains import constants as c
from domain.events import PoolQuote
from domain.ids import MarketId, SourceId
from domain.market import Market
from runtime.settings import Settings
from runtime.tasks import tune_interpreter
from sandbox.faults import NO_FAULTS, FaultBoard
from sandbox.gains.server import Replica
from sandbox.prices import PriceProcess, load_assets

FRAMES: Final = 1_000
CHUNK: Final = 50
"""Some ten seconds: a chain's state, fetched before each, is at most three times as old in use."""

PAIRS: Final = 25
LEAST_POOLS: Final = 2
BUDGET: Final = 4.0
START_US: Final = 1_780_000_000_000_000 - 5 * 3600 * 1_000_000
"""A Thursday at 15:26 UTC, when every market is open."""

_STEP_US: Final = 25_000


class Capture(NamedTuple):
    """``frames`` with ``times_us`` at which they were sent. ``bodies``: what polls are answered.
    ``market_of``: by pair index."""

    markets: Sequence[Market]
    sources: Sequence[Source]
    bodies: Mapping[SourceId, bytes]
    frames: Sequence[bytes]
    times_us: Sequence[int]
    market_of: Mapping[int, MarketId]


async def capture() -> Capture:
    """Lists and states over HTTP, as the feed asks for them; then the stream on its own clock."""
    prices = PriceProcess(load_assets(), 1)
    replica = Replica(prices, FaultBoard(), seed=1, rate=1, clock=lambda: START_US)
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(replica.run(port, stop))
    await wait_until_served(port)
    table = market_table.load()
    connector = gains.from_settings(_settings(f"127.0.0.1:{port}", replica.chains), table)
    listed = await connector.load_markets()
    sources = connector.sources(listed)
    bodies = {}
    for source in sources:
        if isinstance(source.transport, HttpTransport):
            path = c.CHARTS_PATH if ":charts:" in source.source_id else c.VARIABLES_PATH
            bodies[source.source_id] = await source.transport.fetch(path)
    await connector.close()
    stop.set()
    await serving
    market_of = {
        int(key): market.market
        for market in listed
        if (key := table.venue_key(c.VENUE, market.market)) is not None
    }
    frames: list[bytes] = []
    times_us: list[int] = []
    now_us = START_US
    while len(frames) < FRAMES:
        now_us += _STEP_US
        batch = replica.feed.step(now_us, NO_FAULTS)
        entries = [] if batch is None else batch.v3[1:-1].split(b",")[: 2 * PAIRS]
        if len(entries) == 2 * PAIRS:
            frames.append(b"[" + b",".join(entries) + b"]")
            times_us.append(now_us)
    return Capture(listed, sources, bodies, frames, times_us, market_of)


def _settings(host: str, chains: Iterable[int]) -> Settings:
    return Settings(
        gains_pricing_ws_url=f"ws://{host}/v3",
        gains_pricing_http_url=f"http://{host}/pricing",
        gains_backend_urls={chain: f"http://{host}/backend/{chain}" for chain in chains},
        gains_backend_ws_urls={chain: f"ws://{host}/backend/{chain}" for chain in chains},
    )


class GainsFeed:
    """The sessions of the prices and of every chain's state, the consolidator and the touch after
    every frame, as the feed role runs them."""

    def __init__(self, captured: Capture, number: int = 0) -> None:
        """Begins with the frame of that number."""
        self._captured = captured
        self._number = number
        self.consolidator = Consolidator({c.VENUE: c.FRAME_MAX_AGE_NS})
        self._others: list[tuple[Session, HttpReply]] = []
        for source in captured.sources:
            self.consolidator.attach(source.source_id, c.VENUE, source.markets)
            session = source.new_session(self._now()[1])
            if source.source_id in captured.bodies:
                path = c.CHARTS_PATH if ":charts:" in source.source_id else c.VARIABLES_PATH
                self._others.append((session, HttpReply(path, captured.bodies[source.source_id])))
            elif source.markets:
                self._source_id, self._session = source.source_id, session
        self._rows = {row.market.market: row for row in self.consolidator.rows_of(c.VENUE)}

    def _now(self) -> tuple[int, int]:
        """Of the next frame."""
        wall_us = self._captured.times_us[min(self._number, FRAMES - 1)]
        return wall_us, (wall_us - START_US) * 1000

    def prepare(self) -> None:
        """The states are fetched anew, and the price stream's timer goes off."""
        wall_us, mono_ns = self._now()
        for session, reply in self._others:
            session.advance(mono_ns)
            if session.outgoing():
                session.receive(reply, wall_us, mono_ns)
        self._session.advance(mono_ns)
        self.consolidator.apply(self._source_id, self._session.events(), wall_us, mono_ns)

    def run(self, frames: Sequence[bytes]) -> None:
        session, consolidator, rows = self._session, self.consolidator, self._rows
        for frame in frames:
            wall_us, mono_ns = self._now()
            session.receive(frame, wall_us, mono_ns)
            events = session.events()
            consolidator.apply(self._source_id, events, wall_us, mono_ns)
            for market in {event.market: None for event in events if type(event) is PoolQuote}:
                _ = rows[market].best_pool
            self._number += 1

    def verify(self) -> None:
        """Every market is worth what was said of it last, to the last digit, and its pools are
        those of a feed that was told nothing else."""
        captured = self._captured
        last: dict[str, str] = {}
        for frame in captured.frames:
            entries = frame[1:-1].decode().split(",")
            last.update(zip(entries[::2], entries[1::2], strict=True))
        fresh = GainsFeed(captured, FRAMES)
        fresh.prepare()
        fresh.run([f"[{','.join(f'{pair},{price}' for pair, price in last.items())}]".encode()])
        shown, expected = self.shown(), fresh.shown()
        for pair, price in last.items():
            row, market = shown[captured.market_of[int(pair)]], captured.market_of[int(pair)]
            if row[0] != int(Decimal(price) * 10**10) * 10**8:
                raise SystemExit(f"{market}: {row[0]} is not {price}: the measurement is void")
            if row != expected[market] or len(row[1]) < LEAST_POOLS:
                raise SystemExit(f"{market}: {row} is not {expected[market]}")

    def shown(self) -> Mapping[MarketId, tuple[int | None, Sequence[PoolQuote]]]:
        """What every live market is worth and the pools that it is shown with."""
        quotes = {best.market: best.quotes[0] for best in self.consolidator.flush(self._now()[1])}
        return {
            market: (self._rows[market].oracle_e18, quote.pools)
            for market, quote in quotes.items()
            if quote.state == "live" and quote.bid_e18 is not None and quote.ask_e18 is not None
        }


def main() -> None:
    tune_interpreter()
    captured = asyncio.run(capture())
    pools = sum(len(market.pools) for market in captured.markets)
    print(f"Gains prices: {len(captured.markets)} markets with {pools} pools, all prices new")
    compare(
        f"Gains arrays of {PAIRS} pairs",
        lambda: GainsFeed(captured),
        captured.frames,
        BUDGET,
        CHUNK,
    )


if __name__ == "__main__":
    main()
