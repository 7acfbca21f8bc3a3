"""How a role runs: signals, supervised tasks with backoff, a watchdog of the event loop."""

import asyncio
import contextlib
import gc
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NoReturn, TypeAlias

import uvloop

from domain.errors import InvariantViolation
from runtime import metrics
from runtime.clock import mono_ns
from runtime.logs import configure_logs, get_logger
from runtime.net import check_urls
from runtime.settings import Settings, SettingsError, load_settings
from runtime.watchdog import LoopWatch

RoleMain: TypeAlias = Callable[[Settings, asyncio.Event], Awaitable[None]]

_STOP_S: Final = 8.0
_CANCEL_S: Final = 0.1
_log = get_logger(__name__)


class Backoff:
    """Exponential delays with jitter: ``first_s`` doubling to ``cap_s``, each times 0.5 to 1."""

    def __init__(self, first_s: float, cap_s: float) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._failures = 0

    @property
    def failures(self) -> int:
        return self._failures

    def reset(self) -> None:
        self._failures = 0

    def next_s(self) -> float:
        base = min(self._cap_s, self._first_s * float(1 << min(self._failures, 30)))
        self._failures += 1
        return base * random.uniform(0.5, 1.0)


async def supervise(
    name: str, run: Callable[[], Awaitable[None]], *, first_s: float = 0.2, cap_s: float = 10.0
) -> None:
    """Runs ``run`` again with backoff whenever it raises; ends when it returns.

    An InvariantViolation is a bug and passes through: the role ends and the supervisor starts a
    clean one.
    """
    backoff = Backoff(first_s, cap_s)
    while True:
        started_ns = mono_ns()
        try:
            await run()
            return
        except InvariantViolation:
            raise
        except Exception as error:
            metrics.TASK_CRASHES.labels(task=name).inc()
            if mono_ns() - started_ns > 30_000_000_000:
                backoff.reset()
            delay_s = backoff.next_s()
            _log.exception("task_crashed", task=name, error=repr(error), retry_in_s=delay_s)
            await asyncio.sleep(delay_s)


async def end_all(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels until all have ended: redis-py sends through ``asyncio.wait_for``, which on Python
    3.11 can lose a cancellation that comes just as it finishes."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_S)


async def sleep_or_stop(stop: asyncio.Event, seconds: float) -> bool:
    """Waits; True as soon as ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


def _on_lag(lag_s: float) -> None:
    metrics.LOOP_LAG.observe(lag_s)
    metrics.LOOP_LAG_LAST.set(lag_s)


async def _run(role: str, main: RoleMain, settings: Settings) -> None:
    await check_urls(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop_watch = LoopWatch(_on_lag)
    # Read by a thread of its own: it tells of a block while that lasts.
    metrics.LOOP_BLOCKED.set_function(lambda: loop_watch.lag_s)
    watch = asyncio.create_task(loop_watch.run(), name="loop-watch")
    work = asyncio.create_task(_as_coroutine(main(settings, stop)), name=role)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            _, late = await asyncio.wait({work}, timeout=_STOP_S)
            if late:
                _log.warning("stop_timed_out", seconds=_STOP_S)
                await end_all(late)
        await work
    finally:
        await end_all([watch, stopping])


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


SWITCH_S: Final = 0.0005
"""After how long a thread that computes lets the event loop on: the usual 5 ms at every turn of the
loop are noticed by all who read prices."""


def tune_interpreter() -> None:
    """After the imports: what exists then lives as long as the process, keep the garbage collector
    out of it; and have it look for cycles seldom, since the hot paths make none."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(SWITCH_S)


def run_role(role: str, main: RoleMain) -> NoReturn:
    """Runs one role in this process until SIGINT or SIGTERM. Exit codes: 0 asked to stop, 2 bad
    settings, 1 anything else."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"perptape: {error}", file=sys.stderr)
        sys.exit(2)
    configure_logs(role, settings.log_level)
    try:
        metrics.serve_metrics(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        print(f"perptape: metrics port {settings.metrics_port}: {error}", file=sys.stderr)
        sys.exit(1)
    tune_interpreter()
    try:
        uvloop.run(_run(role, main, settings))
    except SettingsError as error:
        print(f"perptape: {error}", file=sys.stderr)
        sys.exit(2)
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit(1)
    except Exception as error:
        _log.exception("role_crashed", error=repr(error))
        sys.exit(1)
    sys.exit(0)
