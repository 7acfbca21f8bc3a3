"""What ``perptape openings`` and ``perptape reconcile`` do."""

import argparse
import asyncio

import asyncpg

from connectors.registry import VENUES
from db import chain_watch, order_changes, order_steps, orders, trading_limits
from db.instants import instant, microseconds
from db.trading_limits import EVERYWHERE, Said
from domain.units import minimal
from perptape.console import show
from perptape.database_command import with_database
from perptape.errors import StartError
from runtime.clock import iso_ms, wall_us
from runtime.settings import Settings


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Exit code. Raises StartError or OSError."""
    acts = {"show": _show, "stop": _stop, "resume": _resume, "limit": _limit}
    act = _reconcile if options.command == "reconcile" else acts[options.action]
    return asyncio.run(with_database(settings, options, act))


def _said(options: argparse.Namespace) -> Said:
    return Said(options.by, options.reason, instant(wall_us()))


def _venue(options: argparse.Namespace) -> str:
    if options.venue == "all":
        return EVERYWHERE
    if options.venue not in VENUES:
        raise StartError(f"{options.venue} is none of {', '.join(VENUES)}")
    return str(options.venue)


async def _show(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    del options
    for row in await trading_limits.rows(connection):
        since, most = row.openings_stopped_at, row.max_notional_usd
        stopped = "open" if since is None else f"stopped since {iso_ms(microseconds(since))}"
        bound = "no limit" if most is None else f"at most {minimal(most)} USD"
        print(row.venue or "all", stopped, bound, sep="\t")
    return 0


async def _stop(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    await trading_limits.stop(connection, _venue(options), _said(options))
    return 0


async def _resume(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    await trading_limits.resume(connection, _venue(options), _said(options))
    return 0


async def _limit(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    await trading_limits.bound(connection, _venue(options), options.usd, _said(options))
    return 0


async def _reconcile(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    """The executor looks at the order again, and the logs of its chain are read again from where it
    was prepared. Nothing is decided here: only the chain and the venue say what became of it."""
    said = _said(options)
    async with connection.transaction():
        row = await orders.read(connection, options.order, lock=True)
        if row is None:
            show(f"there is no order {options.order}")
            return 1
        if row.final:
            show(f"order {options.order} is {row.state} for good")
            return 1
        first = options.from_block
        if first is None:
            first = await order_steps.first_block(connection, row.new.id)
        if first is not None and isinstance(row.new.leg.chain_id, int):
            await chain_watch.read_again(connection, row.new.leg.chain_id, max(first, 0))
        await order_changes.notify(connection, row.new.id, row.version, said.at)
        told = {"state": row.state, "version": row.version, "from_block": first}
        await trading_limits.audit(
            connection, said, "reconcile", row.new.id, told, row.new.account_id
        )
    blocks = "" if first is None else f", and logs from block {first} on are read again"
    print(f"order {options.order} is {row.state} and is looked at again{blocks}")
    return 0
