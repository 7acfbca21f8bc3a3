"""Where this program may connect to: configured URLs at the start, addresses at every connection.

A name says nothing of the network it leads into, and may say something else the next time it is
asked for. So whoever connects (``runtime/dialer.py``) asks once, looks at the addresses, and
connects to one of these and not to the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from runtime.settings import Settings, SettingsError

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""IP addresses of a host. Raises OSError."""

START_LIMIT_S: Final = 2.0
"""A name that takes longer is looked at when it is connected to."""

_PLAIN: Final = {"https": "http", "wss": "ws"}
_UNICAST: Final = IPv6Network("2000::/3")
_6TO4: Final = IPv6Network("2002::/16")
_EMBEDDING: Final = tuple(map(IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96")))
"""The last 32 bits are an IPv4 address: compatible, mapped, translated (RFC 6052)."""
_METADATA: Final = IPv4Address("168.63.129.16")
"""Where Azure tells a machine about itself; a public address by its number. Those of other clouds
are link-local or private."""


class AddressRefused(OSError):
    """A name leads to an address that is not for us."""


async def system_resolve(host: str) -> Sequence[str]:
    """What the machine's resolver says. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host!r:.100} is no host name") from None
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def is_public(address: str) -> bool:
    """Whether it is of the internet: not private, loopback, link-local, multicast or metadata, nor
    an IPv6 address that leads to such an IPv4 address. Raises ValueError for what is no address."""
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address):
        number = int(found)
        if any(found in network for network in _EMBEDDING):
            found = IPv4Address(number & 0xFFFFFFFF)
        elif found in _6TO4:
            found = IPv4Address(number >> 80 & 0xFFFFFFFF)
        else:
            return found in _UNICAST and found.is_global
    return found.is_global and not found.is_multicast and found != _METADATA


def refuse_private(host: str, addresses: Sequence[str]) -> None:
    """Raises AddressRefused when one of them is not public: a host of both is no mistake."""
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(f"{host} is private ({address})")


async def check_urls(settings: Settings, resolve: Resolve = system_resolve) -> None:
    """Of all that is configured to be connected to: its form, and what its host resolves to.

    Plain ``http`` and ``ws`` and addresses that are not public need ``PERP_ALLOW_PRIVATE_URLS``. A
    host that cannot be resolved now is none of these mistakes. Raises SettingsError ``BAD_URL``,
    which never says the URL: paths and users of those of nodes are keys.
    """
    allow_private = settings.private_urls_allowed
    hosts = {
        _host(name, url, schemes, allow_private): name
        for name, url, schemes in settings.outgoing_urls()
    }
    if allow_private:
        return

    async def look(host: str, name: str) -> None:
        try:
            async with asyncio.timeout(START_LIMIT_S):
                refuse_private(host, await resolve(host))
        except AddressRefused as error:
            raise SettingsError(
                "BAD_URL", f"{name}: {error}; PERP_ALLOW_PRIVATE_URLS allows it"
            ) from None
        except OSError:
            return

    await asyncio.gather(*(look(host, name) for host, name in hosts.items()))


def _host(name: str, url: str, schemes: Sequence[str], allow_private: bool) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError("BAD_URL", f"{name}: not a URL") from None
    allowed = (*schemes, *(_PLAIN[scheme] for scheme in schemes)) if allow_private else schemes
    if parts.scheme not in allowed:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        raise SettingsError("BAD_URL", f"{name}: {expected} expected")
    if not parts.hostname:
        raise SettingsError("BAD_URL", f"{name}: no host in it")
    return parts.hostname
