"""Connections that cannot be used any more are no bugs of whoever used them."""

import asyncio

import asyncpg
import pytest

from tests.integration.orders_kit import pool_of

BUSY = "cannot switch to state 15; another operation (2) is in progress"
"""As asyncpg says it when a transaction ends before the statement in it was cancelled."""


async def test_a_connection_that_was_given_up_is_one_that_was_lost(
    embedded_postgres_dsn: str,
) -> None:
    async with pool_of(embedded_postgres_dsn) as database:
        with pytest.raises(ConnectionError, match="another operation"):
            async with database.acquire() as connection:
                raise asyncpg.InternalClientError(BUSY)
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_who_is_cancelled_stays_cancelled(embedded_postgres_dsn: str) -> None:
    async with pool_of(embedded_postgres_dsn) as database:
        begun = asyncio.Event()

        async def work() -> None:
            async with database.acquire():
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    raise asyncpg.InternalClientError(BUSY)

        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_stands_still_in_a_transaction_loses_it(embedded_postgres_dsn: str) -> None:
    async with pool_of(embedded_postgres_dsn) as database, database.acquire() as connection:
        limit = await connection.fetchval("SHOW idle_in_transaction_session_timeout")
        assert limit == "5s"


@pytest.mark.parametrize("error", [ConnectionResetError("mine"), asyncio.CancelledError("mine")])
async def test_what_the_server_ended_meanwhile_hides_no_error(
    embedded_postgres_dsn: str, error: BaseException
) -> None:
    async with pool_of(embedded_postgres_dsn) as database:

        async def work() -> None:
            gone = asyncio.Event()
            async with database.acquire() as connection:
                connection.add_termination_listener(lambda _: gone.set())
                await _end(embedded_postgres_dsn, connection.get_server_pid())
                await gone.wait()
                raise error

        with pytest.raises(type(error), match="mine"):
            await work()
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def _end(dsn: str, pid: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
    finally:
        await connection.close()
