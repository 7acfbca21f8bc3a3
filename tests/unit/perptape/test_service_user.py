import os
from pathlib import Path

import pytest

from perptape import service_user
from perptape.errors import StartError
from perptape.service_user import ServiceUser, make_services_home, runnable, services_home

STRANGER = ServiceUser(uid=65_432, gid=65_432)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An open folder; those above it, which pytest closes to others, do not count."""
    top = tmp_path_factory.mktemp("top")
    may_pass = ServiceUser._may_pass

    def open_above(user: ServiceUser, path: Path) -> bool:
        return True if path in top.parents else may_pass(user, path)

    monkeypatch.setattr(ServiceUser, "_may_pass", open_above)
    monkeypatch.setattr(service_user, "_SHARED", top / "shared")
    top.chmod(0o755)
    return top


def test_a_closed_folder_on_the_way_is_seen(folder: Path) -> None:
    inner = folder / "home" / "data"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o711)
    assert STRANGER.can_enter(inner)
    inner.parent.chmod(0o700)
    assert not STRANGER.can_enter(inner)
    assert ServiceUser(os.getuid(), os.getgid()).can_enter(inner)


def test_data_stays_where_it_can_be_reached(folder: Path) -> None:
    data = folder / "data"
    data.mkdir(mode=0o711)
    assert make_services_home(data, STRANGER) == data
    assert make_services_home(data, None) == data


def test_data_below_a_closed_folder_moves_and_stays_moved(folder: Path) -> None:
    data = folder / "home" / "data"
    data.mkdir(parents=True)
    data.parent.chmod(0o700)
    home = make_services_home(data, STRANGER)
    assert home.parent == folder / "shared"
    assert STRANGER.can_enter(home)
    data.parent.chmod(0o755)
    assert services_home(data, STRANGER) == home


def test_existing_data_is_never_left_behind(folder: Path) -> None:
    data = folder / "home" / "data"
    (data / "postgres").mkdir(parents=True)
    data.parent.chmod(0o700)
    with pytest.raises(StartError, match="can no longer reach"):
        make_services_home(data, STRANGER)


def test_programs_are_copied_once_and_can_be_run_by_others(folder: Path) -> None:
    root = folder / "closed"
    program = root / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    (root / "bin" / "data").touch(mode=0o600)
    assert runnable(root, ["bin"], "x-1", STRANGER) == root
    root.chmod(0o700)
    copy = runnable(root, ["bin"], "x-1", STRANGER)
    assert STRANGER.can_enter(copy / "bin")
    assert (copy / "bin" / "program").stat().st_mode & 0o777 == 0o755
    assert (copy / "bin" / "data").stat().st_mode & 0o777 == 0o644
    program.unlink()
    assert runnable(root, ["bin"], "x-1", STRANGER) == copy
    assert (copy / "bin" / "program").exists()
    assert sorted(path.name for path in copy.parent.iterdir()) == ["x-1"]
