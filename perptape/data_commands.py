"""``perptape migrate``, ``seed``, ``backup`` and ``restore``."""

import argparse
from pathlib import Path
from typing import Final

from perptape.console import show
from runtime.settings import load_settings

NAMES: Final = ("migrate", "seed", "backup", "restore")
MAX_HOURS: Final = 48


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    migrate = commands.add_parser("migrate", help="the schema of the database")
    migrate.add_argument("what", choices=("status", "up"))
    seed = commands.add_parser("seed", help="sample accounts and price history for a sandbox")
    seed.add_argument("--hours", type=_hours, default=6, help=f"1 to {MAX_HOURS}; default 6")
    seed.add_argument("--force", action="store_true", help="also outside the sandbox network")
    backup = commands.add_parser("backup", help="back up the embedded data folder")
    backup.add_argument("target", type=Path, metavar="DIR|FILE.tar.gz")
    restore = commands.add_parser("restore", help="bring a backup into an empty data folder")
    restore.add_argument("source", type=Path, metavar="DIR|FILE.tar.gz")


def run(options: argparse.Namespace) -> int:
    """Exit code. Raises SettingsError, StartError or OSError."""
    # A role that starts imports nothing of this.
    from perptape import backup, data

    settings = load_settings()
    if options.command == "backup":
        show(backup.back_up(settings, options.target.absolute()))
        return 0
    if options.command == "restore":
        show(backup.restore(settings, options.source.absolute()))
        return 0
    if options.command == "seed":
        return data.seed_database(settings, options.hours, force=options.force)
    return data.migrate_up(settings) if options.what == "up" else data.migrate_status(settings)


def _hours(text: str) -> int:
    number = int(text)
    if not 0 < number <= MAX_HOURS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_HOURS}")
    return number
