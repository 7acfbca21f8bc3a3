"""HTTP to a node, without a client that can do everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sandbox.chain.link import Link

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Server:
    """Answers with what it was sent, and ``status`` in the place of ``200 OK``. ``closes``: after
    each answer."""

    def __init__(self) -> None:
        self.status = b"200 OK"
        self.closes = False
        self.opened = 0
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(OK.replace(b"200 OK", self.status) % (len(body), body))
                if self.closes:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Server, Link]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1")
    port = listening.sockets[0].getsockname()[1]
    link = Link(f"http://127.0.0.1:{port}")
    try:
        yield server, link
    finally:
        link.close()
        listening.close()
        await listening.wait_closed()


async def test_one_connection_carries_one_request_after_the_other() -> None:
    async with linked() as (server, link):
        assert [await link.post(body, 5.0) for body in (b"[1]", b"", b"x" * 200_000)] == [
            b"[1]",
            b"",
            b"x" * 200_000,
        ]
        assert server.opened == 1
        assert server.heads[0].startswith(b"POST / HTTP/1.1\r\nhost: 127.0.0.1:")
        found = await asyncio.gather(*(link.post(b"%d" % number, 5.0) for number in range(20)))
        assert found == [b"%d" % number for number in range(20)]


async def test_a_connection_that_was_closed_is_not_used_again() -> None:
    async with linked() as (server, link):
        server.closes = True
        for _ in range(3):
            assert await link.post(b"{}", 5.0) == b"{}"
            [(reader, _)] = link._free
            await reader.read()  # until its end is here
        assert server.opened == 3


async def test_another_status_is_no_answer_and_its_connection_goes() -> None:
    async with linked() as (server, link):
        server.status = b"500 Internal Server Error"
        with pytest.raises(ValueError, match="500"):
            await link.post(b"{}", 5.0)
        server.status = b"200 OK"
        assert await link.post(b"{}", 5.0) == b"{}"
        assert server.opened == 2


async def test_nobody_there() -> None:
    async with linked() as (_, link):
        pass
    with pytest.raises(ConnectionRefusedError):
        await link.post(b"{}", 5.0)
