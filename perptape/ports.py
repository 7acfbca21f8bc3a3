"""TCP ports: free ones for what we start, and who holds one that should have been free."""

import contextlib
import os
import random
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from perptape.errors import StartError

_LISTENING = "0A"


def free_ports(count: int, keep_clear_of: Collection[int] = ()) -> list[int]:
    """Distinct free loopback ports, none of those that are about to be used for something else.

    They lie below the range the kernel takes for outgoing connections: a client that keeps
    dialling a server which is just being restarted could be given the server's own port from it,
    connect to itself, and the server could never bind again.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(range(10_000, max(low, 20_000)), k=2_000):
            if port in keep_clear_of:
                continue
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise StartError("no free loopback port was found")


def require_free(host: str, port: int, setting: str) -> None:
    """Raises StartError that names the setting, the port and, where it can be seen, the holder."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address, family=family):
            return
    except PermissionError:
        raise StartError(f"no permission to listen on port {port} ({setting})") from None
    except OSError as error:
        holder = _holder(port)
        if holder:
            reason = f"is in use by {holder}; free it or set {setting}"
        else:
            reason = f"cannot be used on {host}: {str(error.strerror).partition(' (')[0]}"
        raise StartError(f"port {port} ({setting}) {reason}") from None


def listeners(port: int) -> int:
    """How many sockets listen on this port."""
    return len(set(_listening_inodes(port)))


def _holder(port: int) -> str | None:
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        # Processes of other users, and those that end meanwhile, cannot be looked into.
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(process / "fd"):
                if os.readlink(process / "fd" / descriptor) in sockets:
                    return f"pid {process.name} ({(process / 'comm').read_text().strip()})"
    return "a process of another user"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
