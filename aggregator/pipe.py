"""A connection to Redis that is written to without waiting: its replies are taken as they come.

A task that waits for each of them costs the quotes a turn of the event loop at every step, and a
busy loop has turns of milliseconds.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Then: TypeAlias = Callable[[Sequence[Any]], None]
"""What is called with the replies of a batch."""


class _Batch(NamedTuple):
    replies: int
    then: Then
    sent_ns: int


class Pipe(asyncio.Protocol):
    """Takes over the line of a connection that redis-py has made: TLS, password and database are
    done. Whose connection it is closes it. ``on_room`` is called whenever there is room for a
    batch again."""

    def __init__(self, connection: AbstractConnection, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._reader = hiredis.Reader(protocolError=RedisError, replyError=ResponseError)
        self._batch: _Batch | None = None
        self._replies: list[Any] = []
        self._is_full = False
        self._late: _Batch | None = None
        self._lost: Exception | None = None
        # redis-py has no public name for it.
        writer = connection._writer
        if writer is None:
            raise RedisConnectionError("not connected")
        self._transport: asyncio.WriteTransport = writer.transport
        self._transport.set_protocol(self)

    @property
    def has_room(self) -> bool:
        """For one batch at a time: what comes meanwhile waits where the newest of it wins."""
        return self._batch is None and not self._is_full and self._lost is None

    def send(self, commands: bytes, replies: int, then: Then, now_ns: int) -> None:
        """One batch; ``then`` is not called if the connection ends before so many replies came."""
        self._batch = _Batch(replies, then, now_ns)
        self._transport.write(commands)

    def check(self, now_ns: int, timeout_s: float) -> None:
        """Raises what ended the connection, or TimeoutError if the batch waits that long. To be
        called again and again."""
        if self._lost is not None:
            raise self._lost
        batch = self._batch
        if batch is not None and now_ns - batch.sent_ns > timeout_s * 1e9:
            # Where this process stood still its answer may only wait to be read: the second look
            # counts.
            if self._late is batch:
                raise RedisTimeoutError(f"no answer within {timeout_s} s")
            self._late = batch

    def end(self, why: Exception) -> None:
        """Nothing more is sent or heard; ``check`` raises the first ``why``."""
        if self._lost is None:
            self._lost = why

    def abort(self) -> None:
        """At once: what was not answered may not have arrived."""
        self.end(RedisConnectionError("closed"))
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._lost is not None:
            return
        try:
            self._reader.feed(data)
            while self._batch is not None and (reply := self._reader.gets()) is not False:
                if isinstance(reply, Exception):
                    raise reply
                if isinstance(reply, hiredis.PushNotification):
                    continue  # some servers tell of their maintenance
                self._replies.append(reply)
                if len(self._replies) == self._batch.replies:
                    then, replies = self._batch.then, self._replies
                    self._batch, self._replies = None, []
                    then(replies)
        except Exception as error:
            # What Redis refused, or a bug: whoever writes learns it, the event loop has no use
            # for it.
            self.end(error)
        if self.has_room:
            self._on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(RedisConnectionError(f"closed by the server{'' if exc is None else f': {exc}'}"))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self.has_room:
            self._on_room()
