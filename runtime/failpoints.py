"""Points at which a drill ends or stops this very process, as a crash there would.

``PERP_FAILPOINT=P7:kill``: at P7, by SIGKILL; ``stop``: SIGSTOP, until somebody lets it go on;
``P7:kill:3``: the third time that this process gets there. Once in the life of a data dir: the
successor goes past the point. Only in the sandbox. What the points are: docs/operations.md.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.logs import get_logger

MARK: Final = "failpoint"
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_log = get_logger(__name__)


@dataclass(slots=True)
class _Armed:
    """``left``: how often it is still reached, the last time included. ``mark``: the file that says
    that it happened."""

    number: signal.Signals
    mark: Path
    left: int


_armed: dict[str, _Armed] = {}


def arm(setting: str | None, data_dir: Path) -> None:
    """``P7:kill:3``, as ``runtime.settings`` has checked it; None: no point does anything."""
    _armed.clear()
    if setting is None:
        return
    point, action, count = (*setting.split(":"), "1")[:3]
    mark = data_dir / f"{MARK}-{point}-{action}"
    if not mark.exists():
        _armed[point] = _Armed(_SIGNALS[action], mark, int(count))


def reach(point: str) -> None:
    """Comes back, but for a point that is armed to kill."""
    if not _armed or (found := _armed.get(point)) is None:
        return
    found.left -= 1
    if found.left:
        return
    del _armed[point]
    found.mark.touch()
    _log.warning("failpoint", point=point, signal=found.number.name)
    os.kill(os.getpid(), found.number)
