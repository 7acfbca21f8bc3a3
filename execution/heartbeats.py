"""Heartbeats that were missed: the orders of their accounts are asked to go."""

from db import heartbeats
from db.instants import instant
from db.pool import Database
from runtime.clock import wall_us
from runtime.logs import get_logger

_log = get_logger(__name__)


async def lapse_all(database: Database) -> int:
    """How many accounts. One transaction each. Raises what Postgres raises."""
    count = 0
    while True:
        async with database.acquire() as connection, connection.transaction():
            account_id = await heartbeats.lapse(connection, instant(wall_us()))
        if account_id is None:
            return count
        count += 1
        _log.warning("heartbeat_missed", account_id=account_id)
