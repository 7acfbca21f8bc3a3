import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from perptape.embedded import EmbeddedServer
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.errors import StartError
from perptape.ports import free_ports
from perptape.service_user import service_user
from tests.servers import open_folder, prepared, started


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def server(folder: Path) -> EmbeddedServer:
    return prepared(EmbeddedPostgres, folder)


async def _query(url: str, *statements: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


def query(url: str, *statements: str) -> list[object]:
    return asyncio.run(_query(url, *statements))


def test_configuration(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder) as process:
        assert query(
            server.url,
            "SELECT current_user",
            "SELECT current_database()",
            "SHOW server_encoding",
            "SHOW fsync",
            "SHOW listen_addresses",
            "SHOW timezone",
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
            "SELECT lower('Ä') || ('B' < 'a')::text",
        ) == ["perptape", "perptape", "UTF8", "on", "127.0.0.1", "UTC", False, "ätrue"]
        password = server.url.split(":")[2].split("@")[0]
        assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
    assert (folder / "postgres" / "password").stat().st_mode & 0o777 == 0o600


def test_the_password_is_needed_and_the_superuser_is_locked_out(
    server: EmbeddedServer, folder: Path
) -> None:
    with started(server, folder):
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(server.url.replace("perptape:", "perptape:no"), "SELECT 1")
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            query(server.url.replace("perptape:", "postgres:"), "SELECT 1")


def test_committed_data_survives_a_kill(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder) as process:
        query(server.url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)")
        process.kill()
    # A new supervisor has a new port and finds the old password.
    again = prepared(EmbeddedPostgres, folder)
    assert again.url.split("@")[0] == server.url.split("@")[0]
    with started(again, folder):
        assert query(again.url, "SELECT x FROM t") == [7]


def test_a_pid_file_that_names_a_living_process_does_not_matter(
    server: EmbeddedServer, folder: Path
) -> None:
    with started(server, folder) as process:
        pid_file = folder / "postgres" / "data" / "postmaster.pid"
        stale = pid_file.read_text()
        process.kill()
    user = service_user()
    with subprocess.Popen(["sleep", "60"], user=None if user is None else user.uid) as other:
        pid_file.write_text(stale.replace(str(process.pid), str(other.pid), 1))
        again = prepared(EmbeddedPostgres, folder)
        with started(again, folder):
            assert query(again.url, "SELECT 1") == [1]
        other.kill()


def test_an_interrupted_creation_is_begun_anew(folder: Path) -> None:
    unfinished = folder / "postgres.unfinished"
    (unfinished / "data" / "base").mkdir(parents=True)
    (unfinished / "data" / "PG_VERSION").write_text("18\n")
    server = prepared(EmbeddedPostgres, folder)
    with started(server, folder):
        assert query(server.url, "SELECT 1") == [1]
    assert not unfinished.exists()


async def test_a_cancelled_creation_leaves_nothing_that_counts(folder: Path) -> None:
    server = EmbeddedPostgres(folder, folder, free_ports(1)[0], service_user())
    creation = asyncio.create_task(server.prepare())
    await asyncio.sleep(0.1)
    creation.cancel()
    await asyncio.wait({creation})
    assert os.listdir(folder) == ["postgres.unfinished"]
    await server.prepare()
    assert (folder / "postgres" / "data" / "PG_VERSION").exists()


async def test_a_creation_that_fails_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perptape.embedded_postgres._INITDB", ("--encoding=NONSENSE",))
    server = EmbeddedPostgres(folder, folder, free_ports(1)[0], service_user())
    with pytest.raises(StartError, match=r"Postgres cannot be set up .*NONSENSE"):
        await server.prepare()
