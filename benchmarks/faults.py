"""Every fault at every venue of the running program: after how long it leaves, what the others
feel of it, and after how long it is back.

    python benchmarks/faults.py [VENUE ...] [KIND ...]

``left``: until the first and the last of its markets were out of the price, from the moment the
fault was asked for; the limit is the venue's max age or quarantine and 250 ms. ``others``: the
longest time between two updates of each other venue, beside the longest in the quiet time before.
``back``: until 40 markets, and until as many as before, are live again, from the end of the fault;
40 within 3 s is the goal. Those that come later were out of line with other venues, and wait 10 s.
Reads the tape, as a gateway does.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import orjson
import redis.asyncio as aioredis

from benchmarks.support import program
from runtime.channels import TAPE
from runtime.wire import decode_batch

VENUES: Final = ("dydx", "gmx", "gains")
# Long enough to be noticed: an oracle price of GMX is good for 15 s, a silent dYdX for 5 s.
SECONDS: Final = {
    "freeze": 18.0,
    "drop": 6.0,
    "half_open": 9.0,
    "garble": 8.0,
    "gap": 8.0,
    "cross": 9.0,
    "spike": 8.0,
    "duplicate": 8.0,
    "delist": 8.0,
    "rate_limit": 8.0,
    "slow": 8.0,
}
ENOUGH: Final = 40
QUIET_S: Final = 8.0
PATIENCE_S: Final = 45.0


@dataclass
class Venue:
    """``live``: markets with a price now; ``at``: of its newest update; ``gap``: the longest time
    between two since it was last set to 0."""

    live: set[str] = field(default_factory=set)
    shown: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0
    gap: float = 0.0
    first_out: float | None = None
    last_out: float | None = None


class Watch:
    def __init__(self) -> None:
        self.venues = {name: Venue() for name in VENUES}
        self.reasons: set[str] = set()

    async def read(self, url: str) -> None:
        client = aioredis.Redis.from_url(url)
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(TAPE)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    now = time.monotonic()
                    for envelope in decode_batch(message["data"]).envelopes:
                        self._take(envelope.room, envelope.body, now)

    def _take(self, room: str, body: bytes, now: float) -> None:
        if room == "venues":
            said = orjson.loads(body)["data"]
            for name, row in said.items():
                if row["reason"]:
                    self.reasons.add(f"{name} {row['state']} {row['reason'].partition(':')[0]}")
        if not room.startswith("price:"):
            return
        for name, row in orjson.loads(body)["data"]["venues"].items():
            venue = self.venues[name]
            if (row["state"] == "live") != (room in venue.live):
                self._moved(venue, room, now)
            touch = (row["bid"], row["ask"], row["price_us"])
            if venue.shown.get(room) != touch:
                venue.shown[room] = touch
                venue.gap, venue.at = max(venue.gap, now - venue.at), now

    @staticmethod
    def _moved(venue: Venue, room: str, now: float) -> None:
        if room in venue.live:
            venue.live.discard(room)
            venue.first_out = venue.first_out or now
            venue.last_out = now
        else:
            venue.live.add(room)

    def start(self) -> None:
        """A new measurement."""
        now = time.monotonic()
        self.reasons.clear()
        for venue in self.venues.values():
            venue.gap, venue.at, venue.first_out, venue.last_out = 0.0, now, None, None

    def gaps(self) -> Mapping[str, float]:
        now = time.monotonic()
        return {name: max(v.gap, now - v.at) for name, v in self.venues.items()}


async def drill(watch: Watch, client: httpx.AsyncClient, venue: str, kind: str) -> None:
    before = {name: len(each.live) for name, each in watch.venues.items()}
    watch.start()
    await asyncio.sleep(QUIET_S)
    quiet = watch.gaps()
    watch.start()
    seconds = SECONDS[kind]
    answer = await client.post("/faults", json={"venue": venue, "kind": kind, "seconds": seconds})
    if answer.status_code == 422:
        print(f"{venue:5} {kind:10}: no such fault at this venue")
        return
    answer.raise_for_status()
    started = time.monotonic()
    await asyncio.sleep(seconds)
    others = [(name, gap) for name, gap in watch.gaps().items() if name != venue]
    lowest = len(watch.venues[venue].live)
    found = watch.venues[venue]
    enough = None
    while len(found.live) < before[venue] and time.monotonic() - started < seconds + PATIENCE_S:
        if enough is None and len(found.live) >= ENOUGH:
            enough = time.monotonic() - started - seconds
        await asyncio.sleep(0.01)
    back = time.monotonic() - started - seconds
    enough = back if enough is None else enough
    out = (
        "stays"
        if found.first_out is None or found.last_out is None
        else f"left {found.first_out - started:.2f}..{found.last_out - started:.2f} s"
    )
    lost = len(found.live) < before[venue]
    felt = (f"{name} {gap * 1e3:.0f} ms (quiet {quiet[name] * 1e3:.0f})" for name, gap in others)
    print(
        f"{venue:5} {kind:10} {seconds:2.0f} s: {out}, {lowest} of {before[venue]} live at its end;"
        f" {'NOT back' if lost else f'{ENOUGH} back {enough:.2f} s after, all {back:.2f} s'};"
        f" others {', '.join(felt)};"
        f" {', '.join(sorted(why for why in watch.reasons if why.startswith(venue)))}",
        flush=True,
    )
    await asyncio.sleep(2)


async def measure(runtime: Mapping[str, Any], venues: Sequence[str], kinds: Sequence[str]) -> None:
    watch = Watch()
    reading = asyncio.create_task(watch.read(runtime["redis_url"]))
    async with httpx.AsyncClient(base_url=runtime["sandbox"]["control_url"]) as client:
        await asyncio.sleep(20)
        for venue in venues:
            for kind in kinds:
                await drill(watch, client, venue, kind)
                if reading.done():
                    raise SystemExit(f"the tape ended: {reading.exception()!r}")
    reading.cancel()


def main() -> None:
    asked = sys.argv[1:]
    unknown = [word for word in asked if word not in VENUES and word not in SECONDS]
    if unknown:
        raise SystemExit(f"neither a venue nor a fault: {', '.join(unknown)}")
    venues = [name for name in VENUES if name in asked] or list(VENUES)
    kinds = [name for name in SECONDS if name in asked] or list(SECONDS)
    with program() as folder:
        runtime = orjson.loads((folder / "runtime.json").read_bytes())
        asyncio.run(measure(runtime, venues, kinds))


if __name__ == "__main__":
    main()
