"""The market list and the comparison with REST, against a small HTTP server."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.base import markets as market_map
from connectors.base.protocol import HttpReply, WsTransport
from connectors.dydx import constants as c
from connectors.dydx.audit import PATH, AuditSession
from connectors.dydx.connector import DydxConnector, from_settings
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.events import BookAudit
from runtime.settings import Settings, SettingsError
from tests.servers import LOOPBACK
from tests.unit.connectors.dydx.link import START_NS, S, market, recorded

LIST = "nautilus_2024/http/list_perpetual_markets.json"


@asynccontextmanager
async def serving(body: bytes, head: str = "200 OK") -> AsyncIterator[DydxConnector]:
    """A connector whose indexer answers everything with this."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(f"HTTP/1.1 {head}\r\n{length}".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = DydxConnector(
        f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}", LOOPBACK, "chain", market_map.load()
    )
    async with server:
        yield connector
        await connector.close()


async def test_the_recorded_list_is_dealt_out_over_sockets() -> None:
    async with serving(json.dumps(recorded(LIST)).encode()) as connector:
        markets = await connector.load_markets()
        sources = connector.sources(markets)
    assert len(markets) > 100
    assert all(item.chain_ids == ("chain",) for item in markets)
    assert len({item.market for item in markets}) == len(markets)
    books = [source for source in sources if isinstance(source.transport, WsTransport)]
    carried = [item for source in books for item in source.markets]
    assert carried == list(markets)
    assert max(len(source.markets) for source in books) <= c.SUBSCRIPTIONS_PER_CHANNEL
    assert len(sources) == len(books) + 1
    assert len({source.source_id for source in sources}) == len(sources)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"<html>", b'{"markets":null}', b'{"markets":[]}',
        b'{"markets":[1]}', b'{"markets":"text"}', b'{"markets":{}}', b'{"markets":7}',
        b'{"errors":[{"msg":"x"}]}', b"[" * 5000,
    ],
)  # fmt: skip
async def test_a_list_that_makes_no_sense_is_refused(body: bytes) -> None:
    async with serving(body) as connector:
        with pytest.raises(VenueProtocolError) as refused:
            await connector.load_markets()
    assert refused.value.code == "GARBAGE"


@pytest.mark.parametrize("row", [None, 7, [], {}, "x", {"tickSize": "1"}], ids=str)
async def test_one_row_that_makes_no_sense_is_left_out(row: Any) -> None:
    rows = recorded(LIST)["markets"]
    body = {"markets": {"BTC-USD": row, "ETH-USD": rows["ETH-USD"]}}
    async with serving(json.dumps(body).encode()) as connector:
        assert [item.symbol for item in await connector.load_markets()] == ["ETH-USD"]


@pytest.mark.parametrize(
    ("head", "code", "retry_after_s"),
    [
        ("500 Oops", "HTTP_500", None),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "HTTP_302", None),
        # The indexer says milliseconds where HTTP means seconds.
        ("429 Slow down\r\nRetry-After: 2500", "RATE_LIMITED", 2.5),
        ("429 Slow down\r\nRetry-After: 10", "RATE_LIMITED", 1.0),
        ("429 Slow down\r\nRetry-After: 99999999", "RATE_LIMITED", 300.0),
        ("429 Slow down\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT", "RATE_LIMITED", 10.0),
        ("403 Forbidden", "RATE_LIMITED", 10.0),
    ],
)
async def test_refusals(head: str, code: str, retry_after_s: float | None) -> None:
    async with serving(b"{}", head) as connector:
        with pytest.raises(VenueUnavailable) as refused:
            await connector.load_markets()
        assert (refused.value.code, refused.value.retry_after_s) == (code, retry_after_s)
        if retry_after_s:
            # While the ban lasts nothing is asked.
            with pytest.raises(VenueUnavailable) as again:
                await connector.load_markets()
            assert again.value.code == "RATE_LIMITED"
            assert 0 < (again.value.retry_after_s or 0) <= retry_after_s


async def test_nobody_there() -> None:
    connector = DydxConnector(
        "ws://127.0.0.1:1", "http://127.0.0.1:1", LOOPBACK, "x", market_map.load()
    )
    with pytest.raises(VenueUnavailable) as refused:
        await connector.load_markets()
    assert refused.value.code == "UNREACHABLE"
    await connector.close()


def test_urls_come_from_the_network_or_the_settings() -> None:
    table = market_map.load()
    with pytest.raises(SettingsError, match="PERP_DYDX_WS_URL"):
        from_settings(Settings(network="sandbox"), table)
    assert from_settings(Settings(network="live"), table).venue == "dydx"


# The comparison with REST ---------------------------------------------------------------------

BODY = {"bids": [{"price": "100", "size": "1"}], "asks": []}


def test_books_are_compared_in_turn_and_slowly() -> None:
    session = AuditSession([market(f"M{n}-USD") for n in range(3)], START_NS)
    asked = []
    for tick in range(1, 40):
        session.advance(START_NS + tick * S // 2)
        for path in session.outgoing():
            asked.append((tick, path))
            session.receive(HttpReply(path, json.dumps(BODY).encode()), 0, 0)
    assert len(asked) == 9
    assert all(b[0] - a[0] == 4 for a, b in itertools.pairwise(asked))
    assert {path for _, path in asked[:3]} == {f"{PATH}M{n}-USD" for n in range(3)}
    assert [path for _, path in asked[3:]] == [path for _, path in asked[:6]]
    events = session.events()
    assert len(events) == 9
    assert all(isinstance(event, BookAudit) for event in events)
    assert {event.bid_ticks for event in events if isinstance(event, BookAudit)} == {1000}
    assert session.healthy


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"bids":[{}],"asks":[]}', b"[" * 5000])
def test_an_unreadable_book_ends_the_poll(body: bytes) -> None:
    session = AuditSession([market()], START_NS)
    session.advance(START_NS + 2 * S)
    session.receive(HttpReply(session.outgoing()[0], body), 0, 0)
    assert session.failure is not None
    assert session.failure.code == "GARBAGE"
    assert session.events() == []


def test_a_market_that_always_fails_does_not_hide_those_behind_it() -> None:
    """Every failure makes a new session; it must not start with the same market."""
    markets = [market(f"M{n}-USD") for n in range(3)]
    first = set()
    for attempt in range(12):
        opened_ns = START_NS + attempt * 2 * S + attempt * S // 3
        session = AuditSession(markets, opened_ns)
        session.advance(opened_ns + 2 * S)
        first.update(session.outgoing())
    assert len(first) == 3
