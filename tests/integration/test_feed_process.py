"""The feed as a process, with a real Redis and the sandbox: what it writes, how it dies, who takes
over."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from perptape.embedded_redis import EmbeddedRedis
from runtime.channels import FEED_LEADER, MARKETS_STATE, QUOTE_TTL_MS, VENUES_STATE
from tests.integration.feed_kit import (
    KEYS,
    MARKETS,
    Feed,
    Tape,
    all_live,
    feeds,
    listening,
    redis_running,
    sandbox,
    until,
)
from tests.servers import open_folder, prepared

Start = Callable[[str, dict[str, str]], Feed]
Heard = tuple[Tape, "Redis"]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as settings:
        yield settings | {"PERP_VENUES": "dydx"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with feeds(tmp_path) as started_feeds:
        yield started_feeds


@pytest_asyncio.fixture
async def heard(embedded_redis_url: str) -> AsyncIterator[Heard]:
    async with listening(embedded_redis_url) as pair:
        # What an earlier test's feed left has to be gone.
        await until(lambda: _gone(pair[1]), "a quiet Redis")
        yield pair


async def _gone(redis: "Redis") -> bool:
    return not await redis.exists(*KEYS, FEED_LEADER)


async def test_keys_live_100_ms_and_hold_the_bytes_of_the_tape(
    embedded_redis_url: str, venue: dict[str, str], start: Start, heard: Heard
) -> None:
    tape, redis = heard
    feed = start(embedded_redis_url, venue)
    await until(lambda: all_live(redis), "live quotes")
    found: dict[tuple[str, int], bytes] = {}
    for _ in range(60):
        pipe = redis.pipeline(transaction=True)
        for key in KEYS:
            pipe.get(key)
            pipe.pttl(key)
        answers = await pipe.execute()
        for body, left_ms in zip(answers[::2], answers[1::2], strict=True):
            # A machine that is busy elsewhere lets a key lapse: then there is none.
            assert left_ms <= QUOTE_TTL_MS
            assert (body is None) == (left_ms < 0)
            if body is not None:
                envelope = orjson.loads(body)
                found[envelope["room"], envelope["seq"]] = body
        await asyncio.sleep(0.02)
    said = {(item.room, item.seq): item.body for item in tape.envelopes()}
    assert found.items() <= said.items()
    assert len(found) > len(KEYS)
    # One epoch, and numbers that only rise.
    (epoch,) = tape.epochs()
    for room, seqs in tape.seqs(epoch).items():
        assert seqs == sorted(set(seqs)), room
        assert epoch << 20 < seqs[0] < (epoch + 1) << 20
    for item in tape.envelopes():
        envelope = orjson.loads(item.body)
        assert (envelope["type"], envelope["room"]) == ("update", item.room)
        assert (envelope["seq"], envelope["epoch"]) == (item.seq, epoch)
        assert envelope["received_us"] <= envelope["published_us"]
    # What is not a quote is there as well.
    await until(lambda: tape.newest("prices") is not None, "the board")
    listed = orjson.loads(await redis.get(MARKETS_STATE) or b"[]")
    assert sorted(row["market"] for row in listed) == sorted(MARKETS)
    await until(lambda: tape.newest("venues")["dydx"]["state"] == "live", "a live venue")
    state = await redis.get(VENUES_STATE)
    await until(
        lambda: any(item.body == state for item in tape.envelopes()), "the venues of the key"
    )
    assert (await feed.metrics())["perptape_quotes_live"] == len(MARKETS)
    assert await feed.terminate() == 0
    await until(lambda: _gone(redis), "the end of all quotes")


async def test_quotes_end_with_a_killed_feed_and_the_next_one_goes_on_above_it(
    embedded_redis_url: str, venue: dict[str, str], start: Start, heard: Heard
) -> None:
    tape, redis = heard
    feed = start(embedded_redis_url, venue)
    await until(lambda: all_live(redis), "live quotes")
    await until(lambda: tape.newest("prices") is not None, "the board")
    feed.kill()
    left_ms = [int(await redis.pttl(key)) for key in KEYS]
    assert max(left_ms) <= QUOTE_TTL_MS
    await until(lambda: _gone(redis), "the end of all quotes")
    before = len(tape.batches)
    start(embedded_redis_url, venue)
    await until(lambda: all_live(redis), "live quotes again")
    old, new = tape.epochs()
    assert old < new
    assert {batch.epoch for batch in tape.batches[:before]} == {old}
    assert {batch.epoch for batch in tape.batches[before:]} == {new}
    await until(lambda: tape.seqs(old).keys() <= tape.seqs(new).keys(), "all rooms again")
    for room, seqs in tape.seqs(old).items():
        assert max(seqs) < min(tape.seqs(new)[room])


async def test_of_two_feeds_one_publishes_and_the_other_takes_over(
    embedded_redis_url: str, venue: dict[str, str], start: Start, heard: Heard
) -> None:
    tape, redis = heard
    first = start(embedded_redis_url, venue)
    await until(lambda: all_live(redis), "live quotes")
    second = start(embedded_redis_url, venue)
    await until(lambda: second.says("feed_stands_by") == 1, "a second feed that stands by")
    await until(lambda: second.says("markets_listed") == 1, "a second feed with a venue")
    heard_so_far = len(tape.batches)
    await until(lambda: len(tape.batches) > heard_so_far + 480, "the first one still")
    assert len(tape.epochs()) == 1
    assert (await second.metrics())["perptape_feed_leading"] == 0
    assert (await first.metrics())["perptape_feed_leading"] == 1
    first.kill()
    await until(lambda: len(tape.epochs()) == 2, "the second feed's turn")
    await until(lambda: all_live(redis), "its quotes")
    old, new = tape.epochs()
    assert new > old
    await until(lambda: tape.seqs(old).keys() <= tape.seqs(new).keys(), "all rooms again")
    # What it read while it stood by was never waiting to be published.
    times = await second.metrics()
    slow = times["perptape_publish_seconds_count"]
    slow -= times['perptape_publish_seconds_bucket{le="2.5"}']
    assert slow == 0


async def test_a_leader_that_slept_does_not_speak_after_its_successor(
    embedded_redis_url: str, venue: dict[str, str], start: Start, heard: Heard
) -> None:
    tape, redis = heard
    first = start(embedded_redis_url, venue)
    await until(lambda: all_live(redis), "live quotes")
    second = start(embedded_redis_url, venue)
    await until(lambda: second.says("feed_stands_by") == 1, "a second feed that stands by")
    first.signal(signal.SIGSTOP)
    try:
        await until(lambda: len(tape.epochs()) == 2, "the second feed's turn")
        await asyncio.sleep(1)
    finally:
        first.signal(signal.SIGCONT)
    await until(lambda: first.says("feed_stands_by") == 1, "the first one stands by")
    old, new = tape.epochs()
    taken_over = next(n for n, batch in enumerate(tape.batches) if batch.epoch == new)
    heard_so_far = len(tape.batches)
    await until(lambda: len(tape.batches) > heard_so_far + 50, "more of the second one")
    late = [batch for batch in tape.batches[taken_over:] if batch.epoch == old]
    # One may have been on its way between the look at the lease and the socket.
    assert len(late) <= 1
    assert tape.epochs() == [old, new]
    for key in KEYS:
        assert orjson.loads(await redis.get(key) or b'{"epoch":0}')["epoch"] == new


async def test_a_redis_that_comes_back_empty_is_filled_again(
    venue: dict[str, str], start: Start
) -> None:
    with open_folder() as folder:
        server = await asyncio.to_thread(prepared, EmbeddedRedis, folder)
        async with (
            redis_running(server, folder) as process,
            listening(server.url) as (tape, redis),
        ):
            feed = start(server.url, venue)
            await until(lambda: all_live(redis), "live quotes")
            process.kill()
            await asyncio.to_thread(process.wait)
            shutil.rmtree(folder / "redis")
            await server.prepare()
            heard_so_far = len(tape.batches)
            async with redis_running(server, folder):
                await until(lambda: all_live(redis), "live quotes again")
                await until(lambda: len(tape.batches) > heard_so_far + 20, "a tape again")
                old, new = tape.epochs()
                assert old < new
                for room, seqs in tape.seqs(new).items():
                    assert min(seqs) > max(tape.seqs(old).get(room, [0])), room
                assert feed.process.poll() is None
                assert await feed.terminate() == 0
