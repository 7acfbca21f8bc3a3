import os
import subprocess
import sys
from pathlib import Path

import pytest

from perptape.data_dir import hold_lock, holder_pid, open_data_dir
from perptape.errors import StartError

URL = "http://127.0.0.1:8000"


def test_creates_what_is_missing(tmp_path: Path) -> None:
    open_data_dir(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "logs").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot be used: Not a directory; set PERP_DATA_DIR"):
        open_data_dir(tmp_path / "file" / "data")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with pytest.raises(StartError, match="the disk is nearly full"):
        open_data_dir(tmp_path)


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    assert holder_pid(tmp_path) is None
    with hold_lock(tmp_path, URL):
        assert holder_pid(tmp_path) == os.getpid()
        expected = rf"^perptape is already running \(pid {os.getpid()}, {URL}\)$"
        with pytest.raises(StartError, match=expected), hold_lock(tmp_path, URL):
            pass
    assert holder_pid(tmp_path) is None
    with hold_lock(tmp_path, URL):
        pass


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path\n"
        "from perptape.data_dir import hold_lock\n"
        "with hold_lock(Path(sys.argv[1]), 'u'): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False)
    assert (tmp_path / "lock").read_text().endswith(" u")
    assert holder_pid(tmp_path) is None
