"""``perptape run``, ``perptape stop``, recordings, the data, and one command per role."""

import argparse
import sys

from perptape import data_commands, desk_commands, recordings
from perptape.console import show
from perptape.errors import StartError
from perptape.roles import ROLES
from runtime.memory import return_large_blocks
from runtime.settings import SettingsError, load_settings
from runtime.tasks import run_role


def main() -> int:
    parser = argparse.ArgumentParser(prog="perptape", description="One tape of every perp DEX.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run everything in the foreground, until Ctrl-C or `stop`")
    commands.add_parser("stop", help="end a running perptape and all it has started")
    recordings.add_commands(commands)
    data_commands.add_commands(commands)
    _add_dead(commands)
    desk_commands.add_commands(commands)
    for role in ROLES:
        commands.add_parser(role.name, help=f"run the {role.name} role alone")
    options = parser.parse_args()
    for role in ROLES:
        if role.name == options.command:
            return_large_blocks()
            run_role(role.name, role.load())
    try:
        return _run(options)
    except SettingsError as error:
        show(f"perptape: {error}")
        return 2
    except (StartError, OSError) as error:
        show(str(error))
        return 1


def _add_dead(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    dead = commands.add_parser("dead", help="orders that nobody could deal with")
    actions = dead.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="those that were not replayed, the newest first")
    for name, text in (("show", "one letter and its order"), ("replay", "try an order again")):
        actions.add_parser(name, help=text).add_argument("letter", type=int, metavar="NUMBER")


def _run(options: argparse.Namespace) -> int:
    if options.command == "record":
        recordings.run_record(options)
    if options.command == "replay":
        return recordings.run_replay(options)
    if options.command in data_commands.NAMES:
        return data_commands.run(options)
    if options.command in desk_commands.NAMES:
        return desk_commands.run(options)
    if options.command == "dead":
        # Imported where it is needed: a role that starts pays for its own imports only.
        from perptape.dead_commands import run

        return run(options)
    settings = load_settings()
    if options.command == "run":
        from perptape.supervisor import run_supervisor

        return run_supervisor(settings)
    from perptape.stop import stop_running

    return stop_running(settings.data_dir.resolve())


if __name__ == "__main__":
    sys.exit(main())
