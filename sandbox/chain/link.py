"""HTTP to a node on this machine, and nothing more than that takes: everything that everybody asks
of a chain goes through one process."""

import asyncio
from typing import Final, TypeAlias
from urllib.parse import urlsplit

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_IDLE: Final = 16
"""Connections that are kept for the next ones."""

_Pair: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()
        self._free: list[_Pair] = []

    async def post(self, body: bytes, limit_s: float) -> bytes:
        """The body of the answer. Raises OSError, EOFError, ValueError for what is no answer."""
        async with asyncio.timeout(limit_s):
            reader, writer = await self._pair()
            try:
                writer.write(b"%b%d%b%b" % (self._head, len(body), _END, body))
                head = await reader.readuntil(_END)
                found = await reader.readexactly(_length(head))
            except BaseException:
                writer.close()
                raise
        if len(self._free) < _IDLE:
            self._free.append((reader, writer))
        else:
            writer.close()
        return found

    def close(self) -> None:
        while self._free:
            self._free.pop()[1].close()

    async def _pair(self) -> _Pair:
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


def _length(head: bytes) -> int:
    """Of the body that follows. Raises ValueError."""
    status, _, fields = head.lower().partition(b"\r\n")
    for line in fields.split(b"\r\n"):
        if line.startswith(_LENGTH) and b" 200 " in status:
            return int(line.removeprefix(_LENGTH))
    raise ValueError(f"no answer: {status[:80]!r}")
