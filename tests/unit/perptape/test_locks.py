"""What `tools/bootstrap/setup.py` relies on."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BOOTSTRAP = ROOT / "tools" / "bootstrap"
LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-load.lock",
    "requirements-redis.lock",
]


def pins(path: Path) -> set[str]:
    """``name==version ; marker`` lines."""
    lines = path.read_text().splitlines()
    return {line.rstrip("\\ ") for line in lines if line and not line.startswith(" ")}


@pytest.mark.parametrize("path", [*(ROOT / name for name in LOCKS), BOOTSTRAP / "uv.lock.txt"])
def test_every_package_is_pinned_with_a_hash(path: Path) -> None:
    blocks = re.split(r"\n(?=\S)", path.read_text().strip())
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==[^ ]+( ; .+)? \\\n +--hash=sha256:", block), block


@pytest.mark.parametrize("name", ["requirements-dev.lock", "requirements-load.lock"])
def test_tests_and_loads_run_with_the_versions_that_users_run(name: str) -> None:
    assert pins(ROOT / "requirements.lock") <= pins(ROOT / name)


def test_the_committed_pip_is_the_expected_one() -> None:
    script = (BOOTSTRAP / "setup.py").read_text()
    [wheel] = BOOTSTRAP.glob("*.whl")
    assert f'"{wheel.name}"' in script
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() in script
