"""What commands do that work on the database of the running perptape, or of ``DATABASE_URL``."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from perptape.errors import StartError
from perptape.runtime_file import read_runtime_file
from runtime.settings import Settings

_CONNECT_S: Final = 10.0

Act = Callable[[asyncpg.Connection, argparse.Namespace], Awaitable[int]]


async def with_database(settings: Settings, options: argparse.Namespace, act: Act) -> int:
    """The exit code of ``act``. Raises StartError."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    url = url or read_runtime_file(settings.data_dir).get("database_url")
    if url is None:
        raise StartError("perptape is not running here, and DATABASE_URL is not set")
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StartError(f"no database: {error!r:.200}") from None
    try:
        return await act(connection, options)
    finally:
        connection.terminate()
