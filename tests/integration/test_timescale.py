"""What stands where TimescaleDB keeps the history, on plain Postgres with stand-ins for the
extension's functions: views that compute when they are read, in place of continuous aggregates."""

import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import timescale
from db.candles import CandleReader
from db.history import DAY_US, TABLES, HistoryStore
from db.instants import Span, instant
from db.migrate import FOLDER, migrate
from domain.candles import BEST, MINUTE_US, PERIODS, Tick, fold
from runtime.clock import iso_ms
from tests.integration.history_kit import KEPT, database, opened, write

START_US = 1_795_392_000_000_000
FAR_US = START_US + 10 * DAY_US
SAMPLED_US = 20 * MINUTE_US

STAND_INS = """
CREATE TABLE calls (n serial, what text, name text, first timestamptz, last timestamptz);
CREATE FUNCTION create_hypertable(regclass, name, chunk_time_interval interval) RETURNS void
    LANGUAGE sql AS 'SELECT';
CREATE FUNCTION add_continuous_aggregate_policy(
    regclass, start_offset interval, end_offset interval, schedule_interval interval
) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION time_bucket(interval, timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$ SELECT date_bin($1, $2, '2000-01-03T00:00Z') $$;
CREATE TYPE moment AS (value numeric, at timestamptz);
CREATE FUNCTION earlier(moment, numeric, timestamptz) RETURNS moment LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN $1 IS NULL OR $3 < ($1).at THEN ROW($2, $3)::moment ELSE $1 END $$;
CREATE FUNCTION later(moment, numeric, timestamptz) RETURNS moment LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN $1 IS NULL OR $3 > ($1).at THEN ROW($2, $3)::moment ELSE $1 END $$;
CREATE FUNCTION value_of(moment) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT ($1).value';
CREATE AGGREGATE first(numeric, timestamptz) (
    SFUNC = earlier, STYPE = moment, FINALFUNC = value_of);
CREATE AGGREGATE last(numeric, timestamptz) (
    SFUNC = later, STYPE = moment, FINALFUNC = value_of);
CREATE FUNCTION drop_chunks(regclass, older_than timestamptz) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO calls (what, name, last) VALUES ('drop', $1::text, $2) $$;
CREATE PROCEDURE refresh_continuous_aggregate(regclass, timestamptz, timestamptz) LANGUAGE sql AS
    $$ INSERT INTO calls (what, name, first, last) VALUES ('refresh', $1::text, $2, $3) $$;
"""


def plain_form(sql: str) -> str:
    sql = sql.replace("CREATE EXTENSION IF NOT EXISTS timescaledb;", "")
    sql, views = re.subn(
        r"CREATE MATERIALIZED VIEW (\w+)\nWITH \([^)]*\) AS", r"CREATE VIEW \1 AS", sql
    )
    assert views == sql.count(" WITH NO DATA;") > 0
    return sql.replace(" WITH NO DATA;", ";")


@pytest.fixture
async def stores(
    embedded_postgres_dsn: str, tmp_path: Path
) -> AsyncIterator[list[tuple[asyncpg.Connection, HistoryStore]]]:
    """As with the extension, and plain."""
    for path in FOLDER.glob("*.timescale.sql"):
        name = path.name.replace(".timescale", "")
        (tmp_path / name).write_text(plain_form(path.read_text()))
    async with database(embedded_postgres_dsn) as url, database(embedded_postgres_dsn) as other:
        connection = await asyncpg.connect(url)
        await connection.execute(STAND_INS)
        await migrate(connection, tmp_path)
        store = HistoryStore(connection)
        await store.prepare()
        plain = await opened(other)
        yield [(connection, store), plain]
        await connection.close()
        await plain[0].close()


def some_ticks(seed: int) -> list[Tick]:
    rng = random.Random(seed)
    times = sorted(rng.sample(range(0, 2 * DAY_US, 250_000), 200))
    return [Tick(START_US + at_us, rng.randrange(1, 10**23)) for at_us in times]


def some_samples() -> dict[str, list[bytes]]:
    rng = random.Random(3)
    spreads, rates = "", ""
    for at_us in range(START_US, START_US + DAY_US, SAMPLED_US):
        at, a, b = iso_ms(at_us), rng.randrange(100), rng.randrange(100)
        spreads += f"{at}\tBTC-USD\t{BEST}\t{a}\t-0.{b}\n{at}\tBTC-USD\tdydx\t{b}\t{a}\n"
        rates += f"{at}\tBTC-USD\tgmx\tp\t0.{a}\t0.{b}\t\\N\t0.5\t{a}\t\\N\n"
        rates += f"{at}\tBTC-USD\tdydx\t\t0.{b}\t0.{b}\t\\N\t\\N\t{b}\t{a}\n"
    return {"spread_samples": [spreads.encode()], "funding_samples": [rates.encode()]}


async def views(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    found = {}
    for view in ("tick_history", "candle_history", "spread_history", "funding_history"):
        rows = await connection.fetch(f"SELECT * FROM {view}")
        found[view] = sorted([dict(row) for row in rows], key=lambda row: str([*row.values()][:5]))
    return found


async def test_the_views_say_the_same(
    stores: list[tuple[asyncpg.Connection, HistoryStore]],
) -> None:
    best, dydx = some_ticks(1), some_ticks(2)
    samples = some_samples()
    minutes = list(range(START_US, START_US + DAY_US, SAMPLED_US))
    told = []
    for connection, store in stores:
        await write(store, "BTC-USD", BEST, best)
        await write(store, "BTC-USD", "dydx", dydx)
        assert await write(store, "BTC-USD", "dydx", dydx) == 0
        assert await store.write(samples, len(minutes) * 4, minutes) == len(minutes) * 4
        while await store.roll_up(FAR_US):
            pass
        told.append(await views(connection))
    assert told[0] == told[1]
    assert all(told[0].values())
    connection, _ = stores[0]
    for venue, ticks in ((BEST, best), (("dydx"), dydx)):
        reader = CandleReader(connection, "BTC-USD", venue)
        for period, width_us in PERIODS.items():
            assert await reader.read(period, Span(0, FAR_US, 1_000)) == fold(ticks, width_us)


async def test_what_was_not_made_yet_is_made_before_anything_is_dropped(
    stores: list[tuple[asyncpg.Connection, HistoryStore]],
) -> None:
    connection, store = stores[0]
    await store.maintain(START_US, KEPT)
    assert {row["what"] for row in await connection.fetch("SELECT * FROM calls")} == {"drop"}
    await connection.execute("TRUNCATE calls")
    await write(store, "BTC-USD", BEST, [Tick(START_US + 5 * PERIODS["1h"], 10**18)])
    now_us = START_US + 5 * DAY_US + 90_000_000
    await store.maintain(now_us, KEPT)
    calls = [dict(row) for row in await connection.fetch("SELECT * FROM calls ORDER BY n")]
    made = [row["name"] for row in calls if row["what"] == "refresh"]
    assert made == [row["name"] for row in calls[: len(made)]] == list(timescale.AGGREGATES)
    assert {row["first"] for row in calls[: len(made)]} == {instant(START_US)}
    ends = {row["name"]: row["last"] for row in calls[: len(made)]}
    assert ends["candles_1m"] == instant(START_US + 5 * DAY_US)
    assert ends["candles_1d"] == ends["funding_1d"] == instant(START_US + 5 * DAY_US)
    limits = {row["name"]: row["last"] for row in calls[len(made) :]}
    days = dict.fromkeys(TABLES, 2) | {"candles_1m": 30}
    hourly = ("candles_5m", "candles_15m", "candles_1h", "spreads_5m", "spreads_1h", "funding_1h")
    days |= dict.fromkeys(hourly, 730)
    assert limits == {name: instant(now_us - kept * DAY_US) for name, kept in days.items()}


class Server:
    """A server with an extension of some version and edition."""

    def __init__(self, loaded: bool, version: str, license_name: str | None, owned: bool) -> None:
        self.told = {"pg_settings": loaded, "extversion": version, "license": license_name}
        self.owned = owned

    async def fetchval(self, sql: str) -> Any:
        return next(value for name, value in self.told.items() if name in sql)

    async def execute(self, sql: str) -> None:
        if not self.owned:
            raise asyncpg.InsufficientPrivilegeError(sql)


@pytest.mark.parametrize(
    ("server", "usable"),
    [
        (Server(True, "2.9.0", "timescale", True), True),
        (Server(True, "2.22.1", "timescale", True), True),
        (Server(True, "2.10.0-dev", None, True), True),
        (Server(False, "2.22.1", "timescale", True), False),
        (Server(True, "2.8.1", "timescale", True), False),
        (Server(True, "2.22.1", "apache", True), False),
        (Server(True, "2.22.1", "timescale", False), False),
    ],
)
async def test_an_extension_that_cannot_do_it_is_not_used(server: Server, usable: bool) -> None:
    assert await timescale.is_usable(server) == usable  # type: ignore[arg-type]
