"""Venue REST: bounded time, size and rate; every failure is one of two exceptions."""

import asyncio
from typing import Final

import httpx
import orjson

from domain.errors import VenueProtocolError, VenueUnavailable
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.dialer import Dialer, bounded_body
from runtime.guard import Guard, Resting

TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 4.0
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_DEFAULT_RETRY_AFTER_S: Final = 10.0
# Of requests without any answer; what a host answers, it answers.
_FAILURES: Final = 5
_REST_NS: Final = 1_000_000_000
_LOST: Final = (httpx.TransportError, TimeoutError)


class RestClient:
    """GETs of one venue, at most ``per_second`` on average with bursts of one second's worth.
    ``retry_after_unit_s``: what the venue counts in its ``Retry-After``. ``refusals``: codes in a
    403 (``{"errors": [{"code": ..}]}``) that are the venue's word about who asks, not a ban."""

    def __init__(
        self,
        base_url: str,
        dialer: Dialer,
        per_second: float,
        retry_after_unit_s: float = 1.0,
        refusals: frozenset[str] = frozenset(),
    ) -> None:
        self._base_url = httpx.URL(base_url)
        self._client = dialer.http(
            httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            base_url=self._base_url,
            connections=4,
        )
        self._interval_ns = int(1e9 / per_second)
        self._retry_after_unit_s = retry_after_unit_s
        self._refusals = refusals
        self._free_ns = 0
        self._banned_until_ns = 0
        self._guard = Guard(
            self.host, Breaker(_FAILURES, _REST_NS), _LOST, silence=(), limit_s=TIMEOUT_S
        )

    async def get(self, path: str) -> bytes:
        """The body of a 200 answer.

        Raises VenueUnavailable (``UNREACHABLE``, ``TIMEOUT``, ``RATE_LIMITED``, ``HTTP_<status>``,
        one of ``refusals``) or VenueProtocolError ``BODY_TOO_LARGE``.
        """
        await self._take_turn()
        try:
            async with self._guard.call():
                return await self._fetch(path)
        except Resting as resting:
            raise VenueUnavailable("UNREACHABLE", str(resting)) from None
        except (TimeoutError, httpx.TimeoutException):
            raise VenueUnavailable("TIMEOUT", f"no answer to GET {path}") from None
        except httpx.HTTPError as error:
            raise VenueUnavailable("UNREACHABLE", f"{self.host}: {error}") from None

    @property
    def host(self) -> str:
        return self._base_url.netloc.decode("ascii")

    async def close(self) -> None:
        await self._client.aclose()

    async def _take_turn(self) -> None:
        now_ns = mono_ns()
        if now_ns < self._banned_until_ns:
            left_s = (self._banned_until_ns - now_ns) / 1e9
            raise VenueUnavailable(
                "RATE_LIMITED", f"{self.host} asked to wait", retry_after_s=left_s
            )
        turn_ns = max(self._free_ns, now_ns - 1_000_000_000)
        self._free_ns = turn_ns + self._interval_ns
        if turn_ns > now_ns:
            await asyncio.sleep((turn_ns - now_ns) / 1e9)

    async def _fetch(self, path: str) -> bytes:
        async with self._client.stream("GET", path) as response:
            if response.status_code == 403 and self._refusals:
                code = _refusal(await self._body(response, path))
                if code in self._refusals:
                    raise VenueUnavailable(code, f"{self.host} does not serve this")
            if response.status_code in (403, 418, 429):
                wait_s = self._retry_after_s(response.headers.get("retry-after"))
                self._banned_until_ns = mono_ns() + int(wait_s * 1e9)
                raise VenueUnavailable(
                    "RATE_LIMITED",
                    f"{self.host} answered {response.status_code}",
                    retry_after_s=wait_s,
                )
            if response.status_code != 200:
                raise VenueUnavailable(
                    f"HTTP_{response.status_code}", f"{self.host} refused GET {path}"
                )
            return await self._body(response, path)

    async def _body(self, response: httpx.Response, path: str) -> bytes:
        try:
            return await bounded_body(response, MAX_BODY_BYTES)
        except ValueError:
            raise VenueProtocolError("BODY_TOO_LARGE", f"GET {path} is too large") from None

    def _retry_after_s(self, header: str | None) -> float:
        """Seconds of a Retry-After header; a date or nonsense counts as the default."""
        if header is not None and header.isascii() and header.isdigit():
            return min(max(float(header) * self._retry_after_unit_s, 1.0), 300.0)
        return _DEFAULT_RETRY_AFTER_S


def _refusal(body: bytes) -> str:
    """The code in a refusal; empty where there is none."""
    try:
        return str(orjson.loads(body)["errors"][0]["code"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""
