"""What an earlier run left behind: processes that survived a killed supervisor, because they were
stopped or hung. Only asked while no supervisor holds the lock of the data dir."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from perptape.errors import StartError
from perptape.process import MARK, is_running
from runtime.clock import mono_ns

_GONE_WITHIN_NS: Final = 5_000_000_000


def end_leftovers(data_dir: Path, services_home: Path, grace_s: float = 0.0) -> int:
    """Kills those that do not end by themselves in ``grace_s``, and waits until they are gone.
    Returns how many had to be killed."""
    grace_ends_ns = mono_ns() + int(grace_s * 1e9)
    while (found := list(_pids(data_dir, services_home))) and mono_ns() < grace_ends_ns:
        time.sleep(0.05)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline_ns = mono_ns() + _GONE_WITHIN_NS
    while any(is_running(pid) for pid in found):
        if mono_ns() > deadline_ns:
            raise StartError(f"processes of an earlier run do not end: {found}")
        time.sleep(0.02)
    return len(found)


def _pids(data_dir: Path, services_home: Path) -> Iterator[int]:
    mark = os.fsencode(f"{MARK}={data_dir}")
    postgres_data = services_home / "postgres" / "data"
    for entry in Path("/proc").glob("[0-9]*"):
        # What ends meanwhile, or belongs to others, cannot be read.
        with contextlib.suppress(OSError):
            ours = mark in (entry / "environ").read_bytes().split(b"\0")
            # A Postgres backend has written its title over its environment.
            if not ours and (entry / "comm").read_text() == "postgres\n":
                ours = Path(os.readlink(entry / "cwd")) == postgres_data
            if ours and int(entry.name) != os.getpid():
                yield int(entry.name)
