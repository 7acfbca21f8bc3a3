"""``perptape stop``: ends a running perptape with all it has started, and nothing else."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from perptape.console import show
from perptape.data_dir import holder_pid
from perptape.leftovers import end_leftovers
from perptape.process import is_running
from perptape.runtime_file import remove_runtime_file
from perptape.service_user import service_user, services_home
from runtime.clock import mono_ns

_GRACE_NS: Final = 15_000_000_000
_SERVERS_GRACE_S: Final = 3.0


def stop_running(data_dir: Path) -> int:
    """Exit code: 0 when nothing runs any more."""
    home = services_home(data_dir, service_user())
    pid = holder_pid(data_dir)
    if pid is None:
        killed = end_leftovers(data_dir, home)
        rest = f", {killed} processes of a killed one were left and are ended" if killed else ""
        show(f"perptape is not running{rest}")
        return 0
    try:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # one that was stopped can only end after it goes on
    except PermissionError:
        show(f"pid {pid} belongs to another user: stop it as that user")
        return 1
    except ProcessLookupError:
        pass  # it ended between the two looks
    deadline_ns = mono_ns() + _GRACE_NS
    while is_running(pid) and mono_ns() < deadline_ns:
        time.sleep(0.05)
    if holder_pid(data_dir) == pid:
        show(f"pid {pid} does not end by itself and is killed")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end_leftovers(data_dir, home, _SERVERS_GRACE_S)
    remove_runtime_file(data_dir)
    show("perptape is stopped")
    return 0
