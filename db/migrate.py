"""Brings the schema up to date. Files are applied in the order of their numbers, each in one
transaction, and never change afterwards: their checksums are kept."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg

from db import timescale
from domain.errors import PerpError

FOLDER: Final = Path(__file__).resolve().parent.parent / "migrations"
LOCK: Final = 0x70657270_0001
"""Advisory: one process at a time."""

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+(\.timescale)?\.sql")
_APPLIED: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(PerpError):
    """The database does not hold what these files made."""


class Standing(NamedTuple):
    """One number of the schema. ``applied_at`` None: it is still to come."""

    version: int
    name: str
    applied_at: datetime | None


class Migration(NamedTuple):
    """One file. Of two with a number the one for TimescaleDB is taken where that is available."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(folder: Path = FOLDER) -> Mapping[int, list[Migration]]:
    """By number, plain variant first. Raises MigrationError ``BAD_MIGRATIONS``."""
    found: dict[int, list[Migration]] = {}
    for path in sorted(folder.glob("*.sql"), key=lambda path: (len(path.suffixes), path.name)):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError("BAD_MIGRATIONS", f"no name of a migration: {path.name}")
        migration = Migration(int(match[1]), path.name, path.read_text())
        found.setdefault(migration.version, []).append(migration)
    if sorted(found) != list(range(1, len(found) + 1)):
        raise MigrationError("BAD_MIGRATIONS", f"numbers are missing in {folder.name}")
    for variants in found.values():
        plain = [item for item in variants if not item.name.endswith(".timescale.sql")]
        if len(plain) != 1 or len(variants) > 2:
            raise MigrationError("BAD_MIGRATIONS", f"one plain file a number: {variants[0].name}")
    return dict(sorted(found.items()))


async def migrate(connection: asyncpg.Connection, folder: Path = FOLDER) -> list[str]:
    """Applies what is missing and returns its names. The connection needs a long time limit.

    Raises MigrationError ``MIGRATION_CHANGED`` or ``DATABASE_NEWER``, and what asyncpg raises.
    """
    files = load(folder)
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(_APPLIED)
        applied = await _applied(connection, files)
        missing = [variants for version, variants in files.items() if version not in applied]
        timescale = bool(missing) and await _has_timescale(connection, applied.values())
        done = []
        for variants in missing:
            chosen = variants[-1] if timescale else variants[0]
            async with connection.transaction():
                await connection.execute(chosen.sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
                    chosen.version, chosen.name, chosen.sha256,
                )  # fmt: skip
            done.append(chosen.name)
        return done
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def status(connection: asyncpg.Connection, folder: Path = FOLDER) -> list[Standing]:
    """Every number with what was applied of it, by number. Changes nothing and waits for nobody.

    Raises as ``migrate``.
    """
    files = load(folder)
    begun = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    applied = await _applied(connection, files) if begun else {}
    return [
        applied.get(version, Standing(version, variants[0].name, None))
        for version, variants in files.items()
    ]


async def standing_version(connection: asyncpg.Connection) -> int:
    """The highest number that was applied; 0 for a database without any."""
    if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return 0
    found: int = await connection.fetchval(
        "SELECT coalesce(max(version), 0) FROM schema_migrations"
    )
    return found


async def _applied(
    connection: asyncpg.Connection, files: Mapping[int, Sequence[Migration]]
) -> dict[int, Standing]:
    """By number. Raises MigrationError where it is not what these files make."""
    found = {}
    for row in await connection.fetch("SELECT * FROM schema_migrations"):
        version, name = row["version"], row["name"]
        if version not in files:
            raise MigrationError("DATABASE_NEWER", f"{name} is of a newer version")
        if (name, row["sha256"]) not in [(item.name, item.sha256) for item in files[version]]:
            raise MigrationError("MIGRATION_CHANGED", f"{name} is not what was applied")
        found[version] = Standing(version, name, row["applied_at"])
    return found


async def _has_timescale(connection: asyncpg.Connection, applied: Iterable[Standing]) -> bool:
    """A database that began without the extension goes on without it."""
    names = [standing.name for standing in applied]
    if names:
        return any(name.endswith(".timescale.sql") for name in names)
    return await timescale.is_usable(connection)
