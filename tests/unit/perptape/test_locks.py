"""What `tools/bootstrap/setup.py` relies on."""

import hashlib
import json
import re
import subprocess
import sys
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


def test_the_bill_of_materials_has_every_package_with_its_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    bill = json.loads(
        subprocess.run(
            [sys.executable, ROOT / "tools" / "sbom.py"], capture_output=True, check=True
        ).stdout
    )
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {f"{item['name']}=={item['version']}" for item in bill["components"]}
    assert listed == {pin.partition(" ")[0] for pin in pins(ROOT / "requirements.lock")}
    hashes = [each["content"] for item in bill["components"] for each in item["hashes"]]
    assert sorted(hashes) == sorted(re.findall("sha256:([0-9a-f]{64})", lock))
