"""Processes beside those of the supervisor, each with a failpoint: it takes its share of the work,
gets there, and is killed or stands still. What it leaves the others have to deal with."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from perptape.ports import free_ports
from tests.integration.program_kit import ROOT, Program, environment

STOP_S: Final = 46.0
"""Longer than three leases of 15 s."""
UP_S: Final = 150.0
"""A process that starts on a busy machine."""
SEEN_S: Final = 5.0
"""Then nobody new is sent to a gateway that stands still."""
AFTER_S: Final = 3.0
"""What went on lives so long, so that it can do harm."""
_LOOK_S: Final = 0.1
GATEWAY_POINTS: Final = ("P1", "P2")
POINTS: Final = tuple(f"P{number}" for number in range(1, 13))
CELLS: Final = tuple((point, action) for point in POINTS for action in ("kill", "stop"))


@dataclass(slots=True)
class Cell:
    """A row of the table. ``at_s``: when it happened, of the monotonic clock."""

    point: str
    action: str
    tries: int = 0
    under_way: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)

    @property
    def role(self) -> str:
        return "gateway" if self.point in GATEWAY_POINTS else "executor"


class Victims:
    """``at_gateway``: told the URL of one that can be asked, and again when it cannot any more."""

    def __init__(
        self,
        program: Program,
        at_gateway: Callable[[str, bool], None],
        under_way: Callable[[], int],
        stop_s: float = STOP_S,
    ) -> None:
        self._program = program
        self._at_gateway = at_gateway
        self._under_way = under_way
        self._stop_s = stop_s
        self._log = (program.data_dir / "logs" / "victims.log").open("ab")
        self._running: set[subprocess.Popen[bytes]] = set()

    def end(self) -> None:
        """All of them, whatever they do."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self._log.close()

    async def meet(self, cell: Cell, count: int, patience_s: float) -> bool:
        """One victim from its start to its end; False when it never got there. ``count``: the how
        manieth time it ends it."""
        cell.tries += 1
        mark = self._program.data_dir / f"failpoint-{cell.point}-{cell.action}"
        mark.unlink(missing_ok=True)
        http_port, metrics_port = free_ports(2)
        env = environment(self._program.pid(cell.role)) | {
            "PERP_FAILPOINT": f"{cell.point}:{cell.action}:{count}",
            "PERP_METRICS_PORT": str(metrics_port),
        }
        # Nobody trades there, and to watch it costs as much as to watch the others.
        env.pop("PERP_RPC_URLS_8453", None)
        url = f"http://127.0.0.1:{http_port}"
        if cell.role == "gateway":
            env |= {
                "PERP_PUBLIC_URL": self._program.url,
                "PERP_HTTP_PORT": str(http_port),
                "PERP_HOST_NAME": f"v{http_port}",
            }
        process = self._start(cell.role, env)
        self._running.add(process)
        try:
            if cell.role == "gateway":
                await _answers(f"{url}/health/ready", process, mark)
                self._at_gateway(url, True)
            else:
                metrics = f"http://127.0.0.1:{metrics_port}/metrics"
                await _answers(metrics, process, mark)
            return await self._until_met(cell, process, mark, patience_s, url)
        finally:
            if cell.role == "gateway":
                self._at_gateway(url, False)
            process.kill()
            await asyncio.to_thread(process.wait)
            self._running.discard(process)

    def _start(self, role: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "perptape", role]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=self._log, stderr=self._log)

    async def _until_met(
        self,
        cell: Cell,
        process: "subprocess.Popen[bytes]",
        mark: Path,
        patience_s: float,
        url: str,
    ) -> bool:
        until = time.monotonic() + patience_s
        while not mark.exists():
            if time.monotonic() > until or process.poll() is not None:
                return False
            await asyncio.sleep(_LOOK_S)
        cell.at_s.append(time.monotonic())
        cell.under_way.append(self._under_way())
        if cell.action == "kill":
            code = await asyncio.to_thread(process.wait)
            assert code == -signal.SIGKILL, code
            return True
        # Who asked it waits with it; a proxy in front sends the next ones elsewhere before long.
        await asyncio.sleep(min(SEEN_S, self._stop_s))
        if cell.role == "gateway":
            self._at_gateway(url, False)
        await asyncio.sleep(max(0.0, self._stop_s - SEEN_S))
        process.send_signal(signal.SIGCONT)
        if cell.role == "gateway":
            self._at_gateway(url, True)
        await asyncio.sleep(AFTER_S)
        return True


async def _answers(url: str, process: "subprocess.Popen[bytes]", mark: Path) -> None:
    """Until it does, for ``UP_S`` at most, or has ended, or is at its step already."""
    until = time.monotonic() + UP_S
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        while time.monotonic() < until and process.poll() is None and not mark.exists():
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get(url, timeout=1.0)).status_code == 200:
                    return
            await asyncio.sleep(_LOOK_S)
