"""``perptape backup`` and ``perptape restore``: the embedded data folder, whole and checked.

A backup is a folder, or the same as a ``.tar.gz``: a dump of Postgres, Redis' append-only files,
the keys of access tokens, and ``manifest.json`` with the checksum of every file. Only its owner may
read it. Redis is copied first: what it refers to is then in the dump, which is taken later.
"""

import asyncio
import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

import orjson
from redis import Redis
from redis.exceptions import RedisError

from perptape.at_rest import Place, postgres, started_postgres
from perptape.data_dir import LOCK, holder_pid, open_data_dir
from perptape.errors import StartError
from perptape.runtime_file import read_runtime_file
from perptape.service_user import make_services_home
from runtime.clock import iso_ms, mono_ns, wall_us
from runtime.settings import Settings

FORMAT: Final = 1
KEY_FILES: Final = ("auth-keys",)
"""Files of the data dir without which what is restored cannot be used."""
_DUMP: Final = "postgres.dump"
_MANIFEST: Final = "manifest.json"
_ARCHIVES: Final = (".tar.gz", ".tgz")
_REDIS_S: Final = 5.0
_REWRITE_NS: Final = 60_000_000_000


def back_up(settings: Settings, target: Path) -> str:
    """Writes it and says what it holds. Raises StartError or OSError; nothing is left then."""
    _require_embedded(settings)
    place = Place.of(settings)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StartError(f"{target} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        folder = Path(name) / "backup"
        folder.mkdir(mode=0o700)
        asyncio.run(_collect(place, folder))
        manifest = _write_manifest(folder)
        if target.name.endswith(_ARCHIVES):
            _pack(folder, Path(name) / "archive")
            folder = Path(name) / "archive"
        folder.replace(target)
    return f"{len(manifest['files'])} files of {manifest['created_at']} in {target}"


def restore(settings: Settings, source: Path) -> str:
    """Into the data dir, which has to be new or empty. Raises StartError or OSError; the data dir
    is as before then."""
    _require_embedded(settings)
    data_dir = settings.data_dir.resolve()
    if holder_pid(data_dir) is not None:
        raise StartError(f"perptape is running in {data_dir}: stop it first")
    _require_empty(data_dir)
    with _opened(source) as folder:
        manifest = _checked(folder)
        open_data_dir(data_dir)
        place = Place.of(settings)
        if place.home != data_dir:
            _require_empty(place.home)
        with place.held("restore"):
            make_services_home(data_dir, place.user)
            try:
                asyncio.run(_bring_back(place, folder))
            except BaseException:
                _empty(place)
                raise
    return f"restored what was backed up at {manifest['created_at']} into {data_dir}"


def _require_empty(folder: Path) -> None:
    # A lock that nobody holds is left by whoever tried before.
    if folder.exists() and any(path.name != LOCK for path in folder.iterdir()):
        raise StartError(f"{folder} is not empty: restore into another (PERP_DATA_DIR)")


def _require_embedded(settings: Settings) -> None:
    if settings.redis_url is not None or settings.database_url is not None:
        raise StartError(
            "only the embedded Redis and Postgres are backed up here, and REDIS_URL or DATABASE_URL"
            " is set: use what your servers come with"
        )


# Backup -------------------------------------------------------------------------------------------


async def _collect(place: Place, folder: Path) -> None:
    async with postgres(place, "backup") as server:
        _copy_redis(place, folder / "redis")
        for name in KEY_FILES:
            if (place.data_dir / name).exists():
                _copy(place.data_dir / name, folder / name)
        await server.dump(folder / _DUMP)
    (folder / _DUMP).chmod(0o600)


def _copy_redis(place: Place, target: Path) -> None:
    url = read_runtime_file(place.data_dir).get("redis_url")
    source = place.home / "redis"
    with contextlib.nullcontext() if url is None else _no_rewrites(str(url)):
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.name.startswith("temp-"):
                copy = target / path.relative_to(source)
                copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _copy(path, copy)


@contextlib.contextmanager
def _no_rewrites(url: str) -> Iterator[None]:
    """Meanwhile files only grow; of a write that is copied half Redis reads the rest away."""
    name = "auto-aof-rewrite-percentage"
    try:
        with Redis.from_url(url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S) as redis:
            usual = redis.config_get(name)[name]
            redis.config_set(name, 0)
            try:
                deadline_ns = mono_ns() + _REWRITE_NS
                while redis.info("persistence")["aof_rewrite_in_progress"]:
                    if mono_ns() > deadline_ns:
                        raise StartError("Redis rewrites its file for over a minute: try again")
                    time.sleep(0.1)
                yield
            finally:
                redis.config_set(name, usual)
    except RedisError as error:
        raise StartError(f"Redis does not answer: {error}") from None


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, _create(target) as written:
        shutil.copyfileobj(read, written)


def _create(path: Path) -> io.BufferedWriter:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _write_manifest(folder: Path) -> dict[str, Any]:
    files = {
        path.relative_to(folder).as_posix(): _sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {"format": FORMAT, "created_at": iso_ms(wall_us()), "files": files}
    with _create(folder / _MANIFEST) as file:
        file.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    return manifest


def _pack(folder: Path, archive: Path) -> None:
    with _create(archive) as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, path.relative_to(folder).as_posix())


# Restore ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """The folder of a backup. Raises StartError."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="perptape-restore-") as name:
        try:
            _unpack(source, Path(name))
        except (tarfile.TarError, EOFError) as error:
            raise StartError(f"{source} is no backup: {error}") from None
        yield Path(name)


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or path.is_absolute() or ".." in path.parts:
                raise StartError(f"{archive} is no backup: it has {member.name!r}")
            target = folder / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _create(target) as file:
                shutil.copyfileobj(content, file)


def _checked(folder: Path) -> dict[str, Any]:
    """The manifest, when all it names is there as it was. Raises StartError."""
    try:
        manifest: dict[str, Any] = orjson.loads((folder / _MANIFEST).read_bytes())
        files: dict[str, str] = dict(manifest["files"])
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError):
        raise StartError(f"{folder} is no backup: it has no {_MANIFEST} of ours") from None
    if not known:
        raise StartError(f"{folder} was written by another version of perptape")
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != sha256:
            raise StartError(f"the backup is damaged: {name}")
    if _DUMP not in files:
        raise StartError(f"the backup is damaged: {_DUMP}")
    return manifest


async def _bring_back(place: Place, folder: Path) -> None:
    if (folder / "redis").exists():
        for path in sorted((folder / "redis").rglob("*")):
            if path.is_file():
                target = place.home / path.relative_to(folder)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _copy(path, target)
    for name in KEY_FILES:
        if (folder / name).exists():
            _copy(folder / name, place.data_dir / name)
    async with started_postgres(place) as server:
        await server.load(folder / _DUMP)


def _empty(place: Place) -> None:
    for folder in {place.data_dir, place.home}:
        for path in folder.iterdir() if folder.exists() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:  # it is held
                path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
