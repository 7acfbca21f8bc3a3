import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from perptape.embedded import EmbeddedServer
from perptape.embedded_redis import EmbeddedRedis
from tests.servers import open_folder, prepared, started

SAVED_WITHIN_S = 1.2  # appendfsync everysec


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        # Redis splits its configuration at spaces, and reads quotes and backslashes.
        awkward = folder / 'a "data" dir\\'
        awkward.mkdir()
        yield awkward


@pytest.fixture
def server(folder: Path) -> EmbeddedServer:
    return prepared(EmbeddedRedis, folder)


def client(server: EmbeddedServer) -> "Redis[bytes]":
    return Redis.from_url(server.url)


def append_only_file(folder: Path) -> Path:
    # 7.0 and later have a folder with several; the last one written is the one that grows.
    return max((folder / "redis").rglob("*.aof"), key=lambda path: path.stat().st_mtime_ns)


def fill(server: EmbeddedServer, keys: int) -> None:
    with client(server) as redis:
        for number in range(keys):
            redis.set(f"key:{number}", "x" * 100)
    time.sleep(SAVED_WITHIN_S)


def test_configuration(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder) as process, client(server) as redis:
        names = ("appendonly", "appendfsync", "maxmemory-policy", "bind", "dir")
        read = {name: redis.config_get(name)[name] for name in names}
        command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
    assert read == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "dir": str(folder / "redis"),
    }
    password = server.url.split(":")[2].split("@")[0]
    assert password not in command_line


def test_the_password_is_needed(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder):
        with (
            Redis.from_url(server.url.replace("redis://:", "redis://:no")) as redis,
            pytest.raises(AuthenticationError),
        ):
            redis.ping()
        with (
            Redis.from_url(f"redis://{server.url.split('@')[1]}") as redis,
            pytest.raises(AuthenticationError),
        ):
            redis.ping()


def test_nothing_is_lost_by_a_kill(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder) as process:
        fill(server, 50)
        process.kill()
    with started(server, folder), client(server) as redis:
        assert redis.dbsize() == 50


def test_a_file_cut_off_in_the_middle_of_a_write_is_read_up_to_there(
    server: EmbeddedServer, folder: Path
) -> None:
    with started(server, folder) as process:
        fill(server, 50)
        process.kill()
    path = append_only_file(folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 57)
    with started(server, folder), client(server) as redis:
        assert redis.dbsize() == 49


def test_a_damaged_file_is_put_aside(server: EmbeddedServer, folder: Path) -> None:
    with started(server, folder) as process:
        fill(server, 50)
        process.kill()
    with append_only_file(folder).open("ab") as file:
        file.write(bytes(5_000))
    with pytest.raises(AssertionError, match="append only file") as caught, started(server, folder):
        pass
    said = server.repair(str(caught.value).splitlines())
    assert said is not None
    assert "redis.damaged" in said
    assert list((folder / "redis.damaged").rglob("*.aof"))
    with started(server, folder), client(server) as redis:
        assert redis.dbsize() == 0


def test_other_complaints_are_not_repaired(server: EmbeddedServer, folder: Path) -> None:
    assert server.repair(["# Could not create server TCP listening socket", "# bye"]) is None
    assert (folder / "redis").is_dir()
