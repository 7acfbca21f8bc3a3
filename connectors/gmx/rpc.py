"""Requests to nodes of the chain: which one to ask, and asking the next when it fails."""

from collections.abc import Sequence
from typing import Final

import httpx

from domain.errors import VenueProtocolError, VenueUnavailable
from runtime.breaker import Breaker
from runtime.dialer import Dialer, bounded_body
from runtime.guard import Guard, Resting

TIMEOUT_S: Final = 5.0
MAX_BODY_BYTES: Final = 64 * 1024
_FAILURES: Final = 2
_REST_NS: Final = 5_000_000_000
_LOST: Final = (httpx.TransportError, TimeoutError)


class Nodes:
    """Messages do not show a node's URL: it may hold a key."""

    def __init__(self, urls: Sequence[str], dialer: Dialer) -> None:
        self._urls = list(urls)
        self._guards = {
            url: Guard(f"gmx-rpc-{number}", Breaker(_FAILURES, _REST_NS), _LOST, limit_s=TIMEOUT_S)
            for number, url in enumerate(urls, 1)
        }
        self._last = ""
        self._client = dialer.http(TIMEOUT_S)

    async def post(self, body: str) -> bytes:
        """The answer of the first node that gives one to a body of JSON-RPC.

        Raises VenueUnavailable or VenueProtocolError of the last one asked.
        """
        error: VenueUnavailable | VenueProtocolError | None = None
        for url in tuple(self._urls):
            try:
                async with self._guards[url].call():
                    answer = await self._ask(url, body)
            except Resting as resting:
                error = VenueUnavailable("UNREACHABLE", str(resting))
            except (TimeoutError, httpx.TimeoutException):
                error = VenueUnavailable("TIMEOUT", "the node does not answer")
            except (httpx.HTTPError, httpx.InvalidURL) as lost:
                error = VenueUnavailable("UNREACHABLE", type(lost).__name__)
            except (VenueUnavailable, VenueProtocolError) as refused:
                error = refused
            else:
                self._last = url
                return answer
        raise error or VenueUnavailable("UNREACHABLE", "no node is configured")

    def blame(self, now_ns: int) -> None:
        """What the last node answered was of no use: it is asked after all others."""
        self._urls.sort(key=self._last.__eq__)

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, url: str, body: str) -> bytes:
        headers = {"Content-Type": "application/json"}
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            if response.status_code != 200:
                raise VenueUnavailable(f"HTTP_{response.status_code}", "the node refused")
            try:
                return await bounded_body(response, MAX_BODY_BYTES)
            except ValueError:
                text = "the node's answer is too large"
                raise VenueProtocolError("BODY_TOO_LARGE", text) from None
