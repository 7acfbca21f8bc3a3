"""How fast dYdX's stream is: frames through parse, book and touch, and one flush to Redis.

Budget: at most 5 times the time of ``orjson.loads`` alone on the same frames in the same run.
Frames are captured from the sandbox's indexer over a socket (unbatched, one level a frame, as the
feed subscribes) and, beside them, the recorded ETH-USD batches of the real one.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson
from websockets.asyncio.client import connect

from aggregator import resp
from aggregator.consolidate import Consolidator
from benchmarks.support import ROOT, compare, run_loads, sandbox, seconds
from connectors.base import markets as market_table
from connectors.dydx import parse
from connectors.dydx.session import DydxSession
from domain.events import Liveness, VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import price_data
from domain.units import Grid
from runtime.tasks import tune_interpreter
from runtime.wire import Envelope, encode_batch, encode_envelope

FRAMES = 40_000
"""Some 1,200 to a snapshot: a minute of a busy market, which is how often its book is renewed."""

CHUNK = 200
REPEATS = 500
BUDGET = 5.0
SOURCE = SourceId("dydx:ws:0")
DYDX = VenueId("dydx")
RECORDED = ROOT / "tests" / "data" / "dydx" / "abacus" / "v4_orderbook_eth_sequence.jsonl"


async def capture(ws_url: str, http_url: str) -> tuple[list[Market], list[bytes]]:
    """The busiest 32 markets of the replica and the frames of a connection that follows them."""
    table = market_table.load()
    async with httpx.AsyncClient() as client:
        rows = (await client.get(f"{http_url}/v4/perpetualMarkets")).json()["markets"]
    listed = [
        parse.market(row, canonical, "sandbox")
        for ticker, row in rows.items()
        if (canonical := table.canonical(DYDX, ticker)) is not None and row["status"] == "ACTIVE"
    ][:32]
    frames: list[bytes] = []
    session = DydxSession(listed, (), 0)
    async with connect(ws_url, compression=None, max_size=None) as socket:
        while len(frames) < FRAMES:
            frame = await socket.recv(decode=False)
            frames.append(frame)
            session.receive(frame, 0, 0)
            session.events()
            for text in session.outgoing():
                await socket.send(text)
    return listed, frames


class FeedOfOne:
    """Session, books and the touch after every frame, as the feed role runs them."""

    def __init__(self, listed: Sequence[Market]) -> None:
        self._session = DydxSession(listed, (), 0)
        self.consolidator = Consolidator({DYDX: 10**18})
        self.consolidator.attach(SOURCE, DYDX, listed)
        self._rows = {row.market.market: row for row in self.consolidator.rows_of(DYDX)}

    def prepare(self) -> None:
        """Nothing comes from elsewhere."""

    def run(self, frames: Sequence[bytes]) -> None:
        session, consolidator, rows = self._session, self.consolidator, self._rows
        for frame in frames:
            session.receive(frame, 1, 1)
            events = session.events()
            if events:
                consolidator.apply(SOURCE, events, 1, 1)
                first = events[0]
                if type(first) is tuple:
                    rows[first[0]].book.touch()
        consolidator.trades()

    def verify(self) -> None:
        """Books hold what the frames built up."""
        self.consolidator.apply(SOURCE, [VenueStatus("live"), Liveness()], 1, 1)
        shown = [best.quotes[0] for best in self.consolidator.flush(1)]
        if not any(quote.state == "live" and quote.bid_e18 is not None for quote in shown):
            raise SystemExit("no market has a price: the measurement is void")


def recorded() -> tuple[list[Market], list[bytes]]:
    """The recorded ETH-USD sequence: its snapshot, then its batches over and over, renumbered."""
    eth = Market(DYDX, MarketId("ETH-USD"), "ETH-USD", Grid("0.001"), Grid("0.000001"))
    first, *batches = [orjson.loads(line) for line in Path(RECORDED).read_bytes().splitlines()]
    greeting = {"type": "connected", "connection_id": first["connection_id"]}
    sequence = [greeting, first, *batches * REPEATS]
    return [eth], [orjson.dumps({**frame, "message_id": n}) for n, frame in enumerate(sequence)]


def flush_cost(listed: Sequence[Market], frames: Sequence[bytes]) -> None:
    """One flush of 1, 8 and 32 changed markets: consolidate, encode, build the Redis bytes."""
    feed = FeedOfOne(listed)
    feed.run(frames)
    consolidator = feed.consolidator
    consolidator.apply(SOURCE, [VenueStatus("live")], 1, 1)
    rows = [row for row in consolidator.rows_of(DYDX) if row.trusted]
    consolidator.flush(1)
    one_load = statistics.median(seconds(run_loads, frames) for _ in range(3)) / len(frames)
    print("one flush, from changed books to the bytes for Redis (reference: one orjson.loads):")
    for count in (1, 8, 32):
        costs = []
        for turn in range(1, 300):
            for row in rows[:count]:
                best = row.book.raw_best[0]
                if best is not None:
                    consolidator.apply(SOURCE, [(row.market.market, True, best, turn, 9)], 1, 1)
            costs.append(_one_flush(consolidator))
        cost = statistics.median(costs)
        print(
            f"  {count:>2} markets: {cost * 1e6:,.0f} us, {cost / count * 1e6:.1f} us a market"
            f" = {cost / count / one_load:.1f} x"
        )


def _one_flush(consolidator: Consolidator) -> float:
    started = time.process_time()
    envelopes, parts = [], []
    for best in consolidator.flush(2):
        room = f"price:{best.market}"
        body = encode_envelope("update", room, 1, 1, "frame", 1, 2, price_data(best))
        envelopes.append(Envelope(room, 1, body))
        parts.append(resp.set_px(room, body, 100))
    parts.append(resp.publish("tape", encode_batch(1, 2, envelopes)))
    b"".join(parts)
    elapsed = time.process_time() - started
    if not envelopes:
        raise SystemExit("nothing was flushed: the measurement is void")
    return elapsed


def main() -> None:
    tune_interpreter()
    with sandbox(rate=20) as urls:
        listed, frames = asyncio.run(capture(urls["PERP_DYDX_WS_URL"], urls["PERP_DYDX_HTTP_URL"]))
    compare("dYdX, unbatched", lambda: FeedOfOne(listed), frames, BUDGET, CHUNK)
    eth, batches = recorded()
    compare("dYdX, recorded batches", lambda: FeedOfOne(eth), batches, BUDGET, CHUNK)
    flush_cost(listed, frames)


if __name__ == "__main__":
    main()
