"""Child processes that cannot outlive the one that started them."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perptape.service_user import ServiceUser
from runtime.priority import give_way

# In the environment of everything we start, so that it can be told from what we did not start.
MARK: Final = "PERPTAPE_DATA_DIR"

STAND_IN_NICENESS: Final = 5
"""Of what stands for venues and chains: elsewhere it would take no time of what it feeds."""

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Launch:
    """One program as it is to be started."""

    argv: Sequence[str]
    env: Mapping[str, str]
    user: ServiceUser | None = None
    stdin: bytes = b""  # below the 64 KiB that a pipe takes at once
    stop_signal: signal.Signals = signal.SIGTERM
    # Sent by the kernel when the supervisor dies. What is not reading a database can be killed.
    death_signal: signal.Signals = signal.SIGKILL
    niceness: int = 0


@contextlib.contextmanager
def spawn_arguments(launch: Launch) -> Iterator[dict[str, Any]]:
    """Keyword arguments for ``subprocess.Popen`` and ``asyncio.create_subprocess_exec``."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, launch.stdin)
        os.close(write_end)
        arguments: dict[str, Any] = {
            "stdin": read_end,
            "env": dict(launch.env),
            # Its own session: a Ctrl-C in the terminal reaches the supervisor, which ends the
            # others in order.
            "start_new_session": True,
            # Runs after the change of user, which would reset it.
            "preexec_fn": _die_with_parent(launch.death_signal, launch.niceness),
        }
        if launch.user is not None:
            arguments |= {"user": launch.user.uid, "group": launch.user.gid, "extra_groups": []}
        yield arguments
    finally:
        os.close(read_end)


def _die_with_parent(death_signal: signal.Signals, niceness: int) -> Callable[[], None]:
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        if niceness:
            give_way(niceness)

    return in_child


def is_running(pid: int) -> bool:
    """False also for what has ended and was not yet waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


async def spawn(launch: Launch, output: int) -> asyncio.subprocess.Process:
    with spawn_arguments(launch) as arguments:
        return await asyncio.create_subprocess_exec(
            *launch.argv, stdout=output, stderr=subprocess.STDOUT, **arguments
        )


async def run_to_end(launch: Launch) -> tuple[int, str]:
    """Exit code and output of a program that ends by itself."""
    with spawn_arguments(launch) as arguments:
        process = await asyncio.create_subprocess_exec(
            *launch.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **arguments
        )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        kill_group(process.pid)  # with the helpers it has started
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


def kill_group(pid: int) -> None:
    """Everything in the process group of a child of ours."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
