"""A chain of our own on the loopback interface, for the sandbox. It is new with every start."""

import contextlib
import hashlib
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perptape import loopback_http
from perptape.embedded import server_environment
from perptape.errors import StartError
from perptape.process import STAND_IN_NICENESS, Launch
from perptape.service_user import ServiceUser, runnable
from runtime.clock import wall_us
from sandbox.chain.places import BASE_FEE_WEI, GENESIS

_BUNDLED: Final = "share/anvil"
# A transaction of GMX takes some 50 KB; older ones go. States are kept as deep as a drill can turn
# the chain back, at half a megabyte each. Each holds the hashes of all blocks (64 bytes a block, in
# a table that doubles): 8 KB a block in all. The rest of a block is small.
_KEPT_BLOCKS: Final = "2000"
_KEPT_STATES: Final = "80"
# Gas costs what it does on the chain it stands for, where nobody tips. The sandbox makes the blocks
# that no transaction asks for: with an interval of its own the node keeps 1,500 states.
_OPTIONS: Final = (
    *("--no-cors", "--no-priority-fee", "--prune-history", _KEPT_STATES),
    *("--transaction-block-keeper", _KEPT_BLOCKS),
)
# Its threads share one pool of memory: with one for each two cores have eight, and states that one
# thread made and another let go of leave holes in all of them.
_ENVIRONMENT: Final = {"_RJEM_MALLOC_CONF": "narenas:1"}


class EmbeddedAnvil:
    def __init__(
        self, chain_id: int, data_dir: Path, home: Path, port: int, user: ServiceUser | None
    ) -> None:
        self.name = f"anvil-{chain_id}"
        self._chain_id = chain_id
        self._data_dir = data_dir
        self._folder = home / self.name
        self._port = port
        self._user = user
        self._program = Path()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def prepare(self) -> None:
        self._program = _find_program(self._user)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        written = (GENESIS / f"{self._chain_id}.json").read_bytes()
        (self._folder / "genesis.json").write_bytes(written)
        if self._user is not None:
            self._user.own(self._folder)

    def launch(self) -> Launch:
        arguments = {
            "--host": "127.0.0.1",
            "--port": str(self._port),
            "--chain-id": str(self._chain_id),
            "--block-base-fee-per-gas": str(BASE_FEE_WEI[self._chain_id]),
            "--timestamp": str(wall_us() // 1_000_000),
            "--init": str(self._folder / "genesis.json"),
        }
        words = [word for pair in arguments.items() for word in pair]
        # It keeps a folder of its own below its home.
        env = server_environment(self._data_dir) | {"HOME": str(self._folder), **_ENVIRONMENT}
        return Launch(
            argv=(str(self._program), *words, *_OPTIONS, "--silent"),
            env=env,
            user=self._user,
            niceness=STAND_IN_NICENESS,
        )

    async def answers(self) -> bool:
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            await loopback_http.get("127.0.0.1", self._port, "/", 1.0)
            return True
        return False

    def repair(self, last_lines: Sequence[str]) -> str | None:
        return None  # it keeps nothing that could be damaged


def _find_program(user: ServiceUser | None) -> Path:
    """The anvil in our environment, else the system's."""
    root = Path(sys.prefix)
    bundled = root / _BUNDLED / "anvil"
    if bundled.exists():
        key = "anvil-" + hashlib.sha256(bundled.read_bytes()).hexdigest()[:16]
        return runnable(root, [_BUNDLED], key, user) / _BUNDLED / "anvil"
    system = shutil.which("anvil")
    if system is None:
        raise StartError(
            f"there is no anvil for {platform.machine()} here: install Foundry, "
            "or set PERP_RPC_URLS_<chain>"
        )
    return Path(system)
