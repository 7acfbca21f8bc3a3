"""Long frames are read in a process beside the feed: reading holds the interpreter for as long as
the JSON takes, and the quotes of all the others have to be written meanwhile."""

from collections.abc import Callable
from typing import Any, Final

from connectors.base.protocol import Decoded
from domain.errors import VenueUnavailable
from runtime import beside

LONG_FRAME_BYTES: Final = 128 * 1024
"""Reading as much takes some 2 ms; live quotes have to be written every 50 ms."""


async def read_long(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    """What ``decode``, a function of a module, makes of the body; raises VenueUnavailable."""
    try:
        return await beside.call(decoded, decode, body)
    except beside.BesideLost as error:
        why = f"a frame of {len(body)} bytes could not be read"
        raise VenueUnavailable("DECODER_LOST", why) from error


def decoded(decode: Callable[[bytes], Any], body: bytes) -> Decoded:
    try:
        return Decoded(decode(body))
    except Exception as error:
        # The session judges it as it would have judged its own.
        return Decoded(None, error)
