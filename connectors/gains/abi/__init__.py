"""The diamond's ABI, cut down to what orders need; ``diamond.json`` names its source."""

import json
from pathlib import Path
from typing import Any, Final

ENTRIES: Final[list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("diamond.json").read_bytes()
)["abi"]
