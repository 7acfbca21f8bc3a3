"""The pinned ABI of the diamond. Pure: the file is part of the program."""

from pathlib import Path
from typing import Final

from connectors.base import abi

_FILE: Final = Path(__file__).parents[1] / "abi" / "diamond.json"

FUNCTIONS: Final = abi.functions(_FILE)
"""By name."""
ERRORS: Final = abi.errors(_FILE)
"""By selector."""
EVENTS: Final = abi.events(_FILE)
"""By first topic."""
