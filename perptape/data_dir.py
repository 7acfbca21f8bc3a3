"""The data dir: writable, with room, and of one supervisor at a time."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from perptape.errors import StartError

LOCK: Final = "lock"
# Two databases are created at the first start; below this they would fail half-way.
_ROOM_BYTES: Final = 100_000_000


def open_data_dir(path: Path) -> None:
    """Creates it where it is missing. Raises StartError where it cannot be used."""
    try:
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(bytes(65_536))
            probe.flush()
            os.fsync(probe.fileno())
        free = os.statvfs(path)
    except OSError as error:
        raise StartError(
            f"the data dir {path} cannot be used: {error.strerror}; set PERP_DATA_DIR to another"
        ) from None
    if free.f_bavail * free.f_frsize < _ROOM_BYTES:
        raise StartError(
            f"the disk is nearly full: {path} needs {_ROOM_BYTES // 1_000_000} MB of free space"
        )


@contextlib.contextmanager
def hold_lock(path: Path, url: str) -> Iterator[None]:
    """Holds the data dir. The kernel lets go of it when this process ends, however it ends."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _lock(descriptor, fcntl.LOCK_EX):
            if (holder := _holder(descriptor)) is not None:
                pid, other_url = holder
                raise StartError(f"perptape is already running (pid {pid}, {other_url})")
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {url}".encode(), 0)
        yield
        # Whoever takes the lock next must not pass for us before it has written itself.
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder_pid(path: Path) -> int | None:
    """The supervisor that holds the data dir, None where nobody does."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        holder = _holder(descriptor)
    finally:
        os.close(descriptor)
    return None if holder is None else holder[0]


def _holder(descriptor: int) -> tuple[int, str] | None:
    """Pid and URL of who holds the lock."""
    while not _lock(descriptor, fcntl.LOCK_SH):
        if text := os.pread(descriptor, 200, 0).decode():
            pid, _, url = text.partition(" ")
            return int(pid), url
        time.sleep(0.01)  # it has just taken the lock, or is about to let go of it
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return None


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
