"""The sandbox over real sockets: a raw client, the control endpoint, every fault."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidMessage

from runtime.clock import mono_ns
from sandbox import port
from sandbox.dydx import replay, server
from tests.integration.raw_dydx import Frame, Sandbox, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEQUENCE = (
    Path(__file__).parents[1] / "data" / "dydx" / "abacus" / "v4_orderbook_eth_sequence.jsonl"
)
# Below two updates a second: its levels are never removed late.
QUIET = "KAS-USD"


def _subscribed(channel: str) -> Callable[[Frame], bool]:
    return lambda frame: frame["type"] == "subscribed" and frame["channel"] == channel


def _is_data(frame: Frame) -> bool:
    return bool(frame["type"] == "channel_data")


async def _run_sandbox() -> AsyncIterator[Sandbox]:
    running = Sandbox(rate=5)
    await running.wait_ready()
    yield running
    await running.close()


shared_sandbox = pytest_asyncio.fixture(_run_sandbox, scope="module", loop_scope="module")
own_sandbox = pytest_asyncio.fixture(_run_sandbox, loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(shared_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    yield shared_sandbox
    await shared_sandbox.control.delete("/faults")


async def test_snapshot_and_updates_make_the_rest_book(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        connected = await client.next()
        assert (connected["type"], connected["message_id"]) == ("connected", 0)
        await client.subscribe("v4_orderbook", QUIET)
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.subscribe("v4_markets")
        await client.subscribe("v4_block_height")
        await client.drain(1.5)
        await sandbox.fault("freeze", QUIET)
        await sandbox.fault("freeze", "BTC-USD")
        await client.drain(0.1)
        assert client.books[QUIET] == await sandbox.book(QUIET)
        truth = await sandbox.book("BTC-USD")
        for side, levels in truth.items():
            known = client.books["BTC-USD"][side]
            assert levels.items() <= known.items()
            # Levels whose removal comes late.
            assert len(known) - len(levels) <= 6
        ids = [frame["message_id"] for frame in client.frames]
        assert sorted(ids) == list(range(len(ids)))
        assert len(ids) > 40
        assert {frame["connection_id"] for frame in client.frames} == {connected["connection_id"]}


async def test_posted_prices_move_books_and_oracle(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.subscribe("v4_markets")
        await client.until(_subscribed("v4_markets"))
        posted = await sandbox.control.post("/prices", json={"BTC-USD": "97000"})
        assert posted.status_code == 200
        told = await client.until(
            lambda frame: "BTC-USD" in frame["contents"].get("oraclePrices", {})
        )
        oracle = float(told["contents"]["oraclePrices"]["BTC-USD"]["oraclePrice"])
        assert oracle == pytest.approx(97_000, rel=0.001)
        bid, ask = client.best("BTC-USD")
        assert 96_900 < bid < 97_100
        assert 96_900 < ask < 97_100


async def test_rest_allows_100_requests_in_ten_seconds(own_sandbox: Sandbox) -> None:
    statuses = [(await own_sandbox.rest.get("/v4/time")).status_code for _ in range(100)]
    assert statuses.count(429) == 1  # one was spent on waiting for the start
    assert statuses[-1] == 429


async def test_freeze(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.subscribe("v4_block_height")
        await client.drain(0.3)
        await sandbox.fault("freeze", seconds=1.5)
        await client.drain(0.05)
        assert await client.drain(0.5) == []
        await asyncio.wait_for(await client.socket.ping(), 0.3)
        await client.until(lambda frame: frame["channel"] == "v4_block_height")
        ids = [frame["message_id"] for frame in client.frames]
        assert sorted(ids) == list(range(len(ids)))


async def test_drop(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("drop", seconds=0.5)
        with pytest.raises(ConnectionClosedError):
            await client.drain(1)
    with pytest.raises((OSError, InvalidMessage)):
        async with sandbox.client():
            pass
    with pytest.raises(httpx.TransportError):
        await sandbox.get("/v4/time")
    await asyncio.sleep(0.5)
    async with sandbox.client() as client:
        assert (await client.next())["type"] == "connected"


async def test_half_open(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.until(_is_data)
        await sandbox.fault("half_open", seconds=1.5)
        await client.drain(0.1)
        pong = asyncio.ensure_future(await client.socket.ping())
        url = f"ws://127.0.0.1:{sandbox.port}/v4/ws"
        with pytest.raises(TimeoutError):
            await connect(url, open_timeout=0.3)
        assert await client.drain(0.3) == []
        assert not pong.done()
        await asyncio.wait_for(pong, 2)
        await client.drain(0.3)
        ids = [frame["message_id"] for frame in client.frames]
        assert ids == list(range(len(ids)))


async def test_garble(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.until(_is_data)
        await sandbox.fault("garble", seconds=0.6)
        unreadable = 0
        while unreadable < 5:
            try:
                json.loads(await asyncio.wait_for(client.socket.recv(), 1))
            except (ValueError, RecursionError):
                unreadable += 1
        await asyncio.sleep(0.6)
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.until(_is_data)


async def test_gap(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", QUIET)
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.drain(0.2)
        await sandbox.fault("gap", seconds=0.6)
        await client.drain(0.7)
        ids = [frame["message_id"] for frame in client.frames]
        assert len(ids) < max(ids) * 0.9
        await client.unsubscribe("v4_orderbook", QUIET)
        await client.subscribe("v4_orderbook", QUIET)
        await client.until(_subscribed("v4_orderbook"))
        await client.drain(0.3)
        await sandbox.fault("freeze", QUIET)
        await client.drain(0.1)
        assert client.books[QUIET] == await sandbox.book(QUIET)


async def test_cross(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", QUIET)
        await client.until(_subscribed("v4_orderbook"))
        await sandbox.fault("cross", QUIET, seconds=0.7)
        await client.until(lambda _: client.best(QUIET)[0] > client.best(QUIET)[1] * 1.005)
        await client.until(lambda _: client.best(QUIET)[0] < client.best(QUIET)[1])


async def test_spike(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "ETH-USD")
        await client.until(_subscribed("v4_orderbook"))
        before, _ = client.best("ETH-USD")
        await sandbox.fault("spike", "ETH-USD", seconds=0.7)
        await client.until(lambda _: client.best("ETH-USD")[0] > before * 1.19)
        assert client.best("ETH-USD")[1] == pytest.approx(before * 1.2, rel=0.01)
        listed = await sandbox.get("/v4/perpetualMarkets?market=ETH-USD")
        oracle = float(listed["markets"]["ETH-USD"]["oraclePrice"])
        assert oracle == pytest.approx(before, rel=0.01)
        await client.until(lambda _: client.best("ETH-USD")[0] < before * 1.01)


async def test_duplicate(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "BTC-USD")
        await client.until(_is_data)
        await sandbox.fault("duplicate")
        await client.drain(0.1)
        frames = await client.drain(0.4)
        ids = [frame["message_id"] for frame in frames]
        twice = [id_ for id_ in set(ids) if ids.count(id_) == 2]
        assert len(twice) >= len(set(ids)) - 2
        assert len(twice) > 2


async def test_delist(sandbox: Sandbox) -> None:
    def status(frame: Frame) -> str | None:
        trading = frame["contents"].get("trading", {})
        told: str | None = trading.get("SOL-USD", {}).get("status")
        return told

    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", "SOL-USD")
        await client.subscribe("v4_markets")
        await client.until(_subscribed("v4_markets"))
        await sandbox.fault("delist", "SOL-USD", seconds=0.7)
        await client.until(lambda frame: status(frame) == "FINAL_SETTLEMENT")
        await client.drain(0.1)
        assert client.books["SOL-USD"] == {"bids": {}, "asks": {}}
        listed = await sandbox.get("/v4/perpetualMarkets?market=SOL-USD")
        assert listed["markets"]["SOL-USD"]["status"] == "FINAL_SETTLEMENT"
        await client.until(lambda frame: status(frame) == "ACTIVE")
        await client.drain(0.1)
        assert len(client.books["SOL-USD"]["bids"]) > 50


async def test_rate_limit(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("rate_limit", seconds=0.6)
        refused = await sandbox.rest.get("/v4/perpetualMarkets")
        assert refused.status_code == 429
        assert refused.json() == {"errors": [{"msg": "Too many requests"}]}
        assert "Retry-After" in refused.headers
        await client.subscribe("v4_trades", "BTC-USD")
        assert "Too many subscribe attempts" in (await client.next())["message"]
        with pytest.raises(ConnectionClosedError) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason == '{"message":"Rate limited"}'
    await asyncio.sleep(0.6)
    assert "height" in await sandbox.get("/v4/height")


async def test_slow(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("slow", seconds=0.5)
        asked_ns = mono_ns()
        await client.subscribe("v4_block_height")
        await client.until(_subscribed("v4_block_height"))
        assert mono_ns() - asked_ns >= 1_500_000_000
        await client.drain(1)
        ids = [frame["message_id"] for frame in client.frames]
        assert ids == list(range(len(ids)))


async def test_a_client_that_does_not_read_is_dropped(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "_MAX_UNSENT_BYTES", 10_000)
    async with sandbox.client() as client:
        await client.subscribe("v4_orderbook", QUIET)
        await client.until(_subscribed("v4_orderbook"))
        await client.subscribe("v4_orderbook", "BTC-USD")
        await sandbox.fault("half_open", seconds=2)
        with pytest.raises(ConnectionClosedError) as closed:
            await client.drain(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4000


async def test_no_pong_closes(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PING_US", 200_000)
    monkeypatch.setattr(server, "_PONG_US", 100_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        "GET /v4/ws HTTP/1.1\r\nHost: dydx\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    received = await asyncio.wait_for(reader.readuntil(b"Heartbeat timeout"), 2)
    ping, close = bytes((0x89, 0)), bytes((0x88, 19)) + (1011).to_bytes(2, "big")
    assert received.index(ping) < received.index(close)
    writer.close()


async def test_stop_tells_clients(own_sandbox: Sandbox) -> None:
    async with own_sandbox.client() as client:
        await client.next()
        own_sandbox.stop.set()
        with pytest.raises(ConnectionClosedError) as closed:
            await client.drain(2)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert closed.value.rcvd.reason == '{"message":"Service restarting"}'


async def test_replay_sends_the_file() -> None:
    port = free_port()
    running = await replay.start(replay.load(SEQUENCE, interval_ms=100), 0, port)
    async with connect(f"ws://127.0.0.1:{port}") as client:
        frames = [frame async for frame in client]
    running.close()
    await running.wait_closed()
    assert frames == SEQUENCE.read_text().splitlines()
