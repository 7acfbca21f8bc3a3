"""Log files of the roles: bounded in size, and never a reason to stop.

A child writes into a pipe, we write the file: so a full disk costs lines, which are counted, and
not the service; and no role has to know about files.
"""

import asyncio
import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from runtime.clock import iso_ms, mono_ns, wall_us

MAX_BYTES: Final = 20_000_000
KEPT: Final = 3
_LINE_BYTES: Final = 64_000
# As much as an unprivileged process may ask for. It bridges a supervisor that is stopped a while.
_PIPE_BYTES: Final = 1 << 20
_SHOWN_LEVELS: Final = frozenset({"warning", "error", "critical"})
_UNSHOWN_FIELDS: Final = frozenset({"at", "event", "level", "logger", "role", "exception"})
_SHOWN_LENGTH: Final = 300
_SHOWN_PER_WINDOW: Final = 10
_WINDOW_NS: Final = 10_000_000_000


class BoundedFile:
    """Appends lines; at ``max_bytes`` the file becomes ``.1``, and the oldest of them goes."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._descriptor = -1
        self._size = 0
        self._torn = False
        self.dropped = 0

    def write(self, line: bytes) -> None:
        try:
            if self._descriptor < 0:
                self._open()
            if self._size + len(line) > self._max_bytes:
                self._rotate()
            text = b"\n" + line if self._torn else line
            written = os.write(self._descriptor, text)
            self._size += written
            self._torn = written < len(text)
            self.dropped += self._torn
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(KEPT - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        self._open()


class ChildLog:
    """The pipe into which one child writes, for all its restarts, and the file behind it.
    ``show(level, text)``: whether the person at the terminal is to read that now."""

    def __init__(
        self, name: str, folder: Path, show: Callable[[str, str], bool], *, json: bool
    ) -> None:
        self._name = name
        self.path = folder / f"{name}.log"
        self._file = BoundedFile(self.path)
        self._show = show
        self._json = json
        self._rest = b""
        self._window_ends_ns = 0
        self._shown = 0
        self.last_lines: deque[str] = deque(maxlen=20)
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        with contextlib.suppress(OSError):  # the user's share of pipe memory is spent
            fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        asyncio.get_running_loop().add_reader(self._read_end, self.drain)

    @property
    def dropped(self) -> int:
        return self._file.dropped

    def drain(self) -> None:
        """Takes what the pipe holds."""
        with contextlib.suppress(BlockingIOError):
            self._take(os.read(self._read_end, _PIPE_BYTES))

    def end_of_process(self) -> None:
        """Nothing more comes from this process: what it left without a line end is a line."""
        self.drain()
        if self._rest:
            self._take(b"\n")

    def close(self) -> None:
        self.end_of_process()
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
        os.close(self.write_end)
        self._file.close()

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._line(line[:_LINE_BYTES])

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        if self._json:
            entry = _json_object(line)
            if entry is None:
                text = line.decode("utf-8", "replace")
                self.last_lines.append(text)
                line = orjson.dumps(
                    {"at": iso_ms(wall_us()), "role": self._name, "level": "info", "event": text}
                )
            elif str(entry.get("level")) in _SHOWN_LEVELS:
                self._show_entry(entry)
        else:
            self.last_lines.append(line.decode("utf-8", "replace"))
        self._file.write(line + b"\n")

    def _show_entry(self, entry: dict[str, Any]) -> None:
        now_ns = mono_ns()
        if now_ns >= self._window_ends_ns:
            self._window_ends_ns = now_ns + _WINDOW_NS
            self._shown = 0
        if self._shown > _SHOWN_PER_WINDOW:
            return
        if self._shown == _SHOWN_PER_WINDOW:
            self._shown += self._show(entry["level"], f"{self._name}: more of this, see its log")
            return
        ids = " ".join(f"{k}={v}" for k, v in entry.items() if k not in _UNSHOWN_FIELDS)
        text = f"{self._name} {entry['level']}: {entry.get('event')} {ids}"
        # What a venue sent may stand in it, and no control character of theirs is for a terminal.
        printable = "".join(char if char.isprintable() else " " for char in text)
        self._shown += self._show(entry["level"], " ".join(printable.split())[:_SHOWN_LENGTH])


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None
