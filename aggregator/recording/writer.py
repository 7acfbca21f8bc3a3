"""Entries to a file, on a thread of its own: whoever records never waits for the disk."""

import threading
from typing import BinaryIO, Final

from aggregator.recording.folder import Folder
from aggregator.recording.format import MAGIC, Kind, block, gap, packed
from runtime.metrics import Counter

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
BLOCK_BYTES: Final = 1024 * 1024
WRITE_S: Final = 0.5

LOST: Final = Counter(
    "perptape_recording_lost_total", "Entries that a recording does not have", ["why"]
)
WRITTEN: Final = Counter("perptape_recording_bytes_total", "Bytes of recordings written")


class RecordingWriter:
    """One file of a folder. ``put`` from one thread; what finds no room is counted, and the file
    says where and how much is missing. Ends with ``close``.

    ``size``: bytes written. ``spoilt``: why the file is no longer whole, or no longer grows.
    """

    def __init__(self, folder: Folder, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self.path, self._file = folder.create()
        self.size = 0
        self.spoilt: str | None = None
        self._folder = folder
        self._max_waiting = max_waiting_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._lost = 0
        self._dead = False
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, entry: bytes) -> None:
        """Never blocks for longer than it takes to swap a list."""
        with self._lock:
            if self._waiting_bytes + len(entry) > self._max_waiting:
                self._lost += 1
                self.spoilt = "OVERFLOW"
                LOST.labels(why="overflow").inc()
                return
            if self._lost:
                self._waiting.append(gap(self._lost))
                self._lost = 0
            self._waiting.append(entry)
            self._waiting_bytes += len(entry)

    def close(self) -> None:
        """Writes what waits; blocks until it is on its way to the disk."""
        self._ends = True
        self._wake.set()
        self._thread.join()

    def _take(self, ends: bool) -> list[bytes]:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._waiting_bytes = 0
            if ends:
                if self._lost:
                    waiting.append(gap(self._lost))
                    self._lost = 0
                waiting.append(packed(Kind.END))
            return waiting

    def _run(self) -> None:
        file = self._file
        try:
            self._write(file, MAGIC, 0)
            ends = False
            while not ends:
                self._wake.wait(WRITE_S)
                ends = self._ends
                self._write_all(file, self._take(ends))
        finally:
            file.close()
            self._folder.finished(self.path)

    def _write_all(self, file: BinaryIO, entries: list[bytes]) -> None:
        start = 0
        while start < len(entries):
            end, size = start, 0
            while end < len(entries) and (end == start or size + len(entries[end]) <= BLOCK_BYTES):
                size += len(entries[end])
                end += 1
            self._write(file, block(b"".join(entries[start:end])), end - start)
            start = end

    def _write(self, file: BinaryIO, data: bytes, count: int) -> None:
        """After the first failure nothing more is written: the file would not be whole."""
        if not self._dead:
            try:
                if not self._folder.make_room(len(data)):
                    raise OSError("the cap of the folder is reached")
                written = file.write(data)
                self.size += written
                WRITTEN.inc(written)
                if written < len(data):
                    raise OSError("the disk is full")
                return
            except OSError as error:
                self._dead = True
                self.spoilt = str(error)
        LOST.labels(why="disk").inc(count)
