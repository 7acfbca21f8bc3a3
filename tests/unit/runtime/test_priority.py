"""Niceness as the kernel counts it: of a process and of the session it leads."""

import subprocess
import sys
from typing import Final

# A group takes a change every 100 ms from who is no root: it is said again until it was taken.
_PROGRAM: Final = """
import os, time
from pathlib import Path
from runtime.priority import give_way

give_way(3)
group = Path("/proc/self/autogroup")
for _ in range(100):
    if not group.exists() or group.read_text().split()[-1] == "3":
        break
    time.sleep(0.05)
    give_way(0)
print(os.nice(0), group.read_text().split()[-1] if group.exists() else 3)
"""


def test_a_process_and_its_session_give_way() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    said = subprocess.check_output(command, text=True, timeout=30, start_new_session=True)
    assert said.split() == ["3", "3"]
