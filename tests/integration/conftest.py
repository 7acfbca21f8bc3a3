"""What many modules of this folder ask for. A module that needs it otherwise has one of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.auth_kit import running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import schema
from tests.integration.trading_kit import SEAL, Trader, trader


@pytest.fixture(scope="module")
def database_url(embedded_postgres_dsn: str) -> Iterator[str]:
    """A new database with the schema."""
    with asyncio.Runner() as runner:
        context = schema(embedded_postgres_dsn)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
async def rig(embedded_redis_url: str, database_url: str) -> AsyncIterator[Rig]:
    """A gateway where wallets sign in and trade."""
    async with running(embedded_redis_url, database_url, seal=SEAL) as found:
        yield found


@pytest.fixture
async def me(rig: Rig, database_url: str) -> Trader:
    return await trader(rig, database_url)
