"""How much of a scarce core a process of ours takes from the others."""

import contextlib
import os
from pathlib import Path
from typing import Final

_GROUP: Final = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """``niceness`` is added to that of this process, which leads a session of its own.

    A kernel that shares its cores among sessions first (sched(7), autogroup, as desktops and many
    servers do) compares niceness only within one, so the session is given it too.
    """
    os.nice(niceness)
    # Not every kernel has the file, and it takes a change only every 100 ms from who is no root:
    # then this process is one of many that want their share, as it would be anyway.
    with contextlib.suppress(OSError):
        _GROUP.write_text(str(os.nice(0)))
