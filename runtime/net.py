"""Checks of configured URLs before anything connects to them."""

import contextlib
import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from runtime.settings import SettingsError

_PLAIN: Final = {"https": "http", "wss": "ws"}


def check_url(name: str, url: str, scheme: str, *, allow_private: bool) -> str:
    """``url`` itself when it may be used for the setting ``name``.

    ``scheme`` is the encrypted one (``https``, ``wss``); its plain form and loopback, private or
    link-local addresses need ``allow_private``. Raises SettingsError ``BAD_URL``, which never says
    the URL: paths and users of those of nodes are keys.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsError("BAD_URL", f"{name}: not a URL") from None
    if parts.scheme != scheme and not (allow_private and parts.scheme == _PLAIN[scheme]):
        raise SettingsError("BAD_URL", f"{name}: {scheme}:// expected")
    if not parts.hostname:
        raise SettingsError("BAD_URL", f"{name}: no host in it")
    if not allow_private and _is_private(parts.hostname):
        raise SettingsError(
            "BAD_URL", f"{name}: {parts.hostname} is private; PERP_ALLOW_PRIVATE_URLS allows it"
        )
    return url


def _is_private(host: str) -> bool:
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return not ipaddress.ip_address(host).is_global
    # What resolvers take for an address as well: 127.1, 0x7f.1, 2130706433.
    with contextlib.suppress(OSError):
        return not ipaddress.ip_address(socket.inet_aton(host)).is_global
    return False
