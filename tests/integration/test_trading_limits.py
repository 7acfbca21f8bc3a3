"""What operators say about openings, over real Redis and Postgres: by the commands."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import orjson
import pytest

from db import chain_watch, orders, trading_limits
from db.pool import Database
from domain.ids import VenueId
from domain.risk import Limits
from execution.lifecycle import Step
from execution.prepare import Preparer
from execution.store import record
from perptape import desk_commands
from perptape.errors import StartError
from tests.integration.auth_kit import running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import NOW, accepted
from tests.integration.test_gateway_ladders import CHEAP, LADDER, depth, pool
from tests.integration.test_gateway_rest import check_problem
from tests.integration.test_gateway_routing import BODY, ROUTE
from tests.integration.trading_kit import CLOSE, SEAL, Trader, prepare, sign, submit, trader


@pytest.fixture
async def rig(embedded_redis_url: str, database_url: str) -> AsyncIterator[Rig]:
    async with running(embedded_redis_url, database_url, seal=SEAL) as running_rig:
        await running_rig.feed.ladder(LADDER, depth(pool(CHEAP)))
        yield running_rig


@pytest.fixture
async def me(rig: Rig, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trader]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    found = await trader(rig, database_url)
    yield found
    async with found.connection() as connection:
        await connection.execute("DELETE FROM trading_limits")


async def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    desk_commands.add_commands(parser.add_subparsers(dest="command"))
    return await asyncio.to_thread(desk_commands.run, parser.parse_args(words))


async def audited(me: Trader) -> Any:
    async with me.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM audit ORDER BY id DESC LIMIT 1")
    return row["actor"], row["action"], row["subject"], orjson.loads(row["data"])


async def test_the_kill_switch_stops_openings_and_never_exits(me: Trader) -> None:
    opening = await me.order()
    await prepare(me, opening["id"])
    quoted = await me.quote()
    why = ("--reason", "a drill", "--by", "ann")
    for words, code in (
        (("stop",), "OPENINGS_STOPPED"),
        (("stop", "gmx"), "VENUE_STOPPED"),
        (("limit", "999.5", "gmx"), "MAX_NOTIONAL"),
        (("limit", "999.5"), "MAX_NOTIONAL"),
    ):
        assert await command("openings", *words, *why) == 0
        action = "stop_openings" if words[0] == "stop" else "limit_openings"
        told = {"reason": "a drill"} | (
            {"max_notional_usd": "999.5"} if words[0] == "limit" else {}
        )
        assert await audited(me) == ("ann", action, "gmx" if "gmx" in words else "all", told)
        check_problem(await me.post(quoted), 409, code)
        check_problem(await submit(me, opening["id"], sign(me)), 409, code)
        closing = await me.order(CLOSE)
        assert closing["state"] == "accepted"
        undo = ("resume", *words[1:]) if words[0] == "stop" else ("limit", "none", *words[2:])
        assert await command("openings", *undo, *why) == 0
    assert (await me.post(quoted)).status_code == 202
    assert (await submit(me, opening["id"], sign(me))).status_code == 202


async def test_a_quote_is_not_given_for_what_cannot_be_placed(me: Trader) -> None:
    path, why = "/v1/guarded-quotes", ("--reason", "a drill")
    body = BODY | {"route_id": ROUTE}
    await command("openings", "limit", "999", *why)
    check_problem(await me.ask("POST", path, body), 409, "MAX_NOTIONAL")
    await command("openings", "stop", "dydx", *why)
    await command("openings", "limit", "none", *why)
    check_problem(await me.ask("POST", path, body), 409, "VENUE_STOPPED")
    exits = {name: value for name, value in body.items() if name != "leverage"}
    answer = await me.ask("POST", path, exits | {"intent": "decrease"})
    assert answer.status_code == 201, answer.text
    await command("openings", "resume", "dydx", *why)
    assert (await me.ask("POST", path, body)).status_code == 201


async def test_an_order_keeps_what_it_was_decided_from(me: Trader) -> None:
    decision = {"reference_price": "97000.5", "routes": [], "excluded": [{"venue": "dydx"}]}
    quote_id = await me.quote()
    async with me.connection() as connection:
        await connection.execute(
            "UPDATE guarded_quotes SET decision = $1 WHERE id = $2",
            orjson.dumps(decision).decode(), quote_id,
        )  # fmt: skip
        order_id = (await me.post(quote_id)).json()["data"]["id"]
        row = await connection.fetchrow("SELECT * FROM decisions WHERE order_id = $1", order_id)
    assert row["arrival_mid"] == Decimal("97000.5")
    assert orjson.loads(row["routes"]) == decision


class Unasked:
    """Venues that are not asked for anything: what is stopped does not get there."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


async def test_what_was_taken_before_is_not_prepared(me: Trader, database_url: str) -> None:
    async with me.connection() as connection:
        new = await accepted(connection)
        await trading_limits.stop(connection, "gmx", trading_limits.Said("ann", "a drill", NOW))
        assert await trading_limits.read(connection) == Limits(
            stopped_venues=frozenset({VenueId("gmx")})
        )
        row = await orders.read(connection, new.id)
        assert row is not None
        database = Database(database_url)
        try:
            preparer = Preparer(database, Unasked())  # type: ignore[arg-type]
            await preparer.prepare(row, row.lease_epoch, NOW)
        finally:
            await database.close()
        found = await orders.read(connection, new.id)
        assert found is not None
        assert found.reason is not None
        assert (found.state, found.reason.code) == ("rejected", "VENUE_STOPPED")


async def test_an_order_is_looked_at_again_and_it_is_known_who_wanted_it(
    me: Trader, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await me.order()
    await prepare(me, order["id"])
    async with me.connection() as connection:
        await connection.execute(
            "UPDATE order_steps SET simulation = $1 WHERE order_id = $2",
            orjson.dumps({"ok": True, "block_number": "70"}).decode(), order["id"],
        )  # fmt: skip
        await connection.execute("DELETE FROM outbox")
        await chain_watch.move(connection, 42161, 1, 90, NOW)
        why = ("--reason", "the owner saw it filled", "--by", "ann")
        assert await command("reconcile", order["id"], *why) == 0
        assert "from block 70 on" in capsys.readouterr().out
        state = (await me.read(order["id"]))["state"]
        assert await audited(me) == (
            "ann", "reconcile", order["id"],
            {"reason": why[1], "state": state, "version": 2, "from_block": 70},
        )  # fmt: skip
        assert await connection.fetchval("SELECT order_id::text FROM outbox") == order["id"]
        assert await chain_watch.cursor(connection, 42161) == 69
        # What was being read when it was asked for does not count, what begins there does.
        await chain_watch.move(connection, 42161, 91, 95, NOW)
        assert await chain_watch.cursor(connection, 42161) == 69
        await chain_watch.move(connection, 42161, 70, 95, NOW)
        assert await chain_watch.cursor(connection, 42161) == 95
        await record(connection, order["id"], [Step("withdrawn"), Step("finalised")], NOW)
        assert await command("reconcile", order["id"], *why) == 1
        assert await command("reconcile", "0" * 8 + order["id"][8:], *why) == 1


async def test_bad_words_change_nothing(me: Trader, capsys: pytest.CaptureFixture[str]) -> None:
    why = ("--reason", "x")
    for words in (
        ("openings", "stop"),
        ("openings", "stop", "--reason", " "),
        ("openings", "limit", "0", *why),
        ("openings", "limit", "1e3", *why),
        ("openings", "limit", "-1", *why),
        ("reconcile", "x", *why),
    ):
        with pytest.raises(SystemExit):
            await command(*words)
    with pytest.raises(StartError):
        await command("openings", "stop", "ftx", *why)
    capsys.readouterr()
    assert await command("openings", "show") == 0
    # What the gateway logs is beside it.
    assert "\t" not in capsys.readouterr().out
    await command("openings", "limit", "1500.5", "gains", *why)
    await command("openings", "show")
    assert "gains\topen\tat most 1500.5 USD\n" in capsys.readouterr().out
    async with me.connection() as connection:
        limits = await trading_limits.read(connection)
    assert limits == Limits(venue_notional_usd={VenueId("gains"): Decimal("1500.5")})
