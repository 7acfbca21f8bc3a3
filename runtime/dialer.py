"""Every connection to what a URL names is opened here: to an address that was looked at.

A name is resolved once for each connection, and it is the address that is connected to, so what the
name leads to afterwards does not matter. TLS still proves the name. Nobody is sent elsewhere by a
redirect, and no proxy of the environment stands between, where an address would be its.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar, cast

import httpcore
import httpx
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket

from runtime.clock import mono_ns
from runtime.logs import get_logger
from runtime.net import AddressRefused, Resolve, refuse_private, system_resolve
from runtime.settings import Settings
from runtime.tasks import end_all

HttpClient: TypeAlias = httpx.AsyncClient

CONNECT_LIMIT_S: Final = 4.0
"""Where the caller has none."""
CONNECTIONS: Final = 100
KEEPALIVE_S: Final = 5.0
"""An idle connection is kept for the next request."""
ANSWER_BOUND: Final = 32 * 1024 * 1024
"""Bytes of any answer; those who ask have bounds of their own below it."""
ANSWER_LIMIT_NS: Final = 30_000_000_000

_T = TypeVar("_T")
_log = get_logger(__name__)


class Dialer:
    """``allow_private``: as ``PERP_ALLOW_PRIVATE_URLS``; in the sandbox everything is private."""

    def __init__(self, *, allow_private: bool, resolve: Resolve = system_resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._known: dict[str, Sequence[str]] = {}

    def http(
        self,
        timeout: httpx.Timeout | float,
        *,
        base_url: httpx.URL | str = "",
        connections: int = CONNECTIONS,
    ) -> HttpClient:
        """To be made at the start: reading the certificates takes longer than live quotes may wait.
        ``connections``: at most so many at once."""
        return httpx.AsyncClient(
            base_url=base_url,
            transport=_Transport(self, connections),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout,
        )

    async def websocket(self, url: str, open_limit_s: float, **options: Any) -> ClientConnection:
        """``options``: of websockets' ``connect``. Raises what that raises."""
        if url.startswith("wss:"):
            options["ssl"] = _certificates()
        opening = _Websocket(url, open_timeout=None, proxy=None, **options)

        async def open_at(address: str, limit_s: float) -> ClientConnection:
            opening.create_connection_kwargs["host"] = address
            async with asyncio.timeout(limit_s):
                return await opening

        return await self.first(opening.ws_uri.host, open_limit_s, open_at)

    async def first(
        self, host: str, limit_s: float, connect: Callable[[str, float], Awaitable[_T]]
    ) -> _T:
        """Of the addresses of ``host`` the first that ``connect(address, limit_s)`` reaches; one
        that is silent leaves the others their part of the time.

        Raises OSError (``AddressRefused``), TimeoutError, and what ``connect`` raises for the last.
        """
        ends_ns = mono_ns() + int(limit_s * 1e9)
        async with asyncio.timeout(limit_s):
            addresses = await self._addresses(host)
        for left in range(len(addresses), 1, -1):
            try:
                return await connect(addresses[-left], (ends_ns - mono_ns()) / 1e9 / left)
            except (OSError, httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await connect(addresses[-1], (ends_ns - mono_ns()) / 1e9)

    async def _addresses(self, host: str) -> Sequence[str]:
        """At least one. What was last known stands in for a resolver that fails."""
        try:
            found = await self._resolve(host)
        except OSError:
            if host not in self._known:
                raise
            found = self._known[host]
        if not found:
            raise OSError(f"{host} has no address")
        if not self._allow_private:
            try:
                refuse_private(host, found)
            except AddressRefused as error:
                _log.warning("address_refused", cause=str(error))
                raise
        self._known[host] = found
        return found


async def bounded_body(response: httpx.Response, bound: int) -> bytes:
    """Raises ValueError for one of more than ``bound`` bytes, and httpx.HTTPError."""
    parts: list[bytes] = []
    left = bound
    async for part in response.aiter_bytes():
        left -= len(part)
        if left < 0:
            raise ValueError(f"more than {bound} bytes")
        parts.append(part)
    return b"".join(parts)


def dialer_of(settings: Settings) -> Dialer:
    return Dialer(allow_private=settings.private_urls_allowed)


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _Websocket(connect_websocket):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Body(httpx.AsyncByteStream):
    """Lets go of what it gave away: httpx ties a response and its stream into a cycle, and what it
    holds stays until the garbage collector comes, which is seldom."""

    def __init__(self, body: bytes) -> None:
        self._left = [body]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left:
            yield self._left.pop()

    async def aclose(self) -> None:
        self._left.clear()


class _Transport(httpx.AsyncHTTPTransport):
    """That of httpx, with a pool that connects through the dialer.

    Each request that has its turn is a task of its own that reads the whole answer, however soon
    its caller is cancelled: the pool (httpcore 1.0) never frees the place of a request that was
    cancelled at the wrong moment, until none is left.
    """

    def __init__(self, dialer: Dialer, connections: int) -> None:
        self._answering: set[asyncio.Task[httpx.Response]] = set()
        self._places = asyncio.Semaphore(connections)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_certificates(),
            max_connections=connections,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=_Backend(dialer),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(request.extensions["timeout"]["pool"]):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection is free", request=request) from None
        answering = asyncio.create_task(self._answer(request))
        self._answering.add(answering)
        answering.add_done_callback(self._answered)
        return await asyncio.shield(answering)

    async def aclose(self) -> None:
        await end_all(list(self._answering))
        await super().aclose()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        ends_ns = mono_ns() + ANSWER_LIMIT_NS
        response = await super().handle_async_request(request)
        parts: list[bytes] = []
        left = ANSWER_BOUND
        try:
            async for part in cast(httpx.AsyncByteStream, response.stream):
                parts.append(part)
                left -= len(part)
                if left < 0:
                    raise httpx.ReadError("the answer is too large", request=request)
                if mono_ns() > ends_ns:
                    raise httpx.ReadTimeout("the answer does not end", request=request)
        finally:
            await response.aclose()
        return httpx.Response(
            response.status_code, headers=response.headers.raw, stream=_Body(b"".join(parts))
        )

    def _answered(self, answering: asyncio.Task[httpx.Response]) -> None:
        self._places.release()
        self._answering.discard(answering)
        if not answering.cancelled():
            # Nobody may be left who would look at it.
            answering.exception()


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async def connect(address: str, limit_s: float) -> httpcore.AsyncNetworkStream:
            return await self._tcp.connect_tcp(
                address, port, limit_s, local_address, socket_options
            )

        try:
            return await self._dialer.first(host, timeout or CONNECT_LIMIT_S, connect)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"no address of {host} in time") from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
