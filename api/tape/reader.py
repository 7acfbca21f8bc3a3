"""Follows the feed through Redis: the tape as it comes, the keys to start from, and its silence."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from api import metrics
from api.attended import AttendedClock
from api.tape.board import Board
from api.tape.keys import read_keys
from api.tape.rooms import Room
from domain.errors import InputError
from runtime.channels import (
    BEAT_LOST_MS,
    FUNDING_SHARES,
    MARKETS_STATE,
    TAPE,
    UNPRICED_STATE,
    VENUES_STATE,
    funding_key,
    ladder_key,
    quote_key,
)
from runtime.clock import wall_us
from runtime.logs import get_logger
from runtime.redis import CALL_TIMEOUT_S, cause_of, fast_client, subscriber_client
from runtime.tasks import Backoff
from runtime.wire import Batch, decode_batch

REFRESH_S: Final = 2.0
RECOVER_S: Final = 1.0
"""After the feed came back its keys may take this long to be there again."""
RECOVER_STEP_S: Final = 0.05
WATCH_S: Final = 0.025
PROBE_S: Final = 1.0
"""A connection this long without a message is asked whether it lives, and given up after as long
again."""

_log = get_logger(__name__)


class TapeReader:
    """``publish`` is called with every room that changed, in order."""

    def __init__(self, redis_url: str, board: Board, publish: Callable[[Room], None]) -> None:
        self._subscriber = subscriber_client(redis_url)
        self._keys = fast_client(redis_url)
        self._board = board
        self._publish = publish
        self._clock = AttendedClock(WATCH_S)
        self._last_beat_ns: int | None = None
        self._wanted = asyncio.Event()
        self._trouble: str | None = None
        self._missed = False
        self._recover_until_ns = 0

    @property
    def beat_age_s(self) -> float | None:
        """Time since the last sign of life of the feed, as far as we were there to see it; None
        before the first."""
        if self._last_beat_ns is None:
            return None
        return (self._clock.now_ns() - self._last_beat_ns) / 1e9

    async def prime(self) -> None:
        """Learns the markets before the first client asks, if the feed is there to tell."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._load(self._keys, everything=False)

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """To be run for ever."""
        return [self._follow(), self._refresh(), self._watch()]

    async def close(self) -> None:
        await self._subscriber.aclose()
        await self._keys.aclose()

    # The tape

    async def _follow(self) -> None:
        backoff = Backoff(0.05, 1.0)
        while True:
            try:
                async with self._subscriber.pubsub() as pubsub:
                    await pubsub.subscribe(TAPE)
                    await self._read(pubsub, backoff)
            except (RedisError, OSError, TimeoutError) as error:
                if cause_of(error) != self._trouble:
                    self._trouble = cause_of(error)
                    _log.warning("tape_lost", error=self._trouble)
                await asyncio.sleep(backoff.next_s())

    async def _read(self, pubsub: PubSub, backoff: Backoff) -> None:
        while True:
            message = await pubsub.get_message(timeout=PROBE_S)
            if message is None:
                await pubsub.ping()
                message = await pubsub.get_message(timeout=PROBE_S)
            if message is None:
                raise TimeoutError("the tape's connection does not answer")
            if message["type"] == "message":
                backoff.reset()
                self._trouble = None
                self._take(message["data"])
            elif message["type"] == "subscribe":
                # What was said before this connection listened has to come from the keys.
                _log.info("tape_followed")
                self._missed = True
                self._recover()

    def _take(self, raw: bytes) -> None:
        try:
            batch = decode_batch(raw)
        except (ValueError, KeyError, TypeError):
            metrics.TAPE_BATCHES.labels(outcome="malformed").inc()
            return
        board = self._board
        if batch.epoch < board.epoch:
            metrics.TAPE_BATCHES.labels(outcome="old_epoch").inc()
            return
        metrics.TAPE_BATCHES.labels(outcome="taken").inc()
        metrics.TAPE_LAG.observe(max(0, wall_us() - batch.feed_us) / 1e6)
        self._beat(batch)
        for envelope in batch.envelopes:
            try:
                rooms = board.accept_all(envelope)
            except InputError as error:
                _log.error("envelope_refused", room=envelope.room, error=error.message)
                continue
            for room in rooms:
                self._publish(room)

    def _beat(self, batch: Batch) -> None:
        board = self._board
        self._last_beat_ns = self._clock.now_ns()
        board.feed_us = batch.feed_us
        superseded = batch.epoch > board.epoch
        if superseded:
            if board.epoch:
                self._go_stale("new_epoch")
            board.epoch = batch.epoch
        if board.silent or superseded:
            _log.info("feed_heard", epoch=board.epoch)
            board.silent = False
            self._recover()

    # The keys

    def _recover(self) -> None:
        """Has all keys read, at once and for a while."""
        self._recover_until_ns = self._clock.now_ns() + int(RECOVER_S * 1e9)
        self._wanted.set()

    async def _refresh(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._wanted.wait()
            everything = self._wanted.is_set() or self._unsure
            self._wanted.clear()
            # A failed read is tried again at the next turn; who cannot wait is told by ``health``.
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(2 * CALL_TIMEOUT_S):
                    await self._load(self._keys, everything)

    def _pause_s(self) -> float:
        recovering = self._clock.now_ns() < self._recover_until_ns and self._unsure
        return RECOVER_STEP_S if recovering else REFRESH_S

    @property
    def _unsure(self) -> bool:
        """Whether only the keys can tell what is true: also after a read of them that failed."""
        return self._missed or self._board.has_stale

    async def _load(self, redis: Redis, everything: bool) -> None:
        """Market rows always; with ``everything`` what the tape may have said unheard."""
        board = self._board
        markets, venues = await read_keys(redis, [MARKETS_STATE, VENUES_STATE])
        try:
            if markets is not None:
                board.take_markets(markets)
            names = board.known_markets()
            if not everything or not names:
                return
            unpriced, *found = await read_keys(
                redis, [UNPRICED_STATE, *(quote_key(name) for name in names)]
            )
            # Without a beat these are the last words of a feed that may be gone.
            if board.silent:
                return
            missed, self._missed = self._missed, False
            quotes = dict(zip(names, found, strict=True))
            why = None if unpriced is None else decode_batch(unpriced)
            for room in board.restore(quotes, venues, why, missed=missed, now_us=wall_us()):
                self._publish(room)
            await self._load_later(redis)
        except (InputError, ValueError) as error:
            _log.error("state_refused", error=str(error))

    async def _load_later(self, redis: Redis) -> None:
        """What the feed may not say again for long: ladders that stand, and funding."""
        board = self._board
        names = board.unknown_ladders()
        keys = [ladder_key(name) for name in names]
        if not board.funding.is_known:
            keys += [funding_key(share) for share in range(FUNDING_SHARES)]
        if not keys:
            return
        found = await read_keys(redis, keys)
        if board.silent:
            return
        pairs = zip(names, found, strict=False)
        ladders = {name: body for name, body in pairs if body is not None}
        funding = [body for body in found[len(names) :] if body is not None]
        for room in board.restore_later(ladders, funding):
            self._publish(room)

    # Silence

    async def _watch(self) -> None:
        pause_s = WATCH_S
        while True:
            await asyncio.sleep(pause_s)
            age_s = self.beat_age_s
            if age_s is None:
                continue
            metrics.BEAT_AGE.set(age_s)
            # A look just after the limit, not up to a whole turn later.
            left_s = BEAT_LOST_MS / 1000 - age_s
            pause_s = left_s + 0.001 if 0 <= left_s < WATCH_S else WATCH_S
            if not self._board.silent and left_s < 0:
                self._board.silent = True
                _log.warning("feed_silent", epoch=self._board.epoch)
                self._go_stale("silence")

    def _go_stale(self, cause: str) -> None:
        metrics.STALE_FLIPS.labels(cause=cause).inc()
        for room in self._board.go_stale(wall_us()):
            self._publish(room)
