"""Hosts that do not answer at all are not asked for a moment; those that refuse are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.auth.chains import Chains
from api.problems import Unavailable
from connectors.base.rest import RestClient
from connectors.gmx.rpc import Nodes
from domain.errors import VenueUnavailable
from runtime.dialer import Dialer
from tests.servers import LOOPBACK

DEAD = "http://127.0.0.1:1"


@asynccontextmanager
async def refusing(
    head: bytes = b"500 No\r\n", body: bytes = b""
) -> AsyncIterator[tuple[str, list[None]]]:
    """A host that answers 500, or ``head``, and how often it did."""
    asked: list[None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(None)
        length = b"Content-Length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 " + head + length + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def failures(client: RestClient, count: int) -> list[VenueUnavailable]:
    found = []
    for _ in range(count):
        with pytest.raises(VenueUnavailable) as failed:
            await client.get("/")
        found.append(failed.value)
    await client.close()
    return found


async def test_a_venue_that_is_gone() -> None:
    found = await failures(RestClient(DEAD, LOOPBACK, per_second=1000), 7)
    assert {error.code for error in found} == {"UNREACHABLE"}
    rests = ["is not asked for a moment" in error.message for error in found]
    assert rests == [False] * 5 + [True] * 2


async def test_a_venue_that_refuses_is_there() -> None:
    async with refusing() as (url, asked):
        found = await failures(RestClient(url, LOOPBACK, per_second=1000), 7)
    assert {error.code for error in found} == {"HTTP_500"}
    assert len(asked) == 7


async def test_nobody_is_sent_elsewhere() -> None:
    async with refusing(b"302 Found\r\nLocation: /elsewhere\r\n") as (url, asked):
        found = await failures(RestClient(url, LOOPBACK, per_second=1000), 2)
        nodes = Nodes([url], LOOPBACK)
        with pytest.raises(VenueUnavailable):
            await nodes.post("{}")
        await nodes.close()
    assert {error.code for error in found} == {"HTTP_302"}
    assert len(asked) == 3


async def test_a_refusal_that_is_known_is_no_ban() -> None:
    said = b'{"errors":[{"code":"GEOBLOCKED","msg":"not here"}]}'
    async with refusing(b"403 Forbidden\r\n", said) as (url, asked):
        knows = RestClient(url, LOOPBACK, per_second=1000, refusals=frozenset({"GEOBLOCKED"}))
        assert {error.code for error in await failures(knows, 2)} == {"GEOBLOCKED"}
        assert len(asked) == 2
        banned = await failures(RestClient(url, LOOPBACK, per_second=1000), 2)
    assert {error.code for error in banned} == {"RATE_LIMITED"}
    assert len(asked) == 3


async def test_nodes_that_are_gone_are_passed_over() -> None:
    async with refusing() as (url, asked):
        nodes = Nodes([DEAD, url], LOOPBACK)
        for _ in range(4):
            with pytest.raises(VenueUnavailable, match="refused"):
                await nodes.post("{}")
        assert len(asked) == 4
        await nodes.close()
    nodes = Nodes([DEAD], LOOPBACK)
    for expected in ("ConnectError", "ConnectError", "is not asked"):
        with pytest.raises(VenueUnavailable, match=expected):
            await nodes.post("{}")
    await nodes.close()


async def test_wallets_do_not_wait_for_nodes_that_are_gone() -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        raise OSError("no such host")

    chains = Chains({1: DEAD}, Dialer(allow_private=True, resolve=resolve))
    assert chains.blocking(2) is None
    eth_call = chains.blocking(1)
    assert eth_call is not None
    for _ in range(5):
        with pytest.raises(Unavailable) as failed:
            await asyncio.to_thread(eth_call, 1, None, b"")
        assert failed.value.code == "CHAIN_UNAVAILABLE"
    assert asked == ["127.0.0.1"] * 2
    await chains.close()
