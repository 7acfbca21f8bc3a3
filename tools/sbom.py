"""The bill of materials (CycloneDX 1.5) of what `make install` installs, from its lock."""

import json
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
_PIN: Final = re.compile(r"([a-z0-9][a-z0-9.-]*)==([^ ]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def component(block: str) -> dict[str, Any]:
    """``block``: a pin and the hashes of its files."""
    found = _PIN.match(block)
    assert found is not None, block
    name, version = found.groups()
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": item} for item in _HASH.findall(block)],
    }


def bill(lock: str) -> dict[str, Any]:
    blocks = re.split(r"\n(?=\S)", lock.strip())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "perptape"}},
        "components": [component(block) for block in blocks],
    }


if __name__ == "__main__":
    print(json.dumps(bill((ROOT / "requirements.lock").read_text()), indent=1))
