"""One supervised child: started, watched, started again with backoff, stopped."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from typing import Final

from perptape.log_files import ChildLog
from perptape.process import Launch, kill_group, spawn
from runtime.clock import mono_ns
from runtime.tasks import Backoff, sleep_or_stop

_FIRST_S: Final = 0.2
_CAP_S: Final = 10.0
_SHOWN_LENGTH: Final = 300
_HEALTHY_NS: Final = 30_000_000_000


class Child:
    def __init__(
        self,
        role: str,
        launch: Launch,
        log: ChildLog,
        *,
        stop_grace_s: float,
        say: Callable[[str], None],
        started: Callable[[], None],
        worker: str = "",
        metrics_port: int | None = None,
        refusal_code: int | None = None,
        repair: Callable[[Sequence[str]], str | None] = lambda last_lines: None,
    ) -> None:
        self.role = role
        self.worker = worker
        self.metrics_port = metrics_port
        self.log = log
        self.restarts = 0
        self.refused = False
        self._launch = launch
        self._stop_grace_s = stop_grace_s
        self._say = say
        self._started = started
        self._repair = repair
        # With this code a role says that it cannot use its settings: another start cannot help.
        self._refusal_code = refusal_code
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self.task = asyncio.create_task(self._keep_running(), name=self.name)

    @property
    def name(self) -> str:
        return f"{self.role}-{self.worker}" if self.worker else self.role

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def last_line(self) -> str:
        return self.log.last_lines[-1].strip()[:_SHOWN_LENGTH] if self.log.last_lines else ""

    async def stop(self, hurry: asyncio.Event) -> None:
        """Asks it to end; kills it after its grace, or as soon as ``hurry`` is set."""
        self._stopping.set()
        self._ask_to_end()
        impatience = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            {self.task, impatience},
            timeout=self._stop_grace_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        impatience.cancel()
        if not self.task.done():
            self._say(f"{self.name} does not end by itself and is killed")
        while not self.task.done():
            self._kill()
            await asyncio.wait({self.task}, timeout=0.1)

    async def _keep_running(self) -> None:
        backoff = Backoff(_FIRST_S, _CAP_S)
        while not self._stopping.is_set():
            started_ns = mono_ns()
            ending = await self._run_once()
            if self._stopping.is_set() or self.refused:
                return
            self.restarts += 1
            if mono_ns() - started_ns >= _HEALTHY_NS:
                backoff.reset()
            mended = self._repair(self.log.last_lines)
            delay_s = backoff.next_s()
            note = f"; {mended}" if mended else ""
            self._say(f"{self.name} {ending}{note}; starting it again in {delay_s:.1f} s")
            await sleep_or_stop(self._stopping, delay_s)

    async def _run_once(self) -> str:
        """Runs it until it ends; says how it ended."""
        self.log.last_lines.clear()
        try:
            self._process = process = await spawn(self._launch, self.log.write_end)
        except OSError as error:
            return f"cannot be started ({error})"
        self._started()
        if self._stopping.is_set():
            self._ask_to_end()
        code = await process.wait()
        self._process = None
        self.log.end_of_process()
        self.refused = code == self._refusal_code
        return self._ending(code)

    def _ending(self, code: int) -> str:
        if code < 0:
            return f"was ended by signal {-code} ({signal.strsignal(-code)})"
        return f"ended with code {code}" + (f" ({self.last_line})" if self.last_line else "")

    def _ask_to_end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self._launch.stop_signal)
                # One that was stopped can only end after it goes on.
                self._process.send_signal(signal.SIGCONT)

    def _kill(self) -> None:
        if self._process is not None:
            kill_group(self._process.pid)
