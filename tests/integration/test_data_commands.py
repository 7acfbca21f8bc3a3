"""`perptape migrate`, `seed`, `backup` and `restore` as a user runs them, on real servers."""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import pytest
from redis import Redis

from db.migrate import FOLDER, load, migrate, status
from db.pool import STATEMENT_TIMEOUT_MS, Database
from perptape.data import PENDING
from perptape.embedded_redis import EmbeddedRedis
from perptape.runtime_file import write_runtime_file
from perptape.seed import ACCOUNTS, MARKETS, SERIES, TICK_S
from tests.integration.history_kit import database
from tests.servers import open_folder, prepared, started

ROOT: Final = Path(__file__).resolve().parents[2]
KEY: Final = "test:" + "A" * 43

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def perptape(*words: str, data_dir: Path, **env: str) -> tuple[int, str]:
    """Exit code and what was said. Nothing of it is a traceback."""
    clean = {k: v for k, v in os.environ.items() if "PERP" not in k and not k.endswith("_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "perptape", *words],
        cwd=ROOT,
        env=clean | {"PERP_DATA_DIR": str(data_dir)} | env,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


# Schema and samples -------------------------------------------------------------------------------


async def test_the_status_says_what_is_to_come_and_changes_nothing(
    embedded_postgres_dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int)")
    async with database(embedded_postgres_dsn) as url:
        connection = await asyncpg.connect(url)
        (fresh,) = await status(connection, tmp_path)
        assert (fresh.version, fresh.name, fresh.applied_at) == (1, "0001_a.sql", None)
        assert await connection.fetchval("SELECT to_regclass('schema_migrations')::text") is None
        await migrate(connection, tmp_path)
        (tmp_path / "0002_b.sql").write_text("SELECT 1")
        first, second = await status(connection, tmp_path)
        assert first.applied_at is not None
        assert second.applied_at is None
        await connection.close()


async def test_migrating_and_seeding_twice_changes_nothing_more(
    embedded_postgres_dsn: str, tmp_path: Path
) -> None:
    async def run(*words: str, **more: str) -> tuple[int, str]:
        there = {"DATABASE_URL": url, **more}
        return await asyncio.to_thread(perptape, *words, data_dir=tmp_path / "none", **there)

    async with database(embedded_postgres_dsn) as url:
        code, said = await run("migrate", "status")
        assert code == PENDING
        assert said.count("pending") == len(load(FOLDER))
        assert (await run("migrate", "up"))[0] == 0
        assert await run("migrate", "up") == (0, "the schema is up to date")
        code, said = await run("migrate", "status")
        assert (code, "pending" in said) == (0, False)

        code, said = await run("seed", "--hours", "1", PERP_NETWORK="live")
        assert (code, "--force" in said) == (1, True)
        assert await ask(url, "SELECT count(*) FROM accounts") == 0
        ticks = len(MARKETS) * len(SERIES) * (3600 // TICK_S)
        for _ in range(2):
            assert (await run("seed", "--hours", "1"))[0] == 0
            assert await ask(url, "SELECT count(*) FROM accounts") == len(ACCOUNTS)
            assert ticks - 12 <= await ask(url, "SELECT count(*) FROM price_ticks") <= ticks
            assert await ask(url, "SELECT sum(ticks) FROM candles WHERE period = '1m'") > ticks / 2
    assert not (tmp_path / "none").exists()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    embedded_postgres_dsn: str,
) -> None:
    pool = Database(embedded_postgres_dsn)
    async with pool.acquire() as connection:
        assert await connection.fetchval("SHOW statement_timeout") == "2s"
        assert STATEMENT_TIMEOUT_MS == 2_000
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT pg_sleep(5)")
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await pool.close()


# Backup -------------------------------------------------------------------------------------------


def fill(data_dir: Path) -> None:
    """What a perptape that ran leaves behind, with something to find again."""
    (data_dir / "auth-keys").write_text(KEY)
    redis = prepared(EmbeddedRedis, data_dir)
    with started(redis, data_dir), Redis.from_url(redis.url) as client:
        client.xadd("orders", {"id": "7"})
    assert perptape("migrate", "up", data_dir=data_dir)[0] == 1  # there is no database yet
    from perptape.embedded_postgres import EmbeddedPostgres

    postgres = prepared(EmbeddedPostgres, data_dir)
    with started(postgres, data_dir):
        asyncio.run(ask(postgres.url, "CREATE TABLE kept AS SELECT 42 AS x"))


def found(data_dir: Path) -> tuple[int, int, str]:
    from perptape.embedded_postgres import EmbeddedPostgres

    redis, postgres = prepared(EmbeddedRedis, data_dir), prepared(EmbeddedPostgres, data_dir)
    with started(redis, data_dir), started(postgres, data_dir):
        with Redis.from_url(redis.url) as client:
            entries = client.xlen("orders")
        value = asyncio.run(ask(postgres.url, "SELECT x FROM kept"))
    return entries, value, (data_dir / "auth-keys").read_text()


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    data_dir = folder / "source"
    data_dir.mkdir(mode=0o711)
    fill(data_dir)
    return data_dir


@pytest.fixture(scope="module")
def backup(folder: Path, source: Path) -> Path:
    """Of one that does not run."""
    target = folder / "backup"
    code, said = perptape("backup", str(target), data_dir=source)
    assert code == 0, said
    return target


def test_a_backup_is_for_its_owner_alone_and_names_all_it_holds(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o700
    paths = [path for path in backup.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    files = set(orjson.loads((backup / "manifest.json").read_bytes())["files"])
    assert files == {path.relative_to(backup).as_posix() for path in paths} - {"manifest.json"}
    assert {"auth-keys", "postgres.dump"} < files
    assert any(name.startswith("redis/") for name in files)
    # Nothing unfinished is left beside it.
    assert [path.name for path in backup.parent.iterdir() if path.name.startswith(".")] == []


def test_what_was_backed_up_comes_back(folder: Path, backup: Path) -> None:
    target = folder / "restored"
    code, said = perptape("restore", str(backup), data_dir=target)
    assert code == 0, said
    assert (target / "auth-keys").stat().st_mode & 0o777 == 0o600
    assert found(target) == (1, 42, KEY)
    # And never over something else.
    code, said = perptape("restore", str(backup), data_dir=target)
    assert (code, "is not empty" in said) == (1, True)
    assert found(target) == (1, 42, KEY)


def test_a_running_one_is_backed_up_into_a_file(folder: Path, source: Path) -> None:
    from perptape.data_dir import hold_lock
    from perptape.embedded_postgres import EmbeddedPostgres

    archive = folder / "running.tar.gz"
    redis, postgres = prepared(EmbeddedRedis, source), prepared(EmbeddedPostgres, source)
    with started(redis, source), started(postgres, source), hold_lock(source, "http://here"):
        code, said = perptape("backup", str(archive), data_dir=source)
        assert (code, "just starting" in said) == (1, True)
        urls = {"redis_url": redis.url, "database_url": postgres.url}
        write_runtime_file(source, urls)
        with Redis.from_url(redis.url) as client:
            usual = client.config_get("auto-aof-rewrite-percentage")
            client.xadd("orders", {"id": "8"})
            asyncio.run(ask(postgres.url, "UPDATE kept SET x = 43"))
            code, said = perptape("backup", str(archive), data_dir=source)
            assert code == 0, said
            assert client.config_get("auto-aof-rewrite-percentage") == usual
        empty = folder / "held"
        empty.mkdir()
        with hold_lock(empty, "http://there"):
            code, said = perptape("restore", str(archive), data_dir=empty)
        assert (code, "stop it first" in said) == (1, True)
    (source / "runtime.json").unlink()
    assert archive.stat().st_mode & 0o777 == 0o600
    target = folder / "unpacked"
    assert perptape("restore", str(archive), data_dir=target)[0] == 0
    assert found(target) == (2, 43, KEY)


@pytest.mark.parametrize("harm", ["changed", "missing", "no manifest", "outside"])
def test_a_damaged_backup_leaves_the_data_folder_as_it_was(
    folder: Path, backup: Path, tmp_path: Path, harm: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(backup, broken)
    if harm == "changed":
        with (broken / "postgres.dump").open("ab") as file:
            file.write(b"x")
    elif harm == "missing":
        (broken / "auth-keys").unlink()
    elif harm == "no manifest":
        (broken / "manifest.json").unlink()
    else:
        with tarfile.open(tmp_path / "broken.tar.gz", "w:gz") as tar:
            tar.add(broken / "manifest.json", "../manifest.json")
        broken = tmp_path / "broken.tar.gz"
    target = folder / f"untouched-{harm}"
    code, said = perptape("restore", str(broken), data_dir=target)
    assert (code, "backup" in said) == (1, True)
    assert not target.exists()


def test_a_dump_that_cannot_be_loaded_leaves_an_empty_data_folder(
    folder: Path, backup: Path, tmp_path: Path
) -> None:
    import hashlib

    broken = tmp_path / "broken"
    shutil.copytree(backup, broken)
    (broken / "postgres.dump").write_bytes(b"PGDMP")
    manifest = orjson.loads((broken / "manifest.json").read_bytes())
    manifest["files"]["postgres.dump"] = hashlib.sha256(b"PGDMP").hexdigest()
    (broken / "manifest.json").write_bytes(orjson.dumps(manifest))
    target = folder / "emptied"
    code, said = perptape("restore", str(broken), data_dir=target)
    assert (code, "pg_restore failed" in said) == (1, True)
    assert [path.name for path in target.iterdir()] == ["lock"]
    assert perptape("restore", str(backup), data_dir=target)[0] == 0


def test_servers_of_others_are_not_backed_up_here(tmp_path: Path) -> None:
    elsewhere = {"DATABASE_URL": "postgresql://db.example/perptape"}
    for words in (("backup", str(tmp_path / "b")), ("restore", str(tmp_path / "b"))):
        code, said = perptape(*words, data_dir=tmp_path, **elsewhere)
        assert (code, "DATABASE_URL is set" in said) == (1, True)
