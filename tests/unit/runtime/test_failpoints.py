"""Points at which a drill ends the process: once, and only the one that was named."""

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from runtime import failpoints
failpoints.arm(sys.argv[1] or None, Path(sys.argv[2]))
failpoints.reach("P6")
failpoints.reach("P7")
print("passed once", flush=True)
failpoints.reach("P7")
print("passed twice")
"""


def run(setting: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, setting, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_is_killed_at_its_point_once(tmp_path: Path) -> None:
    assert run("", tmp_path).stdout.endswith("passed twice\n")
    assert run("P7:kill", tmp_path).returncode == -signal.SIGKILL
    assert run("P7:kill", tmp_path).stdout.endswith("passed twice\n")


def test_it_is_killed_the_time_that_was_named(tmp_path: Path) -> None:
    ended = run("P7:kill:2", tmp_path)
    assert ended.returncode == -signal.SIGKILL
    assert "passed once" in ended.stdout
    assert "passed twice" not in ended.stdout
