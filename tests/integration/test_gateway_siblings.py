"""Requests that reach another gateway than the one that has their session."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidStatus
from websockets.protocol import State

from api.peers import Peers
from api.realtime import relay
from api.realtime.engine import Limits
from api.realtime.session import Session
from api.realtime.siblings import Siblings
from tests.integration.gateway_kit import Rig
from tests.integration.gateway_sockets import StallingSocket, close_code, raw_subscribe
from tests.integration.siblings_kit import beating_feed, gateway_here

ON_UVLOOP: Final = True
ROOM: Final = "price:BTC-USD"
OPEN: Final = "/socket.io/?EIO=4&transport=polling"
UNKNOWN: Final = (400, {"code": 1, "message": "Session ID unknown"})
SEPARATOR: Final = "\x1e"

Pair = tuple[Rig, Rig]


@pytest.fixture
async def pair(embedded_redis_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """The first has the sessions, the second gets their requests. There is no third."""
    async with (
        beating_feed(embedded_redis_url) as feed,
        gateway_here(embedded_redis_url, feed, Siblings("a", 1, 3, tmp_path)) as first,
        gateway_here(embedded_redis_url, feed, Siblings("a", 2, 3, tmp_path)) as second,
    ):
        yield first, second


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From where sessions were opened."""
    found: list[str] = []
    original = Session.open

    def noted(self: Session, transport: Any, peer: str) -> None:
        found.append(peer)
        original(self, transport, peer)

    monkeypatch.setattr(Session, "open", noted)
    return found


def session_of(rig: Rig, sid: str) -> Any:
    return rig.gateway._server.eio.sessions.get(sid)


def passed_on(transport: str) -> float:
    return REGISTRY.get_sample_value("perptape_passed_on_total", {"transport": transport}) or 0.0


def polling(sid: str) -> str:
    return f"{OPEN}&sid={sid}"


async def opened(rig: Rig) -> str:
    answer = await rig.http.get(OPEN)
    sid: str = orjson.loads(answer.text[1:])["sid"]
    return sid


async def joined(pair: Pair) -> str:
    """A session of the first; the second is told to enter the namespace, and tells the answer."""
    first, second = pair
    sid = await opened(first)
    assert sid.startswith("a.1.")
    assert (await second.http.post(polling(sid), content="40")).text == "ok"
    assert (await second.http.get(polling(sid))).text.startswith('40{"sid":"a.1.')
    return sid


@contextlib.asynccontextmanager
async def upgraded(pair: Pair) -> AsyncIterator[tuple[str, ClientConnection]]:
    sid = await joined(pair)
    async with connect(f"{pair[1].ws_url}&sid={sid}", compression=None) as wire:
        await wire.send("2probe")
        assert await wire.recv() == "3probe"
        await wire.send("5")
        await raw_subscribe(wire, ROOM)
        yield sid, wire


async def waiting_poll(pair: Pair) -> "tuple[str, asyncio.Task[httpx.Response]]":
    """Of a session of the first, passed on by the second. The client has not entered the namespace
    yet, so there is nothing to tell it."""
    first, second = pair
    sid = await opened(first)
    begun = asyncio.create_task(second.http.get(polling(sid)))
    transport = session_of(first, sid).transport
    async with asyncio.timeout(10):
        while transport._poll is None:
            await asyncio.sleep(0.01)
    return sid, begun


async def refusal(request: Any) -> tuple[int, Any]:
    answer = await request
    return answer.status_code, answer.json()


async def socket_refusal(opening: Any) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as refused:
        async with opening:
            pass
    response = refused.value.response
    return response.status_code, orjson.loads(response.body or b"")


async def until_gone(rig: Rig, sid: str) -> None:
    async with asyncio.timeout(10):
        while session_of(rig, sid) is not None:
            await asyncio.sleep(0.01)


async def test_polling_goes_on_at_another_gateway(pair: Pair) -> None:
    first, second = pair
    before = passed_on("polling")
    sid = await joined(pair)
    assert session_of(second, sid) is None
    call = f'421["subscribe",{{"rooms":["{ROOM}"]}}]'
    assert (await second.http.post(polling(sid), content=call)).text == "ok"
    answer = (await second.http.get(polling(sid))).text.split(SEPARATOR)[0]
    assert orjson.loads(answer.removeprefix("431"))[0]["rooms"][ROOM]["data"]["bid"] == "97000"
    seq = await first.feed.price("97100", "97101")
    texts = ""
    async with asyncio.timeout(10):
        while f'"seq":{seq}' not in texts:
            texts += (await second.http.get(polling(sid))).text
    assert passed_on("polling") - before >= 5
    # The reserved words of the protocol work as well.
    assert (await second.http.post(polling(sid), content="41")).text == "ok"
    assert (await second.http.post(polling(sid), content="1")).text == "ok"
    await until_gone(first, sid)


async def test_a_poll_may_wait_and_ends_with_its_client(pair: Pair) -> None:
    sid, poll = await waiting_poll(pair)
    poll.cancel()
    await asyncio.wait({poll})
    await until_gone(pair[0], sid)


async def test_bad_requests_are_answered_as_by_the_gateway_itself(pair: Pair) -> None:
    for rig in pair:
        first = await joined(pair)
        foreign = {"origin": "https://elsewhere.example"}
        assert (await rig.http.get(polling(first), headers=foreign)).status_code == 403
        assert (await refusal(rig.http.put(polling(first))))[1]["code"] == 2
        long = await refusal(rig.http.post(polling(first), content=b"4" * 65_537))
        assert long[0] == 413
        broken = await refusal(rig.http.post(polling(first), content="9"))
        assert broken == (400, {"code": 3, "message": "Bad request"})
        # Which has ended the session.
        assert await refusal(rig.http.get(polling(first))) == UNKNOWN


@pytest.mark.parametrize("sid", ["a.1.nobody", "a.3.its-gateway-is-not-there", "b.1.x", "x"])
async def test_unknown_sessions_are_the_same_everywhere(pair: Pair, sid: str) -> None:
    for rig in pair:
        assert await refusal(rig.http.get(polling(sid))) == UNKNOWN
        assert await refusal(rig.http.post(polling(sid), content="3")) == UNKNOWN
        assert await socket_refusal(connect(f"{rig.ws_url}&sid={sid}")) == UNKNOWN


async def test_a_gateway_that_does_not_answer_has_no_sessions(
    embedded_redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "ANSWER_S", 0.2)
    quick = Limits(ping_interval_s=0.2, ping_timeout_s=0.2)
    taken: list[asyncio.StreamWriter] = []
    hung = await asyncio.start_unix_server(
        lambda _, writer: taken.append(writer), tmp_path / "gateway-2.sock"
    )
    siblings = Siblings("a", 1, 2, tmp_path)
    async with (
        beating_feed(embedded_redis_url) as feed,
        gateway_here(embedded_redis_url, feed, siblings, limits=quick) as rig,
    ):
        assert await refusal(rig.http.get(polling("a.2.x"))) == UNKNOWN
        assert await refusal(rig.http.post(polling("a.2.x"), content="3")) == UNKNOWN
        assert await socket_refusal(connect(f"{rig.ws_url}&sid=a.2.x")) == UNKNOWN
    assert len(taken) == 3
    for writer in taken:
        writer.close()
    hung.close()


async def test_nothing_is_passed_on_twice(pair: Pair, tmp_path: Path) -> None:
    own, other = [await opened(rig) for rig in pair]
    path = str(tmp_path / "gateway-1.sock")
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as inside:
        assert (await inside.post(polling(own), content="3")).text == "ok"
        assert await refusal(inside.post(polling(other), content="3")) == UNKNOWN
        # There is nothing else.
        assert (await inside.get("/v1/markets")).status_code == 404
    uri = f"ws://inside/socket.io/?EIO=4&transport=websocket&sid={other}"
    assert await socket_refusal(unix_connect(path, uri)) == UNKNOWN


async def test_an_upgrade_at_another_gateway(pair: Pair) -> None:
    first, second = pair
    before = passed_on("websocket")
    async with upgraded(pair) as (sid, wire):
        assert session_of(first, sid).transport.name == "websocket"
        seq = await first.feed.price("97200", "97201")
        async with asyncio.timeout(10):
            while f'"seq":{seq},"epoch"' not in str(await wire.recv()):
                pass
        # One at a time, as without a gateway in between.
        async with connect(f"{second.ws_url}&sid={sid}") as late:
            assert await close_code(late) == 1000
    assert wire.close_code == 1000
    await until_gone(first, sid)
    assert passed_on("websocket") - before == 2


async def test_large_messages_pass_both_ways(pair: Pair) -> None:
    async with upgraded(pair) as (_, wire):
        rooms = [f"price:X{number}-USD" for number in range(190)]
        for _ in range(20):
            answer = await raw_subscribe(wire, *rooms, "x" * 60_000)
            assert len(answer["errors"]) == 191


@pytest.mark.parametrize("way", ["half", "reset"])
async def test_the_session_ends_with_the_connection(pair: Pair, way: str) -> None:
    async with upgraded(pair) as (sid, wire):
        if way == "half":
            wire.transport.write_eof()
            assert await close_code(wire) == 1006
            await until_gone(pair[0], sid)
            return
        connection = wire.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.transport.abort()
        await until_gone(pair[0], sid)


async def test_a_gateway_that_stops_says_goodbye_through_others(pair: Pair) -> None:
    _, poll = await waiting_poll(pair)
    async with upgraded(pair) as (_, wire):
        pair[0].stop.set()
        async with asyncio.timeout(10):
            assert await close_code(wire) == 1012
            assert (await poll).text == "1"


async def test_one_in_between_that_stops_lets_go(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = pair
    polled, poll = await waiting_poll(pair)
    async with upgraded(pair) as (sid, wire):
        second.stop.set()
        async with asyncio.timeout(10):
            assert await close_code(wire) == 1006
            assert await refusal(poll) == UNKNOWN
        await until_gone(first, sid)
        await until_gone(first, polled)
    assert [item for item in caplog.records if item.name.startswith("uvicorn")] == []


class StallingAtAnother(StallingSocket):
    """Its session is of the first gateway, its WebSocket goes through the second."""

    def __init__(self, pair: Pair, sid: str) -> None:
        at: Any = SimpleNamespace(url=pair[1].url, ws_url=f"{pair[1].ws_url}&sid={sid}")
        super().__init__(at)

    async def __aenter__(self) -> "StallingAtAnother":
        host, _, port = self._rig.url.removeprefix("http://").partition(":")
        await asyncio.get_running_loop().sock_connect(self._socket, (host, int(port)))
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state is not State.OPEN:
            assert await self._read()
        await self.send("2probe")
        await self.read_until(lambda packet: packet == "3probe")
        await self.send("5")
        return self


async def test_a_client_that_does_not_read_gets_the_newest_here_too(pair: Pair) -> None:
    first, _ = pair
    sid = await joined(pair)
    async with StallingAtAnother(pair, sid) as stalled:
        await stalled.subscribe(ROOM)
        before, last = stalled.received_bytes, 0
        for step in range(1_000):
            last = await first.feed.price(f"9{step:04d}", "99999")
        await stalled.read_until(lambda packet: f'"seq":{last},"epoch"' in packet)
        # All updates would be 0.5 MB; two write buffers, two small ones of the kernel, one read and
        # the newest are not.
        assert stalled.received_bytes - before < 140_000


async def test_a_stalled_client_is_let_go_at_last(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "STUCK_S", 0.2)
    first, _ = pair
    sid = await joined(pair)
    async with StallingAtAnother(pair, sid) as stalled:
        await stalled.subscribe(ROOM)
        while session_of(first, sid) is not None:
            await first.feed.price("97000", "99999")
        with contextlib.suppress(ConnectionResetError):
            await stalled.read_to_the_end()


async def test_connections_in_between_are_bounded(embedded_redis_url: str, tmp_path: Path) -> None:
    few = Limits(max_sessions=1)
    async with (
        beating_feed(embedded_redis_url) as feed,
        gateway_here(embedded_redis_url, feed, Siblings("a", 1, 2, tmp_path)) as first,
        gateway_here(embedded_redis_url, feed, Siblings("a", 2, 2, tmp_path), limits=few) as second,
    ):
        sids = [await opened(first) for _ in range(2)]
        async with connect(f"{second.ws_url}&sid={sids[0]}"):
            refused = await socket_refusal(connect(f"{second.ws_url}&sid={sids[1]}"))
            assert refused == (503, {"code": 3, "message": "Too many sessions"})
        async with asyncio.timeout(10):
            while (await socket_answer(second, sids[1])) != 101:
                await asyncio.sleep(0.02)


async def socket_answer(rig: Rig, sid: str) -> int:
    try:
        async with connect(f"{rig.ws_url}&sid={sid}"):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


TOLD: Final = {"x-forwarded-for": "192.0.2.66, 198.51.100.1"}


async def test_an_address_is_believed_from_trusted_proxies_only(
    embedded_redis_url: str, addresses: list[str]
) -> None:
    trusting = Peers((ip_network("127.0.0.0/8"),))
    async with beating_feed(embedded_redis_url) as feed:
        for peers in (Peers(), trusting):
            async with gateway_here(embedded_redis_url, feed, Siblings(), peers=peers) as rig:
                await rig.http.get(OPEN, headers=TOLD)
                async with connect(rig.ws_url, additional_headers=TOLD):
                    pass
    assert addresses == ["127.0.0.1"] * 2 + ["198.51.100.1"] * 2


async def test_an_address_is_believed_from_gateways_of_this_host(
    pair: Pair, tmp_path: Path, addresses: list[str]
) -> None:
    path, told = str(tmp_path / "gateway-1.sock"), {"x-forwarded-for": "198.51.100.1"}
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as inside:
        await inside.get(OPEN, headers=told)
    uri = "ws://inside/socket.io/?EIO=4&transport=websocket"
    async with unix_connect(path, uri, additional_headers=told):
        pass
    assert addresses == ["198.51.100.1"] * 2
