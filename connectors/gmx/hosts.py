"""Several hosts with the same service: which one to ask, and asking the next when it fails."""

import asyncio
from collections.abc import Sequence

from connectors.base.rest import RestClient
from connectors.gmx import constants as c
from domain.errors import VenueProtocolError, VenueUnavailable
from runtime.clock import mono_ns


class HostHealth:
    """Which of ``count`` hosts rest. Pure. The first is preferred; one that failed is passed over
    for a while, and then the next request finds out whether it is back."""

    def __init__(self, count: int) -> None:
        self._rests_until_ns = [-(2**63)] * count

    def order(self, now_ns: int) -> list[int]:
        """All hosts: the rested in order of preference, then those whose rest ends first."""
        rests = self._rests_until_ns
        return sorted(range(len(rests)), key=lambda host: (max(0, rests[host] - now_ns), host))

    def failed(self, host: int, now_ns: int) -> None:
        self._rests_until_ns[host] = now_ns + c.HOST_REST_NS


class Hosts:
    """GETs of one purpose: what is of no use for prices may still do for a market list.

    ``reuse_ns``: who asks again so soon gets the same answer, so that several pollers of one path
    cost the hosts what one does.
    """

    def __init__(self, clients: Sequence[RestClient], timeout_s: float, reuse_ns: int = 0) -> None:
        self._clients = clients
        self._timeout_s = timeout_s
        self._reuse_ns = reuse_ns
        self._health = HostHealth(len(clients))
        self._last = 0
        self._answer: tuple[str, int, bytes] | None = None
        self._turn = asyncio.Lock()

    async def get(self, path: str) -> bytes:
        """The body of the first 200 answer; every host is asked once, each for at most the timeout.

        Raises VenueUnavailable or VenueProtocolError of the last one asked.
        """
        async with self._turn:
            if self._answer is not None:
                asked, at_ns, body = self._answer
                if asked == path and mono_ns() - at_ns < self._reuse_ns:
                    return body
            body = await self._ask(path)
            self._answer = (path, mono_ns(), body)
            return body

    async def _ask(self, path: str) -> bytes:
        error: VenueUnavailable | VenueProtocolError | None = None
        for host in self._health.order(mono_ns()):
            try:
                async with asyncio.timeout(self._timeout_s):
                    body = await self._clients[host].get(path)
            except TimeoutError:
                error = VenueUnavailable("TIMEOUT", f"{self._clients[host].host}: GET {path}")
            except (VenueUnavailable, VenueProtocolError) as refused:
                error = refused
            else:
                self._last = host
                return body
            self._health.failed(host, mono_ns())
        raise error or VenueUnavailable("UNREACHABLE", "no host is configured")

    def blame(self, now_ns: int) -> None:
        """What the last host answered was of no use."""
        self._answer = None
        self._health.failed(self._last, now_ns)
