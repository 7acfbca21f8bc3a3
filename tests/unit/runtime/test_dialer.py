"""Connections go to addresses that were looked at, and nowhere else."""

import asyncio
import contextlib
import gc
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from runtime import dialer as module
from runtime.dialer import Dialer, bounded_body
from runtime.net import AddressRefused, Resolve, check_urls
from runtime.settings import Settings

PUBLIC = "93.184.215.14"
TLS = Path(__file__).parents[2] / "data" / "tls"


def telling(*answers: Sequence[str]) -> Resolve:
    """The first answer, then the next; the last one stays. Empty: the resolver fails."""
    left = list(answers)

    async def resolve(host: str) -> Sequence[str]:
        found = left.pop(0) if len(left) > 1 else left[0]
        if not found:
            raise OSError("the resolver is away")
        return found

    return resolve


@asynccontextmanager
async def listening(
    answer: bytes = b"HTTP/1.1 204 No\r\n\r\n", tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Port, and the heads of what was asked; empty for a connection that asked nothing."""
    heads: list[bytes] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(b"")
        try:
            heads[-1] = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        writer.close()

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], heads


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_home_later_is_refused(address: str) -> None:
    """What DNS rebinding does: public when it is checked, private when it is connected to."""
    resolve = telling([PUBLIC], [address])
    settings = Settings.model_construct(network="live", rpc_urls={1: "https://venue.example"})
    await check_urls(settings, resolve)
    dialer = Dialer(allow_private=False, resolve=resolve)
    async with listening() as (port, heads), dialer.http(5.0) as http:
        with pytest.raises(httpx.ConnectError, match=r"venue\.example is private"):
            await http.get(f"http://venue.example:{port}/")
        with pytest.raises(AddressRefused, match=r"venue\.example is private"):
            await dialer.websocket(f"ws://venue.example:{port}/", 5.0)
        assert heads == []


async def test_the_address_is_connected_to_and_not_the_name() -> None:
    """The system's resolver knows nothing of this name."""
    dialer = Dialer(allow_private=True, resolve=telling(["127.0.0.1"]))
    async with listening() as (port, heads), dialer.http(5.0) as http:
        assert (await http.get(f"http://venue.invalid:{port}/x")).status_code == 204
        assert f"Host: venue.invalid:{port}\r\n".encode() in heads[0]


async def test_of_several_addresses_the_first_that_works() -> None:
    dialer = Dialer(allow_private=True, resolve=telling(["127.0.0.2", "127.0.0.1"]))

    async def echo(socket: ServerConnection) -> None:
        await socket.send(await socket.recv())

    async with listening() as (port, _), dialer.http(5.0) as http:
        assert (await http.get(f"http://venue.invalid:{port}/")).status_code == 204
    async with serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        socket = await dialer.websocket(f"ws://venue.invalid:{port}/", 5.0)
        await socket.send("heard")
        assert await socket.recv() == "heard"
        await socket.close()


async def test_a_silent_address_leaves_the_others_their_part() -> None:
    limits: list[tuple[str, float]] = []

    async def connect(address: str, limit_s: float) -> str:
        limits.append((address, limit_s))
        if address != "c":
            raise httpcore.ConnectTimeout
        return address

    dialer = Dialer(allow_private=True, resolve=telling(["a", "b", "c"]))
    assert await dialer.first("venue.invalid", 6.0, connect) == "c"
    assert [address for address, _ in limits] == ["a", "b", "c"]
    assert limits[0][1] <= 2
    assert limits[1][1] <= 3
    assert limits[2][1] <= 6


async def test_what_was_known_stands_in_for_a_resolver_that_fails() -> None:
    async def connect(address: str, limit_s: float) -> str:
        return address

    dialer = Dialer(allow_private=False, resolve=telling([PUBLIC], []))
    for _ in range(3):
        assert await dialer.first("venue.example", 1.0, connect) == PUBLIC
    with pytest.raises(OSError, match="resolver is away"):
        await dialer.first("other.example", 1.0, connect)


async def test_nobody_is_sent_elsewhere_and_no_proxy_stands_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "WS_PROXY", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    dialer = Dialer(allow_private=True, resolve=telling(["127.0.0.1"]))
    sent = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with listening(sent) as (port, heads), dialer.http(5.0) as http:
        assert (await http.get(f"http://venue.invalid:{port}/")).status_code == 302
        with pytest.raises(InvalidStatus):
            await dialer.websocket(f"ws://venue.invalid:{port}/", 5.0)
        assert len(heads) == 2


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """What a host serves with that is trusted to be ``venue.example``."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "venue.example.pem"))
    module._certificates.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "venue.example.pem", TLS / "venue.example.key.pem")
    yield context
    module._certificates.cache_clear()


async def test_tls_proves_the_name_and_not_the_address(trusted: ssl.SSLContext) -> None:
    named: list[str | None] = []
    trusted.sni_callback = lambda _socket, name, _context: named.append(name)
    dialer = Dialer(allow_private=True, resolve=telling(["127.0.0.1"]))
    async with listening(tls=trusted) as (port, _), dialer.http(5.0) as http:
        assert (await http.get(f"https://venue.example:{port}/")).status_code == 204
        with pytest.raises(InvalidStatus):
            await dialer.websocket(f"wss://venue.example:{port}/", 5.0)
        assert named == ["venue.example"] * 2
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(f"https://other.example:{port}/")
        with pytest.raises(ssl.SSLCertVerificationError):
            await dialer.websocket(f"wss://other.example:{port}/", 5.0)


async def test_a_body_that_was_read_does_not_wait_for_the_garbage_collector() -> None:
    size = 1_000_000
    answer = b"HTTP/1.1 200 Yes\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    async with listening(answer + bytes(size)) as (port, _):
        url = f"http://127.0.0.1:{port}"
        async with Dialer(allow_private=True).http(5.0, base_url=url) as http:
            gc.collect()
            gc.disable()
            tracemalloc.start()
            try:
                for _ in range(20):
                    async with http.stream("GET", "/") as response:
                        assert len(await bounded_body(response, size)) == size
                held = tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()
                gc.enable()
    assert held < 5 * size


async def test_who_leaves_in_the_middle_keeps_no_place() -> None:
    """Cancelled at any moment: while it waits, connects, asks, reads."""

    async def serve_some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 Yes\r\nContent-Length: 4\r\n\r\nab")
                await asyncio.sleep(0.001)
                writer.write(b"cd")
        writer.close()

    async def leave(http: httpx.AsyncClient, after_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await http.get("/")

    async with await asyncio.start_server(serve_some, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Dialer(allow_private=True).http(5.0, base_url=url, connections=2) as http:
            for number in range(150):
                await asyncio.gather(*(leave(http, number * place * 2e-5) for place in range(5)))
            answers = await asyncio.gather(*(http.get("/") for _ in range(5)))
    assert [answer.content for answer in answers] == [b"abcd"] * 5
