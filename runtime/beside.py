"""A second process for what takes long: computing there does not hold up the event loop here, as a
thread would that keeps the interpreter to itself for tens of milliseconds."""

import asyncio
import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final, TypeVar

from runtime.logs import get_logger

TIMEOUT_S: Final = 10.0
"""For one call, the start of the process included. What is called takes 0.1 s."""

# Where cores are few, the event loop goes first.
_NICENESS: Final = 5
_PROGRAM: Final = "from runtime.beside import serve; serve()"

_T = TypeVar("_T")
_log = get_logger(__name__)


class BesideLost(Exception):
    """The process died of a call, or it took too long, twice."""


async def call(function: Callable[..., _T], *arguments: Any) -> _T:
    """What a function of a module returns or raises, called in the other process, one call after
    the other. Arguments and result are pickled. A lost process is replaced and asked once more;
    raises BesideLost when that is lost as well."""
    loop = asyncio.get_running_loop()
    answer = await loop.run_in_executor(_thread, _process.answer, function, arguments)
    if isinstance(answer, _Raised):
        raise answer.error
    return answer  # type: ignore[no-any-return]  # what the function returns


def serve() -> None:
    """The other process: answers calls until its standard input ends, however that comes."""
    calls = sys.stdin.buffer
    # Whatever prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(_NICENESS)
    while True:
        try:
            function, arguments = pickle.load(calls)
        except (EOFError, pickle.UnpicklingError):
            return
        try:
            answers.write(_pickled(function, arguments))
            answers.flush()
        except BrokenPipeError:
            # Its owner is gone, and nobody wants what is left in the buffer.
            os._exit(0)


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error


def _pickled(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps(function(*arguments), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(_Raised(error), pickle.HIGHEST_PROTOCOL)


class _Process:
    """The process as its owner sees it; one thread uses it."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None

    def answer(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        request = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
        for _ in range(2):
            try:
                return self._ask(request)
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                _log.warning("beside_lost", function=function.__qualname__, reason=repr(error))
                self.end()
        raise BesideLost(f"{function.__qualname__} of {len(request)} bytes")

    def _ask(self, request: bytes) -> Any:
        if self._running is None:
            self._running = _started()
        process = self._running
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            _pipe(process.stdin).write(request)
            _pipe(process.stdin).flush()
            return pickle.load(_pipe(process.stdout))
        finally:
            watchdog.cancel()

    def end(self) -> None:
        if self._running is not None:
            self._running.kill()
            # Closes the pipes as well; what was not written is of no use any more.
            self._running.communicate()
            self._running = None


def _started() -> subprocess.Popen[bytes]:
    # Signals for the group are its owner's affair; it ends when its input does.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe


_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="beside")
_process: Final = _Process()
atexit.register(_process.end)
