"""What generated requests get is what the document says: a short run of `make fuzz`."""

import asyncio
import os
from collections.abc import AsyncIterator
from subprocess import PIPE, STDOUT

import pytest

from api import metrics
from tests.fuzz.command import TOKEN, arguments
from tests.integration.auth_kit import Wallet, config
from tests.integration.gateway_kit import Rig, running_gateway
from tests.integration.history_kit import database, opened
from tests.integration.test_gateway_ladders import CHEAP, depth, funded, pool

# Every endpoint there is, beside whatever else runs.
pytestmark = pytest.mark.timeout(180)

EXAMPLES = 8
SEED = 7
ROW = {
    "venue": "dydx", "pool": None, "all_in": ["1001.5"], "fee_bps": [5.0], "spread_bps": [0.5],
    "impact_bps": [None], "all_in_bps": [5.5], "gas_usd": "0", "execution_fee_usd": None,
    "best": [True], "reason": [None],
}  # fmt: skip
LADDER = {
    "sizes": ["1000"], "mid": None, "buy": [ROW], "sell": [],
    "splits": {"buy": [None], "sell": [None]}, "excluded": [],
}  # fmt: skip


@pytest.fixture
async def rig(embedded_redis_url: str, embedded_postgres_dsn: str) -> AsyncIterator[Rig]:
    async with database(embedded_postgres_dsn) as url:
        connection, _ = await opened(url)
        await connection.close()
        async with running_gateway(embedded_redis_url, database_url=url, auth=config()) as running:
            await running.feed.trades(1, 2, 3)
            await running.feed.ladder(LADDER, depth(pool(CHEAP)))
            await running.feed.ladder(LADDER, depth(pool(CHEAP)), "ETH-USD")
            await funded(running)
            yield running


async def test_generated_requests_get_documented_answers(rig: Rig) -> None:
    token = (await Wallet(rig.http).grant())["access_token"]
    process = await asyncio.create_subprocess_exec(
        *arguments(rig.url, None, EXAMPLES, SEED),
        env={**os.environ, TOKEN: token},
        stdout=PIPE,
        stderr=STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    undocumented = {
        (sample.labels["route"], sample.labels["code"])
        for metric in metrics.UNDOCUMENTED.collect()
        for sample in metric.samples
    }
    assert undocumented == set()
