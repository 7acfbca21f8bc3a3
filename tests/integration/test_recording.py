"""Recordings of the sandbox: what a feed publishes is what the replay of its recording says."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from aggregator.pricing import Pricer
from aggregator.publisher import Publisher
from aggregator.recording import service
from aggregator.recording.facts import facts
from aggregator.recording.folder import SUFFIX, Folder
from aggregator.recording.format import Kind, Reader
from aggregator.recording.player import Player
from aggregator.recording.taps import (
    Journal,
    RecordedConnector,
    RecordedConsolidator,
    RecordedDepths,
)
from aggregator.recording.writer import RecordingWriter
from aggregator.service import Feed
from connectors import registry
from runtime.settings import Settings, load_settings
from runtime.wire import Envelope
from tests.integration.feed_kit import MARKETS, ROOT, Tape, all_live, listening, sandbox, until

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def venues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as settings:
        yield settings


@pytest.fixture
def settings(
    venues: dict[str, str], embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    for name in [name for name in os.environ if name.startswith("PERP_")]:
        monkeypatch.delenv(name)
    more = {"REDIS_URL": embedded_redis_url, "PERP_MARKETS": ",".join(MARKETS)}
    for name, value in (venues | more).items():
        monkeypatch.setenv(name, value)
    return load_settings()


def replayed(path: Path) -> tuple[Player, list[Envelope]]:
    with path.open("rb") as file:
        reader = Reader(file)
        entries = iter(reader)
        player = Player(next(entries))
        said = [item.envelope for item in player.play(entries)]
        assert not reader.torn
    return player, said


def what_is_equal(body: bytes) -> Any:
    """Price data, when its frame came and why it was said; not when it was said, nor its number.
    What no frame has caused bears the time when it was said in place of one."""
    content = orjson.loads(body)
    received_us = content["received_us"]
    if received_us == content["published_us"]:
        received_us = None
    return content["cause"], received_us, orjson.dumps(content["data"])


def trades(raw: list[bytes]) -> list[Any]:
    return [row for body in raw for row in orjson.loads(body)["data"]]


async def recorded_and_published(settings: Settings, folder: Folder) -> tuple[Path, Tape]:
    """A feed with a real Redis whose parts are recorded, for some seconds of all venues."""
    writer = RecordingWriter(folder)
    journal = Journal(writer.put, facts(settings))
    connectors = [RecordedConnector(made, journal) for made in registry.build(settings)]
    core, stop = RecordedConsolidator(connectors, journal), asyncio.Event()
    depths = RecordedDepths(core, connectors, journal)
    publisher = partial(Publisher, settings.require_redis_url())
    feed = Feed(connectors, core, depths, publisher, settings.market_filter, pricing=Pricer().price)
    async with listening(settings.require_redis_url()) as (tape, redis):
        task = asyncio.create_task(feed.run(stop))
        await until(lambda: all_live(redis), "live quotes")
        await until(lambda: len(bodies(tape, "price:BTC-USD")) > 100, "prices")
        await until(lambda: len(bodies(tape, "ladder:BTC-USD")) > 10, "ladders")
        stop.set()
        await task
    await asyncio.to_thread(writer.close)
    assert writer.spoilt is None
    return writer.path, tape


def bodies(tape: Tape, room: str) -> list[bytes]:
    return [item.body for item in tape.envelopes() if item.room == room]


async def test_a_replay_says_what_the_feed_published(settings: Settings, tmp_path: Path) -> None:
    """Every price and every ladder of the tape, byte for byte and in order. The replay may have
    more: envelopes that were replaced before they were sent, and those from before the feed led."""
    path, tape = await recorded_and_published(settings, Folder(tmp_path, 100 * MEGABYTE))
    player, said = await asyncio.to_thread(replayed, path)
    assert player.missing == player.crashes == 0
    for room in (f"{kind}:{market}" for kind in ("price", "ladder") for market in MARKETS):
        published = [what_is_equal(body) for body in bodies(tape, room)]
        again = [what_is_equal(item.body) for item in said if item.room == room]
        rest = iter(again)
        missing = [item for item in published if item not in rest]
        assert not missing, (room, missing[0])
        # The tape leaves out little: the comparison is not an empty one.
        assert len(published) > len(again) // 2
    room = "trades:BTC-USD"
    published = trades(bodies(tape, room))
    again = trades([item.body for item in said if item.room == room])
    assert "".join(map(repr, published)) in "".join(map(repr, again))
    every = {"dydx", "gmx", "gains"}
    assert {name for item in said for name in _venues(item)} == every
    ladder = orjson.loads(bodies(tape, "ladder:BTC-USD")[-1])["data"]
    assert {row["venue"] for row in ladder["buy"]} == every


def _venues(item: Envelope) -> list[str]:
    content = orjson.loads(item.body)
    if not item.room.startswith("price:"):
        return []
    return [name for name, venue in content["data"]["venues"].items() if venue["state"] == "live"]


async def test_every_file_of_a_rotation_stands_alone_and_all_stay_below_the_cap(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MIN_FILE_NS", 4_000_000_000)
    monkeypatch.setattr(service, "MAX_FILE_BYTES", 1)
    monkeypatch.setattr(service, "OVERLAP_S", 3.0)
    # Two files that are open at once fit, and not much more.
    cap = 2_200_000
    folder, stop = Folder(tmp_path, cap), asyncio.Event()
    task = asyncio.create_task(service.record(settings, folder, stop))
    seen: set[Path] = set()

    def files() -> list[Path]:
        return sorted(tmp_path.glob(f"*{SUFFIX}"))

    def rotated() -> bool:
        seen.update(files())
        assert sum(path.stat().st_size for path in seen if path.exists()) <= cap
        return len(seen) >= 4 and len(files()) < len(seen)

    await until(rotated, "a fourth file, and one that had to go")
    stop.set()
    await task
    assert sum(path.stat().st_size for path in files()) <= cap
    # The last one may be too young to have prices.
    for path in files()[:-1]:
        _, said = await asyncio.to_thread(replayed, path)
        live = {item.room for item in said if _venues(item)}
        assert live == {f"price:{market}" for market in MARKETS}


def test_the_commands_record_and_replay_the_same_bytes_twice(
    venues: dict[str, str], tmp_path: Path
) -> None:
    env = {name: text for name, text in os.environ.items() if not name.startswith("PERP_")}
    env |= venues | {"PERP_MARKETS": ",".join(MARKETS), "PERP_DATA_DIR": str(tmp_path)}
    run = partial(subprocess.run, cwd=ROOT, check=True, capture_output=True, timeout=50)
    perptape = [sys.executable, "-m", "perptape"]
    run([*perptape, "record", "--seconds", "6", "--max-mb", "50"], env=env)
    (path,) = (tmp_path / "recordings").glob(f"*{SUFFIX}")
    digests = set()
    for seed in ("1", "2"):
        # Nothing of the environment has a part in it, no order of a set and no number of processes.
        alone = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed}
        done = run([*perptape, "replay", str(path), "--processes", seed], env=alone)
        digests.add(hashlib.sha256(done.stdout).hexdigest())
        assert hashlib.sha256(done.stdout).hexdigest() in done.stderr.decode()
    assert len(digests) == 1
    rooms = {orjson.loads(line)["room"] for line in done.stdout.splitlines()}
    assert {f"{kind}:{market}" for kind in ("price", "ladder") for market in MARKETS} <= rooms
    with path.open("rb") as file:
        kinds = {entry.kind for entry in Reader(file)}
    assert {Kind.FRAME, Kind.REPLY, Kind.LISTED, Kind.TICK, Kind.TAKEN, Kind.FLUSH} <= kinds
    assert Kind.LADDERS in kinds


def test_what_cannot_be_replayed_is_told_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"something else")
    for path in (wrong, tmp_path / "missing"):
        done = subprocess.run(
            [sys.executable, "-m", "perptape", "replay", str(path)],
            cwd=ROOT, capture_output=True, check=False, timeout=50,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert path.name.encode() in done.stderr
