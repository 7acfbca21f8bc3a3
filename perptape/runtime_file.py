"""``runtime.json``: where everything listens, for programs that use a running perptape."""

import os
from pathlib import Path
from typing import Any, Final

import orjson

_NAME: Final = "runtime.json"


def write_runtime_file(data_dir: Path, content: dict[str, Any]) -> None:
    """Replaced in one step: a reader sees the old file or the new one. Owner only: it holds
    passwords."""
    unfinished = data_dir / f"{_NAME}.new"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    unfinished.replace(data_dir / _NAME)


def read_runtime_file(data_dir: Path) -> dict[str, Any]:
    """Empty where there is none: nothing runs, or it is not ready yet."""
    try:
        content: dict[str, Any] = orjson.loads((data_dir / _NAME).read_bytes())
    except FileNotFoundError:
        return {}
    return content


def remove_runtime_file(data_dir: Path) -> None:
    (data_dir / _NAME).unlink(missing_ok=True)
