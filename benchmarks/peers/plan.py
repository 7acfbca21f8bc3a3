"""What every peer sends, and when: an open loop. An update carries the time it was due at, so that
a server which falls behind shows it as latency."""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

WARM_SEQ: Final = 1 << 40
_SLEEP_LEAST_S: Final = 0.0005


def room_of(number: int) -> str:
    return f"price:R{number}-USD"


def envelope(room: str, seq: int, due_us: int) -> dict[str, Any]:
    """The fields of a real ``price`` envelope of one venue, in their length."""
    return {
        "type": "update",
        "room": room,
        "seq": WARM_SEQ + seq,
        "epoch": 1790000000,
        "cause": "frame",
        "received_us": due_us,
        "published_us": due_us,
        "data": {
            "bid": "97012.5",
            "bid_venue": "dydx",
            "bid_size": "0.83",
            "ask": "97013",
            "ask_venue": "gains",
            "ask_size": None,
            "mid": "97012.75",
            "spread_bps": 0.05,
            "crossed": False,
        },
    }


def encoded(room: str, seq: int, due_us: int) -> bytes:
    return orjson.dumps(envelope(room, seq, due_us))


class Arguments:
    """The command line of a peer."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--rooms", type=int, default=1)
        parser.add_argument("--hz", type=float, default=10.0, help="updates a second and room")
        parser.add_argument("--window-ms", type=float, default=10.0)
        given = parser.parse_args()
        self.port: int = given.port
        self.rooms: int = given.rooms
        self.hz: float = given.hz
        self.window_s: float = given.window_ms / 1000


async def publish(rooms: int, hz: float, send: Callable[[str, int, int], Any]) -> None:
    """Calls ``send(room, seq, due_us)`` for ever; rooms take turns evenly. Awaits what it gets."""
    steps = _steps(rooms, 1e6 / hz)
    room, seq, due_us = next(steps)
    while True:
        left_s = (due_us - time.time_ns() / 1000) / 1e6
        # Late or not, others get their turn.
        await asyncio.sleep(max(left_s, 0) if left_s > _SLEEP_LEAST_S else 0)
        while due_us <= time.time_ns() // 1000:
            waited = send(room, seq, due_us)
            if waited is not None:
                await waited
            room, seq, due_us = next(steps)


def _steps(rooms: int, period_us: float) -> Iterator[tuple[str, int, int]]:
    start_us = time.time_ns() / 1000 + 10_000
    seq = 0
    while True:
        seq += 1
        for number in range(rooms):
            yield room_of(number), seq, int(start_us + period_us * (seq + number / rooms))
