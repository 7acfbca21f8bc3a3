"""The folder of recordings: their names, and that all together stay below a cap."""

import contextlib
import os
import threading
from pathlib import Path
from typing import BinaryIO, Final

from runtime.clock import iso_ms, wall_us

SUFFIX: Final = ".perprec"


class Folder:
    """Recordings up to ``max_bytes`` in all; the oldest finished ones go first. Thread-safe."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._open: set[Path] = set()
        self._lock = threading.Lock()
        path.mkdir(parents=True, exist_ok=True)

    def create(self) -> tuple[Path, BinaryIO]:
        """A new file, owner only, named by the time."""
        moment = iso_ms(wall_us()).translate({ord(sign): None for sign in "-:."})
        with self._lock:
            path = self.path / f"{moment}{SUFFIX}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._open.add(path)
            return path, os.fdopen(descriptor, "wb", buffering=0)

    def finished(self, path: Path) -> None:
        """Nothing more is written to it."""
        with self._lock:
            self._open.discard(path)

    def make_room(self, size: int) -> bool:
        """Removes what is oldest until ``size`` more bytes fit; whether they do."""
        with self._lock:
            sizes: dict[Path, int] = {}
            for path in sorted(self.path.glob(f"*{SUFFIX}")):
                # Somebody may tidy up while we look.
                with contextlib.suppress(FileNotFoundError):
                    sizes[path] = path.stat().st_size
            total = sum(sizes.values()) + size
            for path, freed in sizes.items():
                if total <= self.max_bytes:
                    break
                if path not in self._open:
                    path.unlink(missing_ok=True)
                    total -= freed
            return total <= self.max_bytes
