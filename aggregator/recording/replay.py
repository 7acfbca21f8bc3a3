"""Plays a recording in several processes. Each plays all of it, because books and sessions depend
on everything that came before, and makes the envelopes of its share of the markets; put together
they are those of a single process, byte for byte."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from multiprocessing.connection import Connection
from operator import itemgetter
from pathlib import Path
from typing import Final

from aggregator.recording.format import Reader
from aggregator.recording.player import Player
from domain.errors import InputError

ENTRIES: Final = 12_288
"""At a time: some seconds of a recording, so that ladders are priced many at once."""

_Bodies = list[tuple[tuple[int, int, int], bytes]]
"""With their places, see ``player.Said``."""


class Replay:
    """A recording as it is played. ``player``, ``torn`` and ``envelopes``, how many there were,
    tell of it when ``lines`` has ended."""

    def __init__(self, path: Path, share: int = 0, shares: int = 1) -> None:
        """Raises InputError for what cannot be read, or OSError."""
        with ExitStack() as opened:
            self._reader = Reader(opened.enter_context(path.open("rb")))
            self._entries = iter(self._reader)
            beginning = next(self._entries, None)
            if beginning is None:
                raise InputError("NOT_A_RECORDING", "it is empty")
            self.player = Player(beginning, share, shares)
            self._file = opened.pop_all()
        self._path, self._shares = path, shares
        self.envelopes = 0

    @property
    def torn(self) -> bool:
        return self._reader.torn

    def lines(self) -> Iterator[bytes]:
        """The envelopes in order, one a line, many at a time; ``share`` is that of this process,
        others play the rest. Raises EOFError when one of them is lost."""
        with ExitStack() as beside:
            others = [_started(beside, self._path, n, self._shares) for n in range(1, self._shares)]
            for part in self.parts():
                for other in others:
                    part += other.recv()
                # Each of them is in order already, and sorting takes that as it is.
                part.sort(key=itemgetter(0))
                self.envelopes += len(part)
                yield b"".join([line for _, body in part for line in (body, b"\n")])

    def parts(self) -> Iterator[_Bodies]:
        """What this player says, of some entries at a time."""
        with self._file:
            while entries := list(islice(self._entries, ENTRIES)):
                said = self.player.play(entries)
                yield [(place, envelope.body) for place, envelope in said]


def _started(beside: ExitStack, path: Path, share: int, shares: int) -> Connection:
    """A process that plays the file as well, and what it says. It ends with ``beside``."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    beside.enter_context(ours)
    process = multiprocessing.Process(
        target=_serve, args=(path, share, shares, ours, theirs), daemon=True
    )
    with theirs:
        process.start()
    beside.callback(process.join)
    beside.callback(process.terminate)
    return ours


def _serve(path: Path, share: int, shares: int, theirs: Connection, ours: Connection) -> None:
    """The process. It ends with its owner, however that comes: nobody reads what it says then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    theirs.close()
    with contextlib.suppress(BrokenPipeError):
        for part in Replay(path, share, shares).parts():
            ours.send(part)
