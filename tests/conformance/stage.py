"""A wire over real sockets, with the real connector, drivers and runners at the other end.

A ``Place`` is the venue: one port that answers GETs and speaks WebSocket as its wire says. A
``Stage`` runs the connectors of some places into one consolidator. Nothing here measures time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from aggregator.consolidate import Consolidator
from aggregator.rooms import venue_report
from aggregator.venue_runner import VenueRunner
from connectors.base.protocol import Frame, HttpReply, VenueConnector
from domain.events import Event
from domain.ids import MarketId, SourceId, VenueId
from domain.quote import BestQuote, VenueQuote
from runtime.clock import mono_ns, wall_us
from runtime.tasks import supervise
from tests.conformance.conftest import MakeWire
from tests.conformance.kit import START_NS, START_US, A, B, Sent, Touch, Wire
from tests.integration.feed_kit import until

BEAT_S = 0.1


def wire_ns() -> int:
    """The clock of a wire, which stands for the wall clock."""
    return START_NS + (wall_us() - START_US) * 1000


@dataclass(slots=True)
class Line:
    """A socket and a wire of its own: connections count for themselves."""

    socket: ServerConnection
    wire: Wire
    source: SourceId

    async def say(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            assert not isinstance(frame, HttpReply)
            await self.socket.send(frame.decode() if isinstance(frame, bytes) else frame)


class Place:
    """``lists``: instead of the wire's answers, by path. ``refusal``: status and wait of every
    answer. ``asked``: GETs and handshakes by path; ``said``: how often it told a price."""

    def __init__(self, make: MakeWire) -> None:
        self.wire = make()
        self.lists: dict[str, bytes] = {}
        self.refusal: tuple[int, int] | None = None
        self.asked: Counter[str] = Counter()
        self.said = 0
        self.port = 0
        self._make = make
        self._lines: list[Line] = []
        self._swallow: set[str] | None = None
        self._over = asyncio.Event()

    def connector(self) -> VenueConnector:
        return self.wire.connector(f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}")

    # What comes in ------------------------------------------------------------------------------

    async def on_request(self, _socket: ServerConnection, request: Request) -> Response | None:
        path = request.path
        self.asked[path] += 1
        if self.refusal is not None:
            status, wait_s = self.refusal
            return _response(status, b"", {"Retry-After": self.wire.retry_after(wait_s)})
        if "Upgrade" in request.headers:
            return None
        if self._swallow is not None and path not in self._swallow:
            self._swallow.add(path)
            await self._over.wait()
        body = self.lists[path] if path in self.lists else self.wire.get(path, wire_ns())
        self.said += 1
        return _response(404, b"") if body is None else _response(200, body)

    async def on_socket(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        wire = self._make()
        wire.prices, wire.listed = self.wire.prices, self.wire.listed
        wire.rescaled = self.wire.rescaled
        line = Line(socket, wire, wire.speaks(socket.request.path))
        self._lines.append(line)
        with suppress(ConnectionClosed):
            await line.say(list(wire.opened(line.source, wire_ns())))
            async for request in socket:
                await line.say(list(wire.answer(line.source, str(request), wire_ns())))
        if line in self._lines:
            self._lines.remove(line)

    # What goes out ------------------------------------------------------------------------------

    async def beat(self) -> None:
        """For ever: proofs of life and prices on every socket."""
        while True:
            await asyncio.sleep(BEAT_S)
            for line in list(self._lines):
                sent = [*line.wire.proof(wire_ns())]
                for market in (A, B):
                    sent += line.wire.update(market, wire_ns())
                await self._tell(line, sent)
            self.said += bool(self._lines)

    async def relist(self) -> None:
        """The streams tell that the list has changed."""
        for line in list(self._lines):
            await self._tell(line, line.wire.relisted(wire_ns()))

    async def _tell(self, line: Line, sent: Sequence[Sent]) -> None:
        with suppress(ConnectionClosed):
            await line.say([frame for source, frame in sent if source == line.source])

    # Faults -------------------------------------------------------------------------------------

    def refuse(self, status: int, wait_s: int) -> None:
        """Every connection ends, and every answer is this."""
        self.refusal = (status, wait_s)
        for line in self._lines:
            line.socket.transport.abort()

    def end(self) -> None:
        self._over.set()

    def hang(self) -> None:
        """Nothing is heard any more of connections there are, nor of the next GET of each path."""
        self._swallow = set()
        for line in self._lines:
            line.socket.transport.pause_reading()
        self._lines.clear()


def _response(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    fields = {"Content-Length": str(len(body)), "Connection": "close"} | (headers or {})
    return Response(status, "As told", Headers(fields), body)


class Stage:
    """Places, a runner for each, and what would be published."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._connectors = [place.connector() for place in places]
        self.core = Consolidator({made.venue: made.rules.max_age_ns for made in self._connectors})
        self.runners = [VenueRunner(made, self.core, self.sink, None) for made in self._connectors]
        self.said: dict[MarketId, BestQuote] = {}
        self.history: list[BestQuote] = []

    def sink(self, source: SourceId, events: Sequence[Event], wall: int, mono: int) -> None:
        self.core.apply(source, events, wall, mono)
        self._flush()

    def _flush(self) -> None:
        for best in self.core.flush(mono_ns()):
            self.said[best.market] = best
            self.history.append(best)
        for source, market in self.core.snapshots_wanted():
            for runner in self.runners:
                runner.resync(source, market)

    async def advance(self) -> None:
        while True:
            await asyncio.sleep(0.04)
            self.core.advance(wall_us(), mono_ns())
            self._flush()

    async def close(self) -> None:
        for runner in self.runners:
            await runner.close()

    # What is published --------------------------------------------------------------------------

    def quote(self, market: MarketId, venue: VenueId) -> VenueQuote | None:
        best = self.said.get(market)
        return next((q for q in best.quotes if q.venue == venue), None) if best else None

    def since(self, market: MarketId, venue: VenueId) -> list[VenueQuote]:
        """Everything said of a market at a venue since ``history`` was cleared."""
        said = (quote for best in self.history if best.market == market for quote in best.quotes)
        return [quote for quote in said if quote.venue == venue]

    def shows(self, place: Place, *markets: MarketId) -> bool:
        """Whether these markets have the very prices of the venue."""
        for market in markets:
            quote = self.quote(market, place.wire.venue)
            shown = (None, None) if quote is None else (quote.bid_e18, quote.ask_e18)
            if shown != place.wire.truth(market):
                return False
        return True

    def trouble(self, number: int = 0) -> str:
        """Why a venue is out, as its row tells it; empty while it is not."""
        runner = self.runners[number]
        report = venue_report(self.core, runner.venue, runner.trouble)
        return "" if report.state == "live" else report.reason or ""

    async def until_right(self) -> None:
        """Until every venue shows what it should of both markets."""
        await until(lambda: all(self.shows(at, A, B) for at in self.places), "all prices right")

    async def until_said(self, place: Place, times: int = 5) -> None:
        """Until the venue told its prices some more."""
        least = place.said + times
        await until(lambda: place.said >= least, "more prices told")

    async def price(self, place: Place, bid: str, ask: str) -> None:
        place.wire.prices[A] = Touch(bid, ask)
        await until(lambda: self.shows(place, A), "the new price")

    async def refresh(self, number: int = 0) -> None:
        """Reads a market list again, without the half minute between two."""
        self.runners[number]._reconcile(await self._connectors[number].load_markets())


@asynccontextmanager
async def serving(*makes: MakeWire) -> AsyncIterator[list[Place]]:
    """Venues that answer but are not yet asked."""
    async with AsyncExitStack() as stack:
        places = [Place(make) for make in makes]
        for place in places:
            server = await stack.enter_async_context(
                serve(
                    place.on_socket, "127.0.0.1", 0,
                    process_request=place.on_request, compression=None, close_timeout=0.1,
                )
            )  # fmt: skip
            place.port = next(iter(server.sockets)).getsockname()[1]
        beats = [asyncio.create_task(place.beat()) for place in places]
        try:
            yield places
        finally:
            for place in places:
                place.end()
            for task in beats:
                task.cancel()
            done = await asyncio.gather(*beats, return_exceptions=True)
            assert [error for error in done if not isinstance(error, asyncio.CancelledError)] == []


@asynccontextmanager
async def playing(*makes: MakeWire, listed: Sequence[MarketId] = (A, B)) -> AsyncIterator[Stage]:
    """Venues and the part of the feed that listens to them, once all prices are right."""
    async with serving(*makes) as places:
        for place in places:
            place.wire.listed &= set(listed)
        stage = Stage(places)
        loops = [stage.advance, *(runner.run for runner in stage.runners)]
        tasks = [asyncio.create_task(supervise("stage", loop)) for loop in loops]
        try:
            await until(lambda: all(stage.shows(at, *listed) for at in places), "prices")
            yield stage
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await stage.close()
