"""Whose request it is: the address of the client behind the proxies in front of us."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED_FOR: Final = "x-forwarded-for"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Peers:
    """Whose word is taken for the address of a client: that of proxies in ``trusted``, or, where
    ``passed_on`` is set, that of whoever connects, which is another gateway of this host."""

    trusted: tuple[Network, ...] = ()
    passed_on: bool = False

    def address(self, connected: str, forwarded_for: str) -> str:
        """``connected``: who is at the other end of the connection. ``forwarded_for``: the header,
        in which every proxy has put whom it was talking to behind what it was told."""
        if self.passed_on:
            return forwarded_for
        found = _read(connected)
        hops = forwarded_for.split(",")
        while hops and found is not None and any(found in network for network in self.trusted):
            hop = _read(hops.pop().strip())
            if hop is None:
                break
            found = hop
        return "" if found is None else str(found)


@lru_cache(maxsize=4096)
def _read(text: str) -> Address | None:
    """None for what is no address. IPv4 that arrives over IPv6 is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


DIRECT: Final = Peers()
"""Nobody stands in front of us."""


class PeerAddress:
    """ASGI layer that puts the client's address into the scope."""

    def __init__(self, app: ASGIApp, peers: Peers) -> None:
        self._app = app
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            told = ",".join(Headers(scope=scope).getlist(FORWARDED_FOR))
            scope["client"] = (self._peers.address(client[0] if client else "", told), 0)
        await self._app(scope, receive, send)
