"""What commands do to the database: its schema, sample data."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from db.instants import microseconds
from db.migrate import MigrationError, migrate, status
from perptape import at_rest
from perptape.console import show
from perptape.errors import StartError
from perptape.seed import seed
from runtime.clock import iso_ms
from runtime.settings import Settings

PENDING: Final = 3
"""Exit code of ``migrate status`` when there is something to apply."""
_CONNECT_S: Final = 10.0
# Applying may build an index over all of the history; nobody waits for that but who asked.
_COMMAND_S: Final = 3600.0

Work = Callable[[asyncpg.Connection], Awaitable[int]]


def migrate_up(settings: Settings) -> int:
    """Exit code. Raises StartError."""
    return asyncio.run(_with_database(settings, "migrate up", _up))


def migrate_status(settings: Settings) -> int:
    """Exit code. Raises StartError."""
    return asyncio.run(_with_database(settings, "migrate status", _status))


def seed_database(settings: Settings, hours: int, *, force: bool) -> int:
    """Exit code. Raises StartError, outside the sandbox network unless ``force``."""
    if settings.network != "sandbox" and not force:
        raise StartError(
            f"the network is {settings.network}: what seed writes is made up;"
            " --force writes it anyway"
        )

    async def write(connection: asyncpg.Connection) -> int:
        await _up(connection)
        show(await seed(connection, hours))
        return 0

    return asyncio.run(_with_database(settings, "seed", write))


async def _with_database(settings: Settings, command: str, work: Work) -> int:
    async with at_rest.database_url(settings, command) as url:
        try:
            connection = await asyncpg.connect(url, timeout=_CONNECT_S, command_timeout=_COMMAND_S)
            try:
                return await work(connection)
            finally:
                connection.terminate()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, MigrationError) as error:
            raise StartError(f"{type(error).__name__}: {error}") from None
        except TimeoutError:
            raise StartError("Postgres does not answer") from None


async def _up(connection: asyncpg.Connection) -> int:
    done = await migrate(connection)
    show("\n".join(f"applied {name}" for name in done) or "the schema is up to date")
    return 0


async def _status(connection: asyncpg.Connection) -> int:
    found = await status(connection)
    for standing in found:
        at = standing.applied_at
        when = "pending" if at is None else f"applied {iso_ms(microseconds(at))}"
        show(f"{standing.name}  {when}")
    return PENDING if any(standing.applied_at is None for standing in found) else 0
