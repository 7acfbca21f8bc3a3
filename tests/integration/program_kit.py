"""``perptape run`` as a user runs it, on a data dir and ports of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import httpx
import orjson
from redis import Redis
from redis.exceptions import RedisError

from perptape.ports import free_ports

ROOT: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 60.0
BACK_S: Final = 30.0  # generous: how fast things are is measured elsewhere, on an idle machine

Value = TypeVar("Value")


def until(read: Callable[[], Value], seconds: float, what: str) -> Value:
    """The first true value of ``read``; fails when there is none for so long."""
    deadline = time.monotonic() + seconds
    while True:
        if value := read():
            return value
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def environment(pid: int) -> dict[str, str]:
    """What a process of the supervisor was started with."""
    raw = Path(f"/proc/{pid}/environ").read_bytes()
    pairs = (part.partition(b"=") for part in raw.split(b"\0") if part)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


class Program:
    """``perptape`` on one data dir, with free ports."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.http_port, metrics_port = free_ports(2)
        inherited = {name: value for name, value in os.environ.items() if "PERP" not in name}
        self.env = {
            **{k: v for k, v in inherited.items() if k not in ("REDIS_URL", "DATABASE_URL")},
            "PERP_DATA_DIR": str(data_dir),
            "PERP_HTTP_PORT": str(self.http_port),
            "PERP_METRICS_PORT": str(metrics_port),
            # Little to do: what is tested here is not the feed.
            "PERP_MARKETS": "BTC-USD,ETH-USD",
        }
        self.process: subprocess.Popen[str] | None = None

    def command(self, name: str, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "perptape", name],
            cwd=ROOT,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fails(self, **env: str) -> tuple[int, str]:
        """Exit code and message of a start that cannot succeed. Nothing else may be said."""
        process = self.command("run", **env)
        try:
            output, errors = process.communicate(timeout=READY_S)
        finally:
            process.kill()
        assert output == ""
        assert "Traceback" not in errors
        return process.returncode, errors.strip()

    def start(self) -> "subprocess.Popen[str]":
        self.process = process = self.command("run")
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready {self.url}\n"
        return process

    def stop(self) -> str:
        process = self.command("stop")
        _, errors = process.communicate(timeout=READY_S)
        assert process.returncode == 0
        return errors.strip()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def runtime(self) -> dict[str, Any]:
        content: dict[str, Any] = orjson.loads((self.data_dir / "runtime.json").read_bytes())
        return content

    def pid(self, role: str) -> int:
        pid: int = self.runtime["pids"][role][0]
        return pid

    def new_pid(self, role: str, old: int) -> int:
        return until(
            lambda: next((pid for pid in self.runtime["pids"].get(role, ()) if pid != old), 0),
            BACK_S,
            f"another {role}",
        )

    def redis(self) -> "Redis[bytes]":
        return Redis.from_url(self.runtime["redis_url"])

    def query(self, statement: str) -> Any:
        async def ask() -> Any:
            connection = await asyncpg.connect(self.runtime["database_url"])
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def works(self) -> bool:
        with contextlib.suppress(RedisError, OSError, asyncpg.PostgresError, httpx.HTTPError):
            healthy = httpx.get(f"{self.url}/health/ready").status_code == 200
            return healthy and self.redis().ping() and self.query("SELECT true")
        return False

    def processes(self) -> set[int]:
        """Everything that runs for this data dir, seen from outside."""
        mark = str(self.data_dir).encode()
        found = set()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parts = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
                parts.append(os.fsencode(os.readlink(entry / "cwd")))
                if any(mark in part for part in parts) and int(entry.name) != os.getpid():
                    found.add(int(entry.name))
        return found

    def end(self) -> None:
        if self.process is not None:
            for pid in {*self.processes(), self.process.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.communicate()
