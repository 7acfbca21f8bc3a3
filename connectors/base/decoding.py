"""Long frames are read in a process of their own: reading holds the interpreter for as long as the
JSON takes, and the quotes of all the others have to be written meanwhile."""

import asyncio
import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final

from connectors.base.protocol import Decoded
from domain.errors import VenueUnavailable
from runtime.logs import get_logger

LONG_FRAME_BYTES: Final = 128 * 1024
"""Reading as much takes some 2 ms; live quotes have to be written every 50 ms."""

TIMEOUT_S: Final = 10.0
"""For one frame, the start of the process included; the longest known takes 0.1 s."""

# Where cores are few, the quotes go first.
_NICENESS: Final = 5
_WORKER: Final = "from connectors.base.decoding import serve; serve()"
_log = get_logger(__name__)


async def read_long(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    """What ``decode``, a function of a module, makes of the body; raises VenueUnavailable."""
    return await asyncio.get_running_loop().run_in_executor(_thread, _reader.read, decode, body)


def decoded(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    try:
        return Decoded(decode(body))
    except Exception as error:
        # The session judges it as it would have judged its own.
        return Decoded(None, error)


def serve() -> None:
    """The process: reads frames from its standard input until that ends, however that comes."""
    requests = sys.stdin.buffer
    # Whatever prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(_NICENESS)
    while True:
        try:
            decode, body = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(decoded(decode, body), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


class _Reader:
    """The process as its owner sees it; one thread uses it. A lost one is replaced."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, decode: Callable[[bytes], Any], body: bytes) -> Decoded:
        request = pickle.dumps((decode, body), pickle.HIGHEST_PROTOCOL)
        for _ in range(2):
            try:
                return self._ask(request)
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                _log.warning("decoder_lost", reason=repr(error))
                self.end()
        raise VenueUnavailable("DECODER_LOST", f"a frame of {len(body)} bytes could not be read")

    def _ask(self, request: bytes) -> Decoded:
        if self._process is None:
            self._process = _started()
        process = self._process
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            _pipe(process.stdin).write(request)
            _pipe(process.stdin).flush()
            answer: Decoded = pickle.load(_pipe(process.stdout))
        finally:
            watchdog.cancel()
        return answer

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            # Closes the pipes as well; what was not written is of no use any more.
            self._process.communicate()
            self._process = None


def _started() -> subprocess.Popen[bytes]:
    # Signals for the group are its owner's affair; it ends when its input does.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe


_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="decode")
_reader: Final = _Reader()
atexit.register(_reader.end)
