"""The frames on their way to one client, and what the faults of the wire do to them."""

from collections import deque
from random import Random
from typing import Final

from sandbox.faults import ActiveFaults, Kind

FAULT_KINDS: Final[tuple[Kind, ...]] = ("garble", "gap", "duplicate", "slow")

_SLOW_US: Final = 1_500_000
_GAP_SHARE: Final = 0.3
_CONTENTS: Final = b'"contents":'
_DEEP: Final = 20_000

# Contents that are no book, no trade and no price; some are not even JSON.
_SPOILED: Final = (
    b"null",
    b"17",
    b'"text"',
    b"[[]]",
    b'{"bids":null,"trades":{},"oraclePrices":[],"trading":0}',
    b'{"bids":[[]],"asks":[{}],"trades":[7],"oraclePrices":{"BTC-USD":null}}',
    b'{"bids":[[null,true]],"trades":[{"id":[],"price":{},"size":false}]}',
    b'{"bids":[[65920,0.1]],"trades":[{"id":1,"side":3,"price":1,"size":1}]}',
    b'{"bids":[["NaN","NaN"]],"asks":[["Infinity","1"]],"oraclePrices":{"BTC-USD":"NaN"}}',
    b'{"bids":[[NaN,1]],"asks":[[Infinity,-Infinity]]}',
    b'{"bids":[["1e999","1e999"]],"asks":[["1e-999","1"]]}',
    b'{"bids":[[1e999,-1e999]],"blockHeight":1e999}',
    b'{"bids":[["-5","-1"]],"asks":[["0","1"]]}',
    b'{"bids":[["1_000","1"]],"asks":[[" 5","\\u0661"]],"blockHeight":"x","time":"never"}',
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"bids":' * _DEEP + b"0" + b"}" * _DEEP,
)


class Outbox:
    """First in, first out. ``slow`` delays every frame alike, so the order stays."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._frames: deque[tuple[int, bytes]] = deque()
        self.bytes = 0

    def put(
        self, frame: bytes, market: str | None, faults: ActiveFaults, now_us: int, *, data: bool
    ) -> None:
        """Queues one numbered frame. Only channel data can be lost or doubled."""
        due_us = now_us
        copies = 1
        if faults:
            if data and faults.hits("gap", market) and self._rng.random() < _GAP_SHARE:
                return
            if data and faults.hits("duplicate", market):
                copies = 2
            if faults.hits("garble", market):
                frame = garble(frame, self._rng)
            if faults.whole("slow"):
                due_us += _SLOW_US
        for _ in range(copies):
            self._frames.append((due_us, frame))
            self.bytes += len(frame)

    def take(self, now_us: int) -> list[bytes]:
        """Frames that are due, in order."""
        frames = self._frames
        taken: list[bytes] = []
        while frames and frames[0][0] <= now_us:
            frame = frames.popleft()[1]
            self.bytes -= len(frame)
            taken.append(frame)
        return taken


def garble(frame: bytes, rng: Random) -> bytes:
    """A frame as broken servers, proxies and cables deliver it."""
    choice = rng.random()
    if choice < 0.15:
        return frame[: rng.randrange(1, len(frame))]
    if choice < 0.25:
        return frame.replace(b":", b"=", rng.randint(1, 3))
    if choice < 0.30:
        return b"<html><head><title>502 Bad Gateway</title></head></html>"
    if choice < 0.35:
        return rng.choice((b"null", b"[]", b"42", b'"connected"', b"NaN", b"{}", b"true"))
    if choice < 0.45:
        return frame.replace(b'"message_id":', b'"message_id":null,"was":', 1)
    head, mark, _ = frame.partition(_CONTENTS)
    return head + mark + rng.choice(_SPOILED) + b"}"
