"""How schemathesis is asked: every check, every phase, one area or all of them."""

import sys
from pathlib import Path
from typing import Final

AREAS: Final = ("market", "routing", "auth", "orders", "account", "ops")
TOKEN: Final = "FUZZ_TOKEN"

_FOLDER: Final = Path(__file__).parent


def arguments(url: str, area: str | None, examples: int, seed: int) -> list[str]:
    """The command that tests what runs at ``url``; it ends with 0 where nothing was found.
    ``TOKEN`` has to be in its environment."""
    found = [
        sys.executable, "-m", "schemathesis.cli", "--config-file",
        str(_FOLDER / "schemathesis.toml"), "run", f"{url}/openapi.json",
        "--url", url, "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful",
        "--max-examples", str(examples), "--seed", str(seed), "--request-timeout", "20",
        "--continue-on-failure", "--suppress-health-check", "all", "--no-color",
    ]  # fmt: skip
    if area is not None:
        found += ["--include-tag", area]
    return found
