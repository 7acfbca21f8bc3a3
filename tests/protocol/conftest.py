"""The echo server in this process. Whatever a test sends it, it logs no error."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from tests.protocol.kit import PATIENT, WITHIN_S, Wire, joined
from tests.protocol.server import Server, serving


@pytest.fixture
async def server(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Server]:
    """With other limits where the test is parametrised with them."""
    with caplog.at_level(logging.INFO):
        async with serving(getattr(request, "param", PATIENT)) as running:
            yield running
        assert [item for item in caplog.records if item.levelno >= logging.WARNING] == []


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=WITHIN_S, verify=False) as client:
        yield client


@pytest.fixture
def engine(server: Server, http: httpx.AsyncClient) -> Wire:
    """Where every message comes back."""
    return Wire(server, http)


@pytest.fixture
def sockets(server: Server, http: httpx.AsyncClient) -> Wire:
    """Where the namespaces are."""
    return Wire(server, http, "/socket.io/")


@pytest.fixture
async def fresh(sockets: Wire) -> AsyncIterator[ClientConnection]:
    """A WebSocket past the handshake of Engine.IO."""
    async with sockets.socket() as socket:
        assert str(await socket.recv()).startswith("0{")
        yield socket


@pytest.fixture
async def socket(fresh: ClientConnection) -> ClientConnection:
    """The same in the main namespace."""
    await joined(fresh)
    return fresh
