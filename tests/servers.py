"""Real Redis and Postgres for tests, started the way the program starts them."""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from perptape.embedded import EmbeddedServer
from perptape.ports import free_ports
from perptape.process import spawn_arguments
from perptape.service_user import ServiceUser, service_user
from runtime.dialer import Dialer

LOOPBACK = Dialer(allow_private=True)
"""Connects to what the tests serve."""

START_S = 30.0
STOP_S = 10.0


class ServerClass(Protocol):
    def __call__(
        self, data_dir: Path, home: Path, port: int, user: ServiceUser | None
    ) -> EmbeddedServer: ...


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder. Unlike pytest's it can be entered by the user whom root runs servers as."""
    folder = Path(tempfile.mkdtemp(prefix="perptape-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def prepared(server_class: ServerClass, folder: Path) -> EmbeddedServer:
    server = server_class(folder, folder, free_ports(1)[0], service_user())
    asyncio.run(server.prepare())
    return server


@contextmanager
def started(server: EmbeddedServer, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs it until the block ends; its output is in ``<name>.log``."""
    launch = server.launch()
    with (
        (folder / f"{server.name}.log").open("ab") as log,
        spawn_arguments(launch) as arguments,
        subprocess.Popen(launch.argv, stdout=log, stderr=log, **arguments) as process,
    ):
        try:
            deadline = time.monotonic() + START_S
            while not asyncio.run(server.answers()):
                assert process.poll() is None, (folder / f"{server.name}.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process
        finally:
            process.send_signal(launch.stop_signal)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def running(server_class: ServerClass) -> Iterator[str]:
    """The URL of a new server that runs until the block ends."""
    with open_folder() as folder:
        server = prepared(server_class, folder)
        with started(server, folder):
            yield server.url
