"""The clients that trade, as their READMEs say: opened and closed, signed both ways, at every venue
that takes orders."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tests.e2e.kit import ROOT, Program
from tests.e2e.wallet import ARBITRUM, POLYGON, funded
from tests.protocol.javascript_client import SHARE, find_node

EXAMPLES: Final = ROOT / "examples"
Begin = Callable[[], "subprocess.Popen[str]"]
WITHIN_S: Final = 200.0
# Of ETH and USDC.
GMX_POOL: Final = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"


def _begun(
    words: list[str], program: Program, venue: str, chain_id: int, pool: str, **more: str
) -> "subprocess.Popen[str]":
    environment = {"PATH": os.environ["PATH"], "PRIVATE_KEY": funded(program, chain_id), **more}
    return subprocess.Popen(
        [*words, program.url, "ETH-USD", venue, str(chain_id), "1000", pool],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _node(program: Program, chain_id: int) -> str:
    urls: list[str] = program.runtime["rpc_urls"][str(chain_id)]
    return next(url for url in urls if url.startswith("http"))


def _check(process: "subprocess.Popen[str]") -> None:
    output, errors = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, errors) == (0, ""), output + errors
    lines = output.splitlines()
    assert lines[0].startswith("signed in as 0x")
    assert sum(line.startswith("filled ") for line in lines) == 2, output
    assert lines[-1] == "closed"


def test_open_and_close(program: Program, tmp_path: Path) -> None:
    for path in (EXAMPLES / "javascript").glob("*.mjs"):
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(SHARE / "javascript-example" / "node_modules")
    javascript = [find_node(), str(tmp_path / "trade.mjs")]
    python = [sys.executable, str(EXAMPLES / "python" / "trade.py")]
    nodes = {chain: _node(program, chain) for chain in (ARBITRUM, POLYGON)}
    gmx = partial(_begun, javascript, program, "gmx", ARBITRUM, GMX_POOL)
    gains = partial(_begun, javascript, program, "gains")
    # A few at a time: whoever has no time left on a slow machine has no prices either.
    batches: tuple[tuple[Begin, ...], ...] = (
        (
            gmx,
            partial(gains, ARBITRUM, "42161:USDC"),
            partial(gains, POLYGON, "137:USDC", RPC_URL=nodes[POLYGON]),
        ),
        (
            partial(gmx, RPC_URL=nodes[ARBITRUM]),
            # Without a pool: whatever is best.
            partial(_begun, python, program, "gains", POLYGON, ""),
        ),
    )
    for batch in batches:
        begun = [begin() for begin in batch]
        try:
            for process in begun:
                _check(process)
        finally:
            for process in begun:
                process.kill()
                process.wait()
