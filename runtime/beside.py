"""A second process for what takes long: computing there does not hold up the event loop here, as a
thread would that keeps the interpreter to itself for tens of milliseconds."""

import asyncio
import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final, TypeVar

from runtime.logs import get_logger
from runtime.priority import give_way

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


def begin() -> None:
    """Starts the process as a copy of this one, which spares it a second of imports. To be called
    once, after the imports and before anything runs: a thread, an event loop."""
    _process.begin()


def serve() -> None:
    """The other process: answers calls until its standard input ends, however that comes."""
    calls = sys.stdin.buffer
    # Whatever prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _answer(calls, answers)


def _answer(calls: IO[bytes], answers: IO[bytes]) -> None:
    gives_way = False
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
        if not gives_way:
            # With the first call come the imports, which would take too long behind others.
            give_way(_NICENESS)
            gives_way = True


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
        self._running: _Copy | _Fresh | None = None

    def begin(self) -> None:
        self._running = _Copy()

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
            self._running = _Fresh()
        process = self._running
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            process.calls.write(request)
            process.calls.flush()
            return pickle.load(process.answers)
        finally:
            watchdog.cancel()

    def end(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.forget()
            self._running = None


class _Copy:
    """A fork."""

    def __init__(self) -> None:
        calls_out, calls_in = os.pipe()
        answers_out, answers_in = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(calls_in)
            os.close(answers_out)
            # Signals for the group are its owner's affair; it ends when its input does.
            os.setsid()
            try:
                _answer(os.fdopen(calls_out, "rb"), os.fdopen(answers_in, "wb"))
            finally:
                os._exit(0)
        os.close(calls_out)
        os.close(answers_in)
        self.calls: IO[bytes] = os.fdopen(calls_in, "wb")
        self.answers: IO[bytes] = os.fdopen(answers_out, "rb")

    def kill(self) -> None:
        # Not waited for before forget, so the number is still its own.
        os.kill(self._pid, signal.SIGKILL)

    def forget(self) -> None:
        os.waitpid(self._pid, 0)
        _close(self.calls, self.answers)


class _Fresh:
    """A new one: what this one runs by now must not be copied."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        self.calls: IO[bytes] = _pipe(self._popen.stdin)
        self.answers: IO[bytes] = _pipe(self._popen.stdout)

    def kill(self) -> None:
        self._popen.kill()

    def forget(self) -> None:
        self._popen.wait()
        _close(self.calls, self.answers)


def _close(*pipes: IO[bytes]) -> None:
    for pipe in pipes:
        # What was not written is of no use any more.
        with contextlib.suppress(OSError):
            pipe.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe


_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="beside")
_process: Final = _Process()
atexit.register(_process.end)
