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
from starlette.types import Scope

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
        if not self.trusted or not forwarded_for:
            return _shown(connected)
        found = _read(connected)
        hops = forwarded_for.split(",")
        while hops and found is not None and any(found in network for network in self.trusted):
            hop = _read(hops.pop().strip())
            if hop is None:
                break
            found = hop
        return "" if found is None else str(found)

    def of(self, scope: Scope) -> str:
        """The same for a request."""
        client, told = scope.get("client"), ""
        if FORWARDED_FOR.encode() in scope["said"]:
            told = ",".join(Headers(scope=scope).getlist(FORWARDED_FOR))
        return self.address(client[0] if client else "", told)


@lru_cache(maxsize=4096)
def _read(text: str) -> Address | None:
    """None for what is no address. IPv4 that arrives over IPv6 is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def _shown(text: str) -> str:
    address = _read(text)
    return "" if address is None else str(address)


DIRECT: Final = Peers()
"""Nobody stands in front of us."""
