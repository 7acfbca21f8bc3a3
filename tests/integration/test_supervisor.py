"""The whole program as a user runs it: real processes, real signals."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import orjson
import pytest

from perptape.ports import listeners
from tests.integration.program_kit import BACK_S, READY_S, Program, until
from tests.servers import open_folder

ROLES: Final = ("sandbox", "feed", "gateway", "executor")
CHAINS: Final = (42161, 137, 8453)
SERVERS: Final = ("redis", "postgres", *(f"anvil-{chain}" for chain in CHAINS))

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    """One data dir for all: each test leaves it in a state from which the next one starts."""
    with open_folder() as folder:
        program = Program(folder / "the data")
        yield program
        program.end()


@pytest.fixture
def program(shared: Program) -> Program:
    """It runs and works."""
    if shared.process is None or shared.process.poll() is not None:
        shared.start()
    until(shared.works, READY_S, "a working program")
    return shared


def test_says_where_everything_is(program: Program) -> None:
    runtime = program.runtime
    assert (program.data_dir / "runtime.json").stat().st_mode & 0o777 == 0o600
    assert runtime["http_url"] == program.url
    assert set(runtime["pids"]) == {"supervisor", *SERVERS, *ROLES}
    assert runtime["pids"]["supervisor"] == [program.process and program.process.pid]
    assert httpx.get(f"{runtime['sandbox']['control_url']}/faults").status_code == 200
    # A log begins with the first word, and anvil has none to say.
    expected = {f"{name}.log" for name in ("supervisor", "redis", "postgres", *ROLES)}
    logs = program.data_dir / "logs"
    until(lambda: {path.name for path in logs.iterdir()} == expected, READY_S, "all logs")
    for role in ROLES:
        for line in (program.data_dir / "logs" / f"{role}.log").read_bytes().splitlines():
            assert orjson.loads(line)["role"] == role


def test_metrics_of_all_roles_are_on_one_page(program: Program) -> None:
    text = httpx.get(program.runtime["metrics_url"]).text
    for role in ROLES:
        assert f'process_resident_memory_bytes{{role="{role}"}}' in text
        assert f'perptape_role_up{{role="{role}",worker=""}} 1.0' in text
    assert text.count("# TYPE process_resident_memory_bytes gauge") == 1


def test_no_password_is_on_a_command_line(program: Program) -> None:
    runtime = program.runtime
    secrets = [runtime[name].split("@")[0].split(":")[-1] for name in ("redis_url", "database_url")]
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in program.processes()]
    assert len(lines) > 6
    assert not [line for line in lines for secret in secrets if secret in line]


def test_a_second_one_is_refused(program: Program) -> None:
    pid = program.pid("supervisor")
    assert program.fails() == (1, f"perptape is already running (pid {pid}, {program.url})")
    assert program.works()


@pytest.mark.parametrize("role", [*SERVERS, *ROLES])
def test_whatever_is_killed_comes_back(program: Program, role: str) -> None:
    program.query("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS x")
    program.redis().set("kept", "7")
    if role == "redis":
        time.sleep(1.2)  # appendfsync everysec
    old = program.pid(role)
    os.kill(old, signal.SIGKILL)
    program.new_pid(role, old)
    until(program.works, BACK_S, f"works again after {role} was killed")
    assert program.query("SELECT x FROM kept") == 7
    assert program.redis().get("kept") == b"7"
    counted = f'perptape_role_restarts_total{{role="{role}",worker=""}} 1.0'
    page = program.runtime["metrics_url"]
    until(lambda: counted in httpx.get(page).text, BACK_S, "the restart is counted")
    assert (
        "was ended by signal 9 (Killed); starting it again"
        in (program.data_dir / "logs" / "supervisor.log").read_text()
    )


def test_nothing_outlives_a_killed_supervisor(program: Program) -> None:
    assert program.process is not None
    program.process.kill()
    until(lambda: not program.processes(), BACK_S, "all gone")
    assert "not running" in program.stop()
    program.start()
    assert program.query("SELECT 7") == 7


def test_what_was_stopped_is_swept_at_the_next_start(program: Program) -> None:
    old = program.processes()
    for role in (*SERVERS, *ROLES):
        os.kill(program.pid(role), signal.SIGSTOP)
    assert program.process is not None
    program.process.kill()
    program.process.communicate()
    program.start()
    assert not old & program.processes()
    assert program.works()


def test_everything_killed_at_once(program: Program) -> None:
    for pid in program.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert program.process is not None
    program.process.communicate()
    program.start()
    assert program.works()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_everything_in_order(program: Program, number: signal.Signals) -> None:
    assert program.process is not None
    started = time.monotonic()
    program.process.send_signal(number)
    output, errors = program.process.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert program.process.returncode == 0
    assert output == ""
    assert "perptape: stopping" in errors.splitlines()
    assert not program.processes()
    assert not (program.data_dir / "runtime.json").exists()
    postgres = (program.data_dir / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in postgres.splitlines()[-1]


def test_stop_ends_everything_and_no_other(program: Program) -> None:
    ours = program.processes()
    with open_folder() as folder:
        other = Program(folder / "data")
        other.start()
        try:
            assert program.stop() == "perptape is stopped"
            assert not ours & program.processes()
            assert other.works()
        finally:
            other.stop()
        assert not other.processes()
    assert program.stop() == "perptape is not running"


def test_stop_of_a_supervisor_that_was_itself_stopped(program: Program) -> None:
    os.kill(program.pid("supervisor"), signal.SIGSTOP)
    assert program.stop() == "perptape is stopped"
    assert not program.processes()


def test_a_taken_port_is_named(shared: Program) -> None:
    shared.stop()
    for setting in ("PERP_HTTP_PORT", "PERP_METRICS_PORT"):
        port = int(shared.env[setting])
        with socket.create_server(("127.0.0.1", port)):
            code, message = shared.fails()
        assert code == 1
        assert message.startswith(f"port {port} ({setting}) is in use by pid {os.getpid()} (")
    assert not shared.processes()


def test_settings_that_cannot_be(shared: Program) -> None:
    code, message = shared.fails(PERP_HTTP_PROT="1")
    assert code == 2
    assert message == "perptape: unknown setting PERP_HTTP_PROT; did you mean PERP_HTTP_PORT?"
    code, message = shared.fails(PERP_DATA_DIR="/dev/null/data")
    assert code == 1
    assert message.startswith("the data dir /dev/null/data cannot be used: Not a directory")


@pytest.fixture(scope="module")
def on_own_servers(embedded_redis_url: str, embedded_postgres_dsn: str) -> Iterator[Program]:
    """On servers of its user, with three gateways."""
    with open_folder() as folder:
        program = Program(folder / "data")
        program.env |= {"REDIS_URL": embedded_redis_url, "DATABASE_URL": embedded_postgres_dsn}
        program.env |= {f"PERP_RPC_URLS_{chain}": "http://127.0.0.1:1" for chain in CHAINS}
        program.env |= {"PERP_GATEWAYS": "3", "PERP_HOST_NAME": "east-1"}
        try:
            program.start()
            yield program
            program.stop()
        finally:
            program.end()


def test_the_program_runs_as_many_gateways_as_it_is_told(on_own_servers: Program) -> None:
    program = on_own_servers
    # From the first moment connections are dealt out among all.
    assert listeners(program.http_port) == 3
    assert len(program.runtime["pids"]["gateway"]) == 3
    seen: set[str] = set()
    while len(seen) < 3:
        opened = httpx.get(f"{program.url}/socket.io/?EIO=4&transport=polling").text
        sid = orjson.loads(opened[1:])["sid"]
        seen.add(sid.rpartition(".")[0])
        # Each request by a connection of its own, so at any of them.
        for _ in range(4):
            url = f"{program.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
            assert httpx.post(url, content="3").text == "ok"
    assert seen == {"east-1.1", "east-1.2", "east-1.3"}
    page = httpx.get(program.runtime["metrics_url"]).text
    for worker in ("1", "2", "3"):
        labels = f'role="gateway",transport="polling",worker="{worker}"'
        assert f"perptape_sockets_open{{{labels}}}" in page
        assert f'perptape_role_up{{role="gateway",worker="{worker}"}} 1.0' in page


def test_servers_of_the_user_replace_ours(
    on_own_servers: Program, embedded_redis_url: str, embedded_postgres_dsn: str
) -> None:
    runtime = on_own_servers.runtime
    assert set(runtime["pids"]) == {"supervisor", *ROLES}
    assert runtime["redis_url"] == embedded_redis_url
    assert runtime["database_url"] == embedded_postgres_dsn
    assert runtime["rpc_urls"] == {str(chain): ["http://127.0.0.1:1"] for chain in CHAINS}
    assert runtime["sandbox"]["contracts"] == {}
    assert on_own_servers.works()
