"""Points at which a drill ends or stops this very process, as a crash there would.

``PERP_FAILPOINT=P7:kill``: at P7, by SIGKILL; ``stop``: SIGSTOP, until somebody lets it go on. Once
in the life of a data dir: the successor goes past the point. Only in the sandbox. What the points
are: docs/operations.md.
"""

import os
import signal
from pathlib import Path
from typing import Final

from runtime.logs import get_logger

MARK: Final = "failpoint"
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: dict[str, tuple[signal.Signals, Path]] = {}
_log = get_logger(__name__)


def arm(setting: str | None, data_dir: Path) -> None:
    """``P7:kill``, as ``runtime.settings`` has checked it; None: no point does anything."""
    _armed.clear()
    if setting is None:
        return
    point, _, action = setting.partition(":")
    mark = data_dir / f"{MARK}-{point}-{action}"
    if not mark.exists():
        _armed[point] = _SIGNALS[action], mark


def reach(point: str) -> None:
    """Comes back, but for a point that is armed to kill."""
    found = _armed.pop(point, None)
    if found is None:
        return
    number, mark = found
    mark.touch()
    _log.warning("failpoint", point=point, signal=number.name)
    os.kill(os.getpid(), number)
