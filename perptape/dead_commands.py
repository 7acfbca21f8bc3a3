"""``perptape dead list|show|replay``: orders that nobody could deal with."""

import argparse
import asyncio
from typing import Final

import asyncpg
import orjson

from db import orders, outbox
from db.instants import instant, microseconds
from domain import codec
from domain.errors import InputError
from execution.dead_letters import replay
from perptape.console import show
from perptape.database_command import with_database
from runtime.clock import iso_ms, wall_us
from runtime.settings import load_settings

LISTED: Final = 100


def run(options: argparse.Namespace) -> int:
    """Exit code. Raises StartError, SettingsError or OSError."""
    actions = {"list": _list, "show": _show, "replay": _replay}
    return asyncio.run(with_database(load_settings(), options, actions[options.action]))


async def _list(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    del options
    for letter in await outbox.dead_letters(connection, LISTED):
        at = iso_ms(microseconds(letter.created_at))
        print(letter.id, at, letter.order_id, letter.code, letter.message, sep="\t")
    return 0


async def _show(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    letter = await outbox.dead_letter(connection, options.letter)
    if letter is None:
        show(f"there is no dead letter {options.letter}")
        return 1
    row = await orders.read(connection, letter.order_id)
    told = await orders.history(connection, letter.order_id)
    said = {
        "letter": letter._asdict(),
        "order": None
        if row is None
        else {
            "id": row.new.id,
            "state": row.state,
            "deadline": row.new.deadline,
            "intent": codec.encode(row.new.intent),
            "leg": codec.encode(row.new.leg),
        },
        "events": [item._asdict() for item in told],
    }
    print(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    return 0


async def _replay(connection: asyncpg.Connection, options: argparse.Namespace) -> int:
    try:
        order_id = await replay(connection, options.letter, instant(wall_us()))
    except InputError as error:
        show(f"{error.code}: {error.message}")
        return 1
    print(f"order {order_id} is tried again" if order_id else "replayed before: nothing is done")
    return 0
