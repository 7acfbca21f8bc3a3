"""Whose processes are whose."""

import os
import subprocess

from benchmarks.load.instance import processes_of


def test_a_process_is_of_the_nearest_role_above_it() -> None:
    # The shell says when its own child is there.
    script = "sleep 60 & echo; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as shell:
        try:
            assert shell.stdout is not None
            shell.stdout.readline()
            roles = {"supervisor": [os.getpid()], "feed": [shell.pid], "gone": [2**22]}
            found = processes_of(roles)
            pids = {role: [process.pid for process in own] for role, own in found.items()}
            assert pids["feed"][0] == shell.pid
            assert len(pids["feed"]) == 2
            assert os.getpid() in pids["supervisor"]
            assert not set(pids["supervisor"]) & set(pids["feed"])
            assert pids["gone"] == []
        finally:
            for process in processes_of({"shell": [shell.pid]})["shell"]:
                process.kill()
