"""``perptape openings`` and ``perptape reconcile``: what operators say, who, when and why."""

import argparse
import getpass
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.errors import InputError
from domain.units import parse_decimal
from runtime.settings import load_settings

NAMES: Final = ("openings", "reconcile")
MAX_REASON: Final = 500


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    openings = commands.add_parser("openings", help="stop or bound what is opened; never exits")
    actions = openings.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("show", help="what is stopped and bounded now")
    for name, text in (
        ("stop", "nothing is opened from now on"),
        ("resume", "it is again"),
        ("limit", "one order is at most of so many USD"),
    ):
        action = actions.add_parser(name, help=text)
        if name == "limit":
            action.add_argument("usd", type=_usd, metavar="USD|none")
        action.add_argument("venue", nargs="?", default="all", help="default: all of them")
        _explained(action)
    again = commands.add_parser("reconcile", help="look anew at what became of an order")
    again.add_argument("order", type=_order_id, metavar="ORDER")
    again.add_argument("--from-block", type=int, help="read the chain's logs again from this one")
    _explained(again)


def _explained(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, type=_reason, help="is kept with who and when")
    parser.add_argument("--by", default=getpass.getuser(), help="who; default: %(default)s")


def _usd(text: str) -> Decimal | None:
    if text == "none":
        return None
    try:
        digits, _ = parse_decimal(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.message) from None
    if not digits:
        raise argparse.ArgumentTypeError("a limit is more than nothing; `stop` opens nothing")
    return Decimal(text)


def _order_id(text: str) -> str:
    return str(UUID(text))


def _reason(text: str) -> str:
    if not 0 < len(text.strip()) <= MAX_REASON:
        raise argparse.ArgumentTypeError(f"a reason has 1 to {MAX_REASON} characters")
    return text.strip()


def run(options: argparse.Namespace) -> int:
    """Exit code. Raises SettingsError, StartError or OSError."""
    # A role that starts imports nothing of this.
    from perptape import desk_actions

    return desk_actions.run(load_settings(), options)
