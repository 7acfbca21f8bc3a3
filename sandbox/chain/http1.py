"""HTTP/1.1 to a node on the loopback interface, as lean as it can be: the sandbox asks it hundreds
of times a second, for itself and for everybody behind the proxy."""

import asyncio
import re
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS: Final = 16
_HEAD_BYTES: Final = 64 * 1024
_STATUS: Final = slice(9, 12)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """``url``: of a node. Connections are kept; more requests than ``CONNECTIONS`` take turns."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def post(self, body: bytes, timeout_s: float) -> bytes:
        """The body of the answer. Raises OSError, EOFError, ValueError for one that is not 200 or
        has no length, and TimeoutError; it is not known then what became of the request."""
        async with asyncio.timeout(timeout_s), self._slots:
            reader, writer = await self._connection()
            try:
                writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                if head[_STATUS] != b"200" or length is None:
                    raise ValueError(head.partition(b"\r\n")[0].decode("latin-1"))
                answer = await reader.readexactly(int(length[1]))
            except BaseException:
                writer.close()
                raise
            self._idle.append((reader, writer))
            return answer

    async def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def _connection(self) -> _Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port, limit=_HEAD_BYTES)
