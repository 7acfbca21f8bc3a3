"""Niceness as the kernel counts it: of a process and of the session it leads."""

import subprocess
import sys
from typing import Final

# A group takes a change every 100 ms from who is no root: it is said again until it was taken.
_PROGRAM: Final = """
import os, time
from pathlib import Path
from runtime.priority import give_way

before = os.nice(0)
give_way(3)
group = Path("/proc/self/autogroup")
for _ in range(100):
    if not group.exists() or group.read_text().split()[-1] == str(os.nice(0)):
        break
    time.sleep(0.05)
    give_way(0)
of_session = group.read_text().split()[-1] if group.exists() else os.nice(0)
print(os.nice(0) - before, of_session, os.nice(0))
"""


def test_a_process_and_its_session_give_way() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    said = subprocess.check_output(command, text=True, timeout=30, start_new_session=True)
    added, of_session, of_process = said.split()
    assert (added, of_session) == ("3", of_process)
