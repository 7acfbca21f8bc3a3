"""The two ends of HTTP that the supervisor needs on the loopback interface: one GET, one page."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

_HEAD_BYTES: Final = 16_384
_PEER_TIMEOUT_S: Final = 5.0


async def get(host: str, port: int, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body. Raises OSError or ValueError where there is no usable answer in time."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(host, port)
        with contextlib.closing(writer):
            # 1.0: the body ends with the connection, so there is no framing to understand.
            writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    _, _, after_version = head.partition(b" ")
    return int(after_version[:3]), body


async def serve_page(
    host: str, port: int, content_type: str, page: Callable[[], Awaitable[bytes]]
) -> asyncio.Server:
    """Serves one page, for every path, until the server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that is slow, gone or talks nonsense is not worth a word.
        with (
            contextlib.closing(writer),
            contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError),
        ):
            async with asyncio.timeout(_PEER_TIMEOUT_S):
                await reader.readuntil(b"\r\n\r\n")
                body = await page()
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()

    return await asyncio.start_server(answer, host, port, limit=_HEAD_BYTES)
