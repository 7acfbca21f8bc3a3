"""The clients we give away, as their READMEs say, at a running gateway."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from eth_account import Account

from tests.integration.gateway_kit import Rig
from tests.protocol.javascript_client import SHARE, find_node

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
KEY: Final = "0x" + "7" * 64
UPDATES: Final = "3"


async def watched(rig: Rig, *words: str) -> list[str]:
    """Lines of the example, which runs while prices change."""
    process = await asyncio.create_subprocess_exec(
        *words,
        rig.url,
        "BTC-USD",
        UPDATES,
        env={"PRIVATE_KEY": KEY, "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = asyncio.create_task(process.communicate())
    cents = 0
    async with asyncio.timeout(40):
        while not ended.done():
            cents += 1
            await rig.feed.price(f"97000.{cents}", "97099")
            await asyncio.wait({ended}, timeout=0.2)
    output, errors = ended.result()
    assert (process.returncode, errors.decode()) == (0, "")
    return output.decode().splitlines()


def check(lines: list[str]) -> None:
    first, now, *updates = lines
    assert first == f"signed in as {Account.from_key(KEY).address}"
    assert "97099" in now
    seqs = [int(line.split()[0]) for line in updates]
    assert len(seqs) == int(UPDATES)
    assert seqs == sorted(set(seqs))
    assert all("97099" in line for line in updates)


async def test_python(rig: Rig) -> None:
    check(await watched(rig, sys.executable, str(EXAMPLES / "python" / "watch.py")))


async def test_javascript(rig: Rig, tmp_path: Path) -> None:
    for path in (EXAMPLES / "javascript").glob("*.mjs"):
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(SHARE / "javascript-example" / "node_modules")
    check(await watched(rig, find_node(), str(tmp_path / "watch.mjs")))


def test_types_and_versions() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "perptape_client"],
        cwd=EXAMPLES / "python",
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
    lock = (EXAMPLES.parent / "requirements.lock").read_text().splitlines()
    pinned = {line.removesuffix(" \\") for line in lock if "==" in line}
    wanted = (EXAMPLES / "python" / "requirements.txt").read_text().splitlines()
    assert set(wanted) <= pinned
