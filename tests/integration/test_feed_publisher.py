"""The feed in this process, with a scripted venue and a line to Redis that can be held or cut:
nothing that was said may be missing in the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import pytest_asyncio

from aggregator.service import publishing
from connectors.base.economics import PoolDepth
from connectors.base.protocol import (
    Failure,
    Frame,
    HttpTransport,
    Source,
    VenueConnector,
    VenueRules,
)
from connectors.dydx.economics.pricing import BookInputs
from connectors.dydx.economics.quote import scale_of
from domain.book import BookLevels
from domain.events import BookSnapshot, Event, Funding, Liveness, VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.units import Grid
from runtime.channels import (
    FUNDING_SHARES,
    QUOTE_TTL_MS,
    funding_key,
    ladder_key,
    quote_key,
    share_of,
)
from runtime.clock import mono_ns
from runtime.settings import Settings
from tests.integration.feed_kit import Tape, listening, until

VENUE = VenueId("dydx")
QUIET, OTHER = MarketId("AAA-USD"), MarketId("BBB-USD")


class Script:
    """A venue whose books are what ``bids`` says, and a session that tells them again and again."""

    venue = VENUE
    rules = VenueRules(max_age_ns=5_000_000_000)
    failure: Failure | None = None
    healthy = True

    def __init__(self) -> None:
        self.bids = {QUIET: 100, OTHER: 100}
        self.rates = {QUIET: "0.1", OTHER: "0.1"}
        self._events: list[Event] = []
        self._paths: list[str] = []

    async def load_markets(self) -> Sequence[Market]:
        one = Grid("1")
        return [Market(VENUE, name, name, one, one) for name in self.bids]

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        async def fetch(_path: str) -> bytes:
            return b""

        transport = HttpTransport(fetch)
        return [Source(SourceId("dydx:0"), transport, lambda _now: self, tuple(markets))]

    def list_notes(self) -> None: ...

    def take_list(self, markets: Sequence[Market], notes: Any) -> None: ...

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        assert book is not None
        inputs = BookInputs(scale_of(market), tuple(book.bids), tuple(book.asks))
        return [PoolDepth(None, inputs)]

    async def close(self) -> None:
        pass

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        self._events += [VenueStatus("live"), Liveness(mono_ns)]
        for name, bid in self.bids.items():
            self._events.append(BookSnapshot(name, mono_ns, ((bid, 1),), ((bid + 1, 1),)))
            self._events.append(Funding(name, self.rates[name], 1, None, None, None))

    def advance(self, mono_ns: int) -> None:
        self._paths.append("/")

    def resync(self, market: MarketId, mono_ns: int) -> None:
        pass

    def events(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def outgoing(self) -> list[str]:
        drained, self._paths = self._paths, []
        return drained

    def next_deadline_ns(self) -> int:
        return mono_ns() + 5_000_000


class Line:
    """A TCP line to Redis that can be held, or cut with what is on it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._open = asyncio.Event()
        self._open.set()
        self._swallow = False
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Line":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def lose(self) -> None:
        """Everything sent from now on is lost, until the first batch was, with its connection."""
        self._swallow = True
        while self._swallow:
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(*self._target)
        self._writers += [writer, out]
        back = asyncio.create_task(self._copy(there, writer, both=False))
        await self._copy(reader, out, both=True)
        back.cancel()
        for end in (writer, out):
            end.transport.abort()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, both: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                if both and self._swallow and b"PUBLISH" in data:
                    self._swallow = False
                    return
                writer.write(data)
                await writer.drain()


class Running:
    def __init__(self, script: Script, line: Line, tape: Tape, redis: Any) -> None:
        self.script, self.line, self.tape, self.redis = script, line, tape, redis

    def board(self) -> dict[str, str]:
        """Bids as a reader has them who follows the ``prices`` room from the start."""
        bids: dict[str, str] = {}
        for item in self.tape.envelopes():
            if item.room == "prices":
                for market, row in orjson.loads(item.body)["data"].items():
                    bids[market] = row["bid"]
        return bids

    def rates(self) -> dict[str, str]:
        """As a reader has them who merges the rows of the funding room."""
        rates: dict[str, str] = {}
        for item in self.tape.envelopes():
            if item.room == "funding":
                for market, row in orjson.loads(item.body)["data"].items():
                    rates[market] = row["dydx"]["raw"]
        return rates

    async def until_funded(self, quiet: str, other: str) -> None:
        wanted = {QUIET: quiet, OTHER: other}
        await until(lambda: self.rates() == wanted, f"funding {wanted} in the room")

    async def ladder_is(self, market: MarketId, bid: int) -> bool:
        """Whether the key and the room say the same, of that price."""
        said = [item.body for item in self.tape.envelopes() if item.room == f"ladder:{market}"]
        if not said or await self.redis.get(ladder_key(market)) != said[-1]:
            return False
        return bool(orjson.loads(said[-1])["data"]["mid"] == f"{bid}.5")

    def bid(self, market: str) -> str | None:
        """As a reader has it who follows the market's room."""
        data = self.tape.newest(f"price:{market}")
        return None if data is None else data["bid"]

    async def until_shown(self, quiet: int, other: int) -> None:
        wanted = str(quiet), str(other)

        def shown() -> bool:
            board = self.board()
            rooms = self.bid(QUIET), self.bid(OTHER)
            return rooms == wanted == (board.get(QUIET), board.get(OTHER))

        await until(shown, f"prices {wanted} in the rooms and on the board")


@pytest_asyncio.fixture
async def running(embedded_redis_url: str) -> AsyncIterator[Running]:
    script, stop = Script(), asyncio.Event()
    connector: VenueConnector = script
    parts = urlsplit(embedded_redis_url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with (
        Line(parts.hostname, parts.port) as line,
        listening(embedded_redis_url) as (tape, redis),
    ):
        url = f"redis://:{parts.password}@127.0.0.1:{line.port}/0"
        variables: dict[str, Any] = {"REDIS_URL": url}
        feed = asyncio.create_task(publishing([connector], Settings(**variables)).run(stop))
        made = Running(script, line, tape, redis)
        await made.until_shown(100, 100)
        yield made
        stop.set()
        line.release()
        await feed


async def test_what_a_slow_redis_conflates_leaves_no_row_of_the_board_behind(
    running: Running,
) -> None:
    """Each envelope of the board holds changed rows only: none of them may replace another."""
    for price in range(101, 106):
        running.line.hold()
        running.script.bids[QUIET] = price
        await asyncio.sleep(0.11)
        running.script.bids[OTHER] = price
        await asyncio.sleep(0.11)
        running.line.release()
        await running.until_shown(price, price)


async def test_a_key_that_is_gone_comes_back_as_it_was(running: Running) -> None:
    """Keys of quiet markets are only extended, so what took one away must not go unseen."""
    keys = [quote_key(QUIET), quote_key(OTHER)]

    async def both() -> bool:
        return await running.redis.exists(*keys) == 2

    await until(both, "the keys")
    before = await running.redis.mget(keys)
    said = len(list(running.tape.envelopes()))
    await running.redis.delete(*keys)
    await until(both, "the keys again")
    assert await running.redis.mget(keys) == before
    rooms = {item.room for item in list(running.tape.envelopes())[said:]}
    assert not rooms & {f"price:{QUIET}", f"price:{OTHER}"}


async def test_a_quiet_key_lives_on(running: Running) -> None:
    """It is extended again and again: its life does not only run down."""
    lives: list[int] = []

    async def extended() -> bool:
        lives.append(await running.redis.pttl(quote_key(QUIET)))
        return sum(later > sooner for sooner, later in pairwise(lives)) >= 3

    await until(extended, "a life that grows")
    assert max(lives) <= QUOTE_TTL_MS


async def test_what_was_lost_with_a_connection_is_said_again(running: Running) -> None:
    for price in range(101, 104):
        lost = asyncio.create_task(running.line.lose())
        running.script.bids[QUIET] = price
        await lost
        await running.until_shown(price, 100)
        newest = [item for item in running.tape.envelopes() if item.room == f"price:{QUIET}"][-1]

        async def key_says_it(body: bytes = newest.body) -> bool:
            return await running.redis.get(quote_key(QUIET)) == body

        # A machine that is busy elsewhere may let a key lapse for a moment.
        await until(key_says_it, "the newest price under its key")
    # A connection is not the lease: nobody else has led, the numbers just go on.
    assert len(running.tape.epochs()) == 1


async def test_ladders_and_funding_that_were_lost_are_said_again(running: Running) -> None:
    for price in (101, 102):
        lost = asyncio.create_task(running.line.lose())
        running.script.bids[QUIET] = price
        running.script.rates[QUIET] = f"0.{price}"
        await lost
        await until(partial(running.ladder_is, QUIET, price), "the new ladder")
        await until(partial(running.ladder_is, OTHER, 100), "the old ladder")
        await running.until_funded(f"0.{price}", "0.1")
        raw = await running.redis.get(funding_key(share_of(QUIET, FUNDING_SHARES)))
        assert orjson.loads(raw)["data"][QUIET]["dydx"]["raw"] == f"0.{price}"


async def test_what_a_slow_redis_conflates_leaves_no_row_of_funding_behind(
    running: Running,
) -> None:
    for number in range(2, 6):
        running.line.hold()
        running.script.rates[QUIET] = f"0.{number}"
        await asyncio.sleep(0.11)
        running.script.rates[OTHER] = f"0.{number}"
        await asyncio.sleep(0.11)
        running.line.release()
        await running.until_funded(f"0.{number}", f"0.{number}")


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_step_of_the_wall_clock_stops_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    def told() -> int:
        return sum(item.room == "venues" for item in running.tape.envelopes())

    true_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() + hours * 3_600 * 10**9)
    before = told()
    running.script.bids[QUIET] = 101
    await running.until_shown(101, 100)
    await until(lambda: told() >= before + 2, "the venues, every second")
    assert {data["state"] for data in running.tape.newest("venues").values()} == {"live"}
    assert len(running.tape.epochs()) == 1
