"""Long frames are read on a thread of their own, so that the quotes of all the others go on."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from connectors.base.protocol import Decoded

_T = TypeVar("_T")

LONG_FRAME_BYTES: Final = 128 * 1024
"""Reading as much takes some 2 ms; live quotes have to be written every 50 ms."""

# One after the other: each holds the interpreter for as long as its JSON takes.
_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="decode")


async def off_loop(decode: Callable[[bytes], _T], body: bytes) -> _T:
    """What ``decode`` returns or raises."""
    return await asyncio.get_running_loop().run_in_executor(_thread, decode, body)


def decoded(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    try:
        return Decoded(decode(body))
    except Exception as error:
        # The session judges it as it would have judged its own.
        return Decoded(None, error)


async def read_long(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    return await off_loop(partial(decoded, decode), body)
