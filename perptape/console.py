"""What the person at the terminal reads: short lines on stderr, the ``ready`` line on stdout."""

import contextlib
import os
from typing import Final

import orjson

from perptape.log_files import BoundedFile
from runtime.clock import iso_ms, wall_us

_STDOUT: Final = 1
_STDERR: Final = 2


class Console:
    def __init__(self, log: BoundedFile) -> None:
        self._log = log

    def say(self, text: str) -> None:
        """One line for the terminal and for the supervisor's log."""
        show(f"perptape: {text}")
        line = {"at": iso_ms(wall_us()), "role": "supervisor", "level": "info", "event": text}
        self._log.write(orjson.dumps(line) + b"\n")


def show(text: str) -> None:
    """One line on stderr."""
    _write(_STDERR, f"{text}\n")


def announce(text: str) -> None:
    """One line on stdout, for programs that wait for it."""
    _write(_STDOUT, f"{text}\n")


def _write(descriptor: int, text: str) -> None:
    # The terminal may be gone or the disk behind a redirect full: no reason to stop serving.
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode("utf-8", "replace"))
