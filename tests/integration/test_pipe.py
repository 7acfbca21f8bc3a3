"""Batches and their replies, over a real line to a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from aggregator import resp
from aggregator.pipe import Pipe
from runtime.clock import mono_ns
from runtime.redis import CALL_TIMEOUT_S, fast_client
from tests.integration.feed_kit import until


class Opened:
    def __init__(self, redis: Redis, connection: AbstractConnection) -> None:
        self.redis = redis
        self.answers: list[Sequence[Any]] = []
        self.rooms = 0
        self.pipe = Pipe(connection, self._on_room)

    def _on_room(self) -> None:
        self.rooms += 1

    def send(self, commands: bytes, replies: int) -> None:
        self.pipe.send(commands, replies, self.answers.append, mono_ns())

    async def until_ended(self, by: type[Exception], words: str) -> None:
        def ended() -> bool:
            try:
                self.pipe.check(mono_ns(), 60.0)
            except by as error:
                return words in str(error)
            return False

        await until(ended, f"its end by {by.__name__}: {words}")
        assert not self.pipe.has_room


@pytest_asyncio.fixture
async def opened(embedded_redis_url: str) -> AsyncIterator[Opened]:
    redis = fast_client(embedded_redis_url)
    connection: AbstractConnection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()  # type: ignore[no-untyped-call]
    made = Opened(redis, connection)
    try:
        yield made
    finally:
        made.pipe.abort()
        await connection.disconnect(nowait=True)
        await redis.aclose()


async def test_each_batch_gets_its_own_replies(opened: Opened) -> None:
    one, gone = resp.set_px("pipe:a", b"1", 5_000), resp.delete("pipe:a")
    for number, (commands, replies) in enumerate(
        (
            (one + gone + gone, 3),
            (resp.extend_px(["pipe:a", "pipe:b"], 100), 1),
            (resp.REPLIES_OFF + one + resp.REPLIES_ON + gone, 2),
        )
    ):
        assert opened.pipe.has_room
        opened.send(commands, replies)
        assert not opened.pipe.has_room
        await until(lambda done=number + 1: opened.rooms == done, "room again")
    assert opened.answers == [[b"OK", 1, 0], [[0, 1]], [b"OK", 1]]


async def test_replies_that_come_in_pieces_are_put_together(opened: Opened) -> None:
    opened.send(resp.delete("pipe:none"), 2)
    await asyncio.sleep(0.05)
    assert opened.answers == []
    assert opened.rooms == 0
    opened.pipe._transport.write(resp.delete("pipe:none"))
    await until(lambda: opened.answers == [[0, 0]], "both replies")


async def test_what_redis_refuses_ends_it_in_its_words(opened: Opened) -> None:
    opened.send(resp.command(b"SET", b"pipe:a") + resp.delete("pipe:a"), 2)

    await opened.until_ended(ResponseError, "wrong number of arguments")
    assert opened.answers == []
    assert opened.rooms == 0


async def test_silence_ends_it(opened: Opened) -> None:
    sent_ns = mono_ns()
    opened.send(resp.command(b"BLPOP", b"pipe:nothing", b"0"), 1)
    opened.pipe.check(sent_ns, CALL_TIMEOUT_S)
    # An answer may lie there unread.
    opened.pipe.check(mono_ns() + 250_000_001, CALL_TIMEOUT_S)
    with pytest.raises(RedisTimeoutError):
        opened.pipe.check(mono_ns() + 250_000_001, CALL_TIMEOUT_S)


async def test_what_goes_wrong_with_an_answer_ends_it(opened: Opened) -> None:
    def breaks(_answers: Sequence[Any]) -> None:
        raise LookupError("a bug")

    opened.pipe.send(resp.delete("pipe:none"), 1, breaks, mono_ns())
    await opened.until_ended(LookupError, "a bug")


async def test_a_line_that_the_server_ends(opened: Opened) -> None:
    opened.send(resp.command(b"CLIENT", b"ID"), 1)
    await until(lambda: bool(opened.answers), "its number")
    (number,) = opened.answers[0]
    await opened.redis.client_kill_filter(_id=str(number))
    await opened.until_ended(RedisConnectionError, "closed by the server")


async def test_nothing_is_heard_of_what_was_given_up(opened: Opened) -> None:
    opened.send(resp.delete("pipe:none"), 1)
    opened.pipe.abort()
    await asyncio.sleep(0.05)
    assert opened.answers == []
    assert opened.rooms == 0


async def test_a_peer_that_reads_nothing_takes_nothing_more(opened: Opened) -> None:
    opened.pipe.pause_writing()
    assert not opened.pipe.has_room
    opened.pipe.resume_writing()
    assert opened.pipe.has_room
    assert opened.rooms == 1
