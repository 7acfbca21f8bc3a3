"""The unprivileged user of Redis and Postgres when perptape is started by root.

Postgres refuses to run as root, and nothing that listens should. That user must be able to reach
its data and its programs: what lies below a closed folder (/root, a 0700 home) moves to a place
of its own.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perptape.errors import StartError

# nobody has the entry in the user database that initdb asks for, on every system.
_NAME: Final = "nobody"
_SHARED: Final = Path("/var/lib/perptape")


@dataclass(frozen=True, slots=True)
class ServiceUser:
    uid: int
    gid: int

    def can_enter(self, path: Path) -> bool:
        """Whether ``path``, a folder, and all above it can be passed through."""
        return all(self._may_pass(folder) for folder in (path, *path.parents))

    def _may_pass(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def own(self, path: Path) -> None:
        """Gives ``path`` and all in it to this user."""
        if path.stat().st_uid == self.uid:
            return
        for folder, _, files in os.walk(path):
            for name in files:
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)
            os.chown(folder, self.uid, self.gid)


def service_user() -> ServiceUser | None:
    """None where we run unprivileged ourselves: then the servers run as we do."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        raise StartError(
            f"started by root, Redis and Postgres run as {_NAME}, and there is no such user"
        ) from None
    return ServiceUser(entry.pw_uid, entry.pw_gid)


def services_home(data_dir: Path, user: ServiceUser | None) -> Path:
    """Where the data of the embedded servers lives: the data dir, if their user can get there."""
    # Once moved it stays: opening a folder later must not bring up an empty database.
    moved = _SHARED / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    if user is None or (not moved.exists() and user.can_enter(data_dir)):
        return data_dir
    return moved


def make_services_home(data_dir: Path, user: ServiceUser | None) -> Path:
    """``services_home``, made where it is not the data dir itself."""
    home = services_home(data_dir, user)
    if home == data_dir:
        return home
    for name in ("redis", "postgres"):
        if (data_dir / name).exists():
            raise StartError(
                f"user {_NAME} can no longer reach {data_dir / name}: "
                f"allow others to enter (chmod o+x) {data_dir} and the folders above it"
            )
    _make_shared(home)
    return home


def _make_shared(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    while folder != _SHARED.parent:
        folder.chmod(0o711)
        folder = folder.parent


def runnable(root: Path, parts: Sequence[str], key: str, user: ServiceUser | None) -> Path:
    """``root``, or a copy of these parts of it that ``user`` can reach, made once per ``key``."""
    if user is None or all(user.can_enter(root / part) for part in parts):
        return root
    copy = _SHARED / "programs" / key
    if copy.exists():
        return copy
    _make_shared(copy.parent)
    unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
    for part in parts:
        shutil.copytree(root / part, unfinished / part, symlinks=True)
    for folder_name, _, files in os.walk(unfinished):
        os.chmod(folder_name, 0o755)
        for name in files:
            path = Path(folder_name, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    with contextlib.suppress(FileExistsError):  # another start was faster
        unfinished.rename(copy)
    return copy
