"""The client of the nodes: connections are kept, and one that was closed is not used again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sandbox.chain.http1 import CONNECTIONS, Client


class Node:
    """Answers each body with itself; ``connections``: how many it took."""

    def __init__(self) -> None:
        self.connections = 0
        self.closes = False
        self.head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(self.head.replace(b"%d", b"%d" % length) + body)
                await writer.drain()
                if self.closes:
                    break
        except EOFError:
            pass
        writer.close()


@asynccontextmanager
async def serving(node: Node) -> AsyncIterator[Client]:
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield client
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def test_one_connection_serves_what_comes_one_after_the_other() -> None:
    node = Node()
    async with serving(node) as client:
        for body in (b"one", b"", b"x" * 300_000):
            assert await client.post(body, 5.0) == body
    assert node.connections == 1


async def test_more_than_there_are_connections_take_turns() -> None:
    node = Node()
    async with serving(node) as client:
        bodies = [b"%d" % number for number in range(3 * CONNECTIONS)]
        assert await asyncio.gather(*(client.post(body, 5.0) for body in bodies)) == bodies
    assert node.connections <= CONNECTIONS


async def test_a_connection_that_the_node_closed_is_not_used_again() -> None:
    node = Node()
    node.closes = True
    async with serving(node) as client:
        for body in (b"one", b"two"):
            assert await client.post(body, 5.0) == body
            while not client._idle[0][0].at_eof():
                await asyncio.sleep(0)
    assert node.connections == 2


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_another_answer_is_an_error_and_ends_its_connection(head: bytes) -> None:
    node = Node()
    node.head = head
    async with serving(node) as client:
        with pytest.raises(ValueError, match="HTTP"):
            await client.post(b"one", 5.0)
        node.head = Node().head
        assert await client.post(b"two", 5.0) == b"two"
    assert node.connections == 2


async def test_a_node_that_is_silent_is_given_up() -> None:
    node = Node()
    node.head = b""
    async with serving(node) as client:
        with pytest.raises(TimeoutError):
            await client.post(b"one", 0.01)
        node.head = Node().head
        assert await client.post(b"two", 5.0) == b"two"
