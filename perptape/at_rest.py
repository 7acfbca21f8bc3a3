"""Servers for commands that need the data: those of the perptape that runs, else the embedded ones,
started for as long as the command takes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from perptape.data_dir import hold_lock, holder_pid
from perptape.embedded import EmbeddedServer
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.errors import StartError
from perptape.leftovers import end_leftovers
from perptape.ports import free_ports
from perptape.process import kill_group, spawn
from perptape.runtime_file import read_runtime_file
from perptape.service_user import ServiceUser, service_user, services_home
from runtime.clock import mono_ns
from runtime.settings import Settings

START_NS: Final = 30_000_000_000
STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A data dir with what belongs to it. ``home``: where the embedded servers keep theirs."""

    data_dir: Path
    home: Path
    user: ServiceUser | None

    @classmethod
    def of(cls, settings: Settings) -> "Place":
        """Raises StartError where the data dir is not there."""
        data_dir, user = settings.data_dir.resolve(), service_user()
        if not data_dir.is_dir():
            raise StartError(f"there is no {data_dir} yet: `perptape run` makes it")
        return cls(data_dir, services_home(data_dir, user), user)

    def postgres(self, port: int) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.data_dir, self.home, port, self.user)

    @contextlib.contextmanager
    def held(self, command: str) -> Iterator[None]:
        """Nobody else runs on it meanwhile. Raises StartError where somebody does."""
        with hold_lock(self.data_dir, f"perptape {command}"):
            end_leftovers(self.data_dir, self.home)
            yield


@contextlib.asynccontextmanager
async def database_url(settings: Settings, command: str) -> AsyncIterator[str]:
    """Raises StartError."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with postgres(Place.of(settings), command) as server:
        yield server.url


@contextlib.asynccontextmanager
async def postgres(place: Place, command: str) -> AsyncIterator[EmbeddedPostgres]:
    """The embedded one, answering. Raises StartError."""
    if not (place.home / "postgres").exists():
        raise StartError(f"there is no database in {place.data_dir} yet: `perptape run` makes it")
    if holder_pid(place.data_dir) is not None:
        urls = read_runtime_file(place.data_dir)
        port = urlsplit(str(urls.get("database_url"))).port
        if port is None:
            raise StartError(f"perptape is just starting or stopping in {place.data_dir}")
        server = place.postgres(port)
        server.attach()
        yield server
        return
    with place.held(command):
        async with started_postgres(place) as server:
            yield server


@contextlib.asynccontextmanager
async def started_postgres(place: Place) -> AsyncIterator[EmbeddedPostgres]:
    """The lock is held by the caller."""
    server = place.postgres(free_ports(1)[0])
    await server.prepare()
    async with _running(server, place.data_dir / "logs" / f"{server.name}.log"):
        yield server


@contextlib.asynccontextmanager
async def _running(server: EmbeddedServer, log: Path) -> AsyncIterator[None]:
    launch = server.launch()
    log.parent.mkdir(mode=0o700, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = await spawn(launch, output)
    finally:
        os.close(output)
    try:
        deadline_ns = mono_ns() + START_NS
        while not await server.answers():
            if process.returncode is not None or mono_ns() > deadline_ns:
                raise StartError(f"{server.name} does not start, see {log}")
            await asyncio.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(launch.stop_signal)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            kill_group(process.pid)
            await process.wait()
