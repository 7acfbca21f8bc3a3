"""What the two embedded servers have in common."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from perptape.process import MARK, Launch


class EmbeddedServer(Protocol):
    """A server that is prepared once, then started as often as it dies."""

    name: str

    @property
    def url(self) -> str: ...

    async def prepare(self) -> None:
        """Files and folders it needs before its first start. Raises StartError."""
        ...

    def launch(self) -> Launch: ...

    async def answers(self) -> bool: ...

    def repair(self, last_lines: Sequence[str]) -> str | None:
        """Mends what these last lines complain about; says what was done, None for nothing."""
        ...


def server_environment(data_dir: Path) -> dict[str, str]:
    """Nothing of ours: settings hold keys that a database has no use for."""
    return {"PATH": os.defpath, "LANG": "C", "TZ": "UTC", MARK: str(data_dir)}
