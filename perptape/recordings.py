"""``perptape record`` and ``perptape replay``."""

import argparse
import asyncio
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from domain.errors import InputError
from perptape.console import show
from perptape.errors import StartError
from perptape.layout import SANDBOX_PORTS, sandbox_listens, sandbox_venues
from perptape.ports import free_ports
from runtime.clock import mono_ns
from runtime.settings import Settings, load_settings
from runtime.tasks import end_all, run_role, tune_interpreter

if TYPE_CHECKING:
    from aggregator.recording.replay import Replay

MEGABYTE: Final = 1024 * 1024
DEFAULT_MEGABYTES: Final = 1024
MAX_PROCESSES: Final = 4
"""Unless asked for more: each plays everything and only makes fewer envelopes."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    record = commands.add_parser("record", help="record what the venues send")
    record.add_argument("--out", type=Path, help="folder; default: recordings in PERP_DATA_DIR")
    record.add_argument(
        "--max-mb",
        type=_positive,
        default=DEFAULT_MEGABYTES,
        help=f"of all recordings in the folder, the oldest go first; default {DEFAULT_MEGABYTES}",
    )
    record.add_argument("--seconds", type=_positive, help="default: until Ctrl-C")
    replay = commands.add_parser("replay", help="play a recording, on its own clock")
    replay.add_argument("file", type=Path)
    replay.add_argument("--out", type=Path, help="file for the envelopes; default: stdout")
    cores = min(MAX_PROCESSES, os.cpu_count() or 1)
    replay.add_argument(
        "--processes",
        type=_positive,
        default=cores,
        help=f"that share the work, the output is the same; default {cores}: one a core",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


# Record -------------------------------------------------------------------------------------------


def run_record(options: argparse.Namespace) -> NoReturn:
    """A role of its own; in the sandbox network, without any address of a replica, with replicas
    of its own. Raises SettingsError or StartError."""
    settings = load_settings()
    own_sandbox = settings.network == "sandbox" and settings.dydx_ws_url is None
    metrics, *ports = free_ports(1 + len(SANDBOX_PORTS))
    # It may run beside a perptape that has the usual port.
    os.environ.setdefault("PERP_METRICS_PORT", str(metrics))
    if own_sandbox:
        places = dict(zip(SANDBOX_PORTS, ports, strict=True))
        os.environ.update(sandbox_listens(places) | sandbox_venues(places))

    async def main(settings: Settings, stop: asyncio.Event) -> None:
        from aggregator.recording.folder import Folder
        from aggregator.recording.service import record
        from sandbox import service as sandbox

        folder = Folder(options.out or settings.data_dir / "recordings", options.max_mb * MEGABYTE)
        if options.seconds is not None:
            asyncio.get_running_loop().call_later(options.seconds, stop.set)
        replicas = sandbox.main(settings, asyncio.Event()) if own_sandbox else stop.wait()
        beside = asyncio.ensure_future(replicas)
        try:
            await record(settings, folder, stop)
        finally:
            await end_all([beside])

    run_role("record", main)


# Replay -------------------------------------------------------------------------------------------


def run_replay(options: argparse.Namespace) -> int:
    """Envelopes to a file or stdout, what it took to stderr. Raises StartError or OSError."""
    from aggregator.recording.replay import Replay

    tune_interpreter()
    try:
        replay = Replay(options.file, shares=options.processes)
        with _output(options.out) as output:
            show(_replay(replay, output))
    except InputError as error:
        raise StartError(f"{options.file}: {error.message}") from None
    except EOFError:
        raise StartError("a process of the replay was lost") from None
    return 0


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as output:
        yield output


def _replay(replay: "Replay", output: BinaryIO) -> str:
    started_ns = mono_ns()
    digest = hashlib.sha256()
    for lines in replay.lines():
        digest.update(lines)
        output.write(lines)
    player = replay.player
    took_s = max(1e-9, (mono_ns() - started_ns) / 1e9)
    told = (
        f"{player.seconds:.1f} s with {player.frames} frames played in {took_s:.2f} s:"
        f" {player.frames / took_s:.0f} frames/s, {player.seconds / took_s:.1f} times real time\n"
        f"{replay.envelopes} envelopes, sha256 {digest.hexdigest()}"
    )
    if player.missing:
        told += f"\n{player.missing} entries are missing: the recorder could not keep up"
    if player.crashes:
        told += f"\n{player.crashes} times a session crashed"
    if replay.torn:
        told += "\nthe recording is torn: its writer did not finish it"
    return told
