"""Whom dYdX serves is said before anything is quoted there; over the replica of its indexer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from connectors.dydx.screen import NOBODY, DydxScreen
from db import wallets
from db.instants import instant
from db.wallets import Wallet as Linked
from domain.ids import VenueId
from runtime.clock import wall_us
from tests.integration.auth_kit import Wallet, running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import schema
from tests.integration.raw_dydx import Sandbox
from tests.integration.test_gateway_ladders import CHEAP, LADDER, depth, pool
from tests.integration.test_gateway_rest import check_problem
from tests.integration.test_gateway_routing import ROUTE, ask
from tests.servers import LOOPBACK

QUOTES = "/v1/guarded-quotes"


@pytest.fixture
async def url(embedded_postgres_dsn: str) -> AsyncIterator[str]:
    async with schema(embedded_postgres_dsn) as found:
        yield found


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    replica = Sandbox(rate=0.1)
    await replica.wait_ready()
    yield replica
    await replica.close()


@pytest.fixture
async def rig(
    embedded_redis_url: str, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    monkeypatch.setattr("api.routing.screens.KEPT_S", 0.0)
    screens = {VenueId("dydx"): DydxScreen(str(sandbox.rest.base_url), LOOPBACK)}
    async with running(embedded_redis_url, url, screens=screens) as found:
        await found.feed.ladder(LADDER, depth(pool(CHEAP)))
        yield found


async def why_not(rig: Rig, **more: str) -> str | None:
    """The code for which dYdX is left out, None where it is not."""
    data = (await ask(rig, **more)).json()["data"]
    if data["best"] == ROUTE:
        return None
    [row] = [row for row in data["excluded"] if row["venue"] == "dydx"]
    return str(row["code"])


async def comes_to(expected: object, read: Callable[[], Awaitable[object]]) -> None:
    """The replica looks at its faults some times a second."""
    for _ in range(200):
        if await read() == expected:
            return
        await asyncio.sleep(0.01)
    assert await read() == expected


async def test_the_country_of_the_server(rig: Rig, sandbox: Sandbox) -> None:
    assert await why_not(rig) is None
    await sandbox.fault("geoblock", seconds=60)
    await comes_to("GEOBLOCKED", lambda: why_not(rig))
    await sandbox.control.delete("/faults")
    await comes_to(None, lambda: why_not(rig))


async def test_the_standing_of_an_address(rig: Rig, sandbox: Sandbox, url: str) -> None:
    grant = await Wallet(rig.http).grant()
    headers = {"Authorization": f"Bearer {grant['access_token']}"}
    connection = await asyncpg.connect(url)
    linked = Linked("dydx", NOBODY, b"\x02" * 33, instant(wall_us()))
    assert await wallets.link(connection, grant["account_id"], linked)
    await connection.close()

    async def quoted(**more: str) -> int:
        return (await ask(rig, QUOTES, route_id=ROUTE, headers=headers, **more)).status_code

    assert await quoted() == 201
    await sandbox.fault("close_only", seconds=60)
    await comes_to(409, quoted)
    # Who asks without saying who they are is served.
    assert await why_not(rig) is None
    answer = await ask(rig, QUOTES, route_id=ROUTE, headers=headers)
    check_problem(answer, 409, "ROUTE_GONE")
    assert "dydx CLOSE_ONLY: dYdX says CLOSE_ONLY, US_GEO" in answer.json()["detail"]
    exits = {"intent": "close", "side": "SELL", "size_base": "0.5"}
    body = {"market": "BTC-USD", "type": "market", "route_id": ROUTE} | exits
    assert (await rig.http.post(QUOTES, json=body, headers=headers)).status_code == 201
    await sandbox.control.delete("/faults")
    await sandbox.fault("block", seconds=60)
    await comes_to("COMPLIANCE_BLOCKED", lambda: why_not(rig))
    assert await quoted() == 409


async def test_a_venue_that_says_nothing_leaves_nobody_out(
    embedded_redis_url: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = {VenueId("dydx"): DydxScreen("http://127.0.0.1:1", LOOPBACK)}
    async with running(embedded_redis_url, url, screens=screens) as rig:
        await rig.feed.ladder(LADDER, depth(pool(CHEAP)))
        assert await why_not(rig) is None
