"""Quotes to Redis: in batches, the newest of everything, the tape first.

A batch goes out at once after quiet, and then when the one before was answered, at most every
``MIN_SPACING_NS``; at least every ``REWRITE_MS`` the life of every live quote is extended, or it is
written again where it is gone, and the tape carries a beat, so that both end with this process.
Nothing is written without the leader's lease.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from aggregator import resp
from aggregator.conflate import STREAM_BOUND, Outbox
from aggregator.envelopes import Envelopes
from aggregator.keeper import Keeper, Lasting
from aggregator.ladders import Ladder
from aggregator.lease import Lease
from aggregator.pipe import Pipe
from domain.ids import MarketId
from domain.quote import BestQuote
from runtime import channels, metrics
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from runtime.redis import CALL_TIMEOUT_S, cause_of, fast_client
from runtime.tasks import Backoff
from runtime.wire import Cause, Envelope, encode_batch, encode_depth, encode_envelope

MIN_SPACING_NS: Final = 2_000_000
SHARES: Final = 4
SHARE_NS: Final = channels.REWRITE_MS * 1_000_000 // SHARES
"""Live quotes are extended in shares, one after the other: news would wait behind all at once."""
LATER_BYTES: Final = 64 * 1024
"""What goes behind the tape in one batch, more or less."""

PUBLISHED: Final = metrics.Histogram(
    "perptape_publish_seconds",
    "Venue frame received to batch acknowledged by Redis",
    buckets=metrics.LATENCY_BUCKETS,
)
BATCHES: Final = metrics.Counter("perptape_tape_batches_total", "Batches written to Redis")
ENVELOPES: Final = metrics.Counter("perptape_tape_envelopes_total", "Envelopes put on the tape")
WRITE_ERRORS: Final = metrics.Counter("perptape_publish_errors_total", "Batches Redis did not take")
LIVE_QUOTES: Final = metrics.Gauge("perptape_quotes_live", "Markets with a live quote")
LEADING: Final = metrics.Gauge("perptape_feed_leading", "1 while this feed holds the lease")
CONFLATED: Final = metrics.Gauge("perptape_tape_conflated", "Envelopes replaced before being sent")
TRADES_DROPPED: Final = metrics.Gauge("perptape_tape_trades_dropped", "Trades dropped unsent")

_log = get_logger(__name__)


class NotLeader(Exception):
    """Another feed holds the lease, or ours ran out."""


class Publisher:
    """Owns the sequence numbers and the writing connection. Call ``run`` once; ``publish_*`` from
    the same loop at any time. ``on_lead`` is called whenever writing begins, in a new epoch or
    after a lost connection: what was published before may not have arrived and is published again.
    """

    def __init__(self, redis_url: str, on_lead: Callable[[], None]) -> None:
        self._client = fast_client(redis_url)
        self._on_lead = on_lead
        self._lease = Lease(self._client)
        self._outbox: Outbox[Envelope] = Outbox()
        self._pipe: Pipe | None = None
        self._sent_ns = 0
        self._next_push: asyncio.Handle | None = None
        self._backoff = Backoff(0.05, 1.0)
        self._said = Envelopes()
        self._live: tuple[dict[MarketId, bytes], ...] = tuple({} for _ in range(SHARES))
        self._next_share = 0
        self._changed: dict[MarketId, None] = {}
        self._states: dict[str, bytes] = {}
        self._states_ns = 0
        self._keeper = Keeper()
        self._unpriced: dict[MarketId, Envelope] = {}
        self._unpriced_changed = True
        self._oldest_received_us: int | None = None
        self._trouble: str | None = None
        metrics.QUEUE_BOUND.labels(queue="tape").set_function(
            lambda: self._said.rooms + STREAM_BOUND
        )
        metrics.QUEUE_HIGH_WATER.labels(queue="tape").set_function(lambda: self._outbox.high_water)
        CONFLATED.set_function(lambda: self._outbox.conflated)
        TRADES_DROPPED.set_function(lambda: self._outbox.dropped)
        LIVE_QUOTES.set_function(lambda: sum(map(len, self._live)))

    @property
    def epoch(self) -> int:
        """0 until the lease was held for the first time."""
        return self._said.epoch

    def publish_quote(self, best: BestQuote) -> None:
        """The ``price`` envelope to the tape and its key; without any live side the key goes."""
        envelope = self._said.quote(best, wall_us())
        self._put(envelope, best.cause, best.received_us)
        if best.live:
            key = channels.quote_key(best.market)
            live = resp.set_px(key, envelope.body, channels.QUOTE_TTL_MS)
            self._share(best.market)[best.market] = live
            self._unpriced_changed |= self._unpriced.pop(best.market, None) is not None
        else:
            self._share(best.market).pop(best.market, None)
            self._unpriced[best.market] = envelope
            self._unpriced_changed = True
        self._changed[best.market] = None

    def publish_room(
        self, room: str, cause: Cause, received_us: int, data: Mapping[str, Any] | Sequence[Any]
    ) -> bytes:
        """Any envelope to the tape; returns its bytes. ``received_us`` 0 means now."""
        now_us = wall_us()
        envelope = self._said.room(room, cause, received_us, now_us, data)
        self._put(envelope, cause, received_us or now_us)
        return envelope.body

    def _put(self, envelope: Envelope, cause: Cause, received_us: int) -> None:
        if channels.room_kind(envelope.room) == "trades":
            self._outbox.put_stream(envelope)
        else:
            self._outbox.put_newest(envelope.room, envelope)
        if cause == "frame" and self._oldest_received_us is None:
            self._oldest_received_us = received_us
        self._push_soon()

    def publish_ladder(self, ladder: Ladder) -> None:
        """The ``ladder`` envelope to the tape, and both keys behind it."""
        market, now_us = ladder.market, wall_us()
        envelope = self._said.ladder(market, ladder.data, now_us)
        inputs = encode_depth(market, self._said.stamp(envelope.room, now_us), ladder.depth)
        keys = {channels.ladder_key(market): envelope.body, channels.depth_key(market): inputs}
        self._keeper.keep(envelope.room, keys, channels.LADDER_TTL_MS, envelope)
        self._push_soon()

    def repeat_ladder(self, market: MarketId) -> None:
        """Both keys live on."""
        self._keeper.keep_on(channels.ladder_room(market))
        self._push_soon()

    def publish_funding(
        self, share: int, changed: Mapping[str, Any], whole: Mapping[str, Any]
    ) -> None:
        """Changed rows to the tape and all rows of the share to its key; of no change the same
        key again."""
        key = channels.funding_key(share)
        if changed:
            now_us = wall_us()
            envelope = self._said.room(channels.FUNDING_ROOM, "timer", 0, now_us, changed)
            body = encode_envelope(
                "snapshot", channels.FUNDING_ROOM, envelope.seq, self.epoch, "timer", now_us,
                now_us, whole,
            )  # fmt: skip
            self._keeper.keep(key, {key: body}, channels.FUNDING_TTL_MS, envelope)
        else:
            self._keeper.keep_on(key)
        self._push_soon()

    def is_waiting(self, room: str) -> bool:
        """Whether something of this name is still to be sent: another would replace it."""
        return room in self._outbox or self._keeper.is_waiting(room)

    def publish_state(self, key: str, body: bytes) -> None:
        """A key that is there, and written again, until it is replaced."""
        self._states[key] = resp.set_px(key, body, channels.STATE_TTL_MS)
        self._states_ns = 0

    async def run(self) -> None:
        """Takes the lease, writes until it is lost or Redis fails, starts again."""
        while True:
            try:
                await self._lead()
                LEADING.set(1)
                await self._write()
            except NotLeader:
                _log.warning("feed_lost_lease", epoch=self.epoch)
            except (RedisError, OSError, TimeoutError) as error:
                WRITE_ERRORS.inc()
                if cause_of(error) != self._trouble:
                    self._trouble = cause_of(error)
                    _log.warning("redis_lost", error=self._trouble)
                await asyncio.sleep(self._backoff.next_s())
            finally:
                LEADING.set(0)

    async def close(self) -> None:
        await self._lease.release()
        await self._client.aclose()

    async def _lead(self) -> None:
        """Returns once the lease is held."""
        epoch = await self._lease.take(self.epoch)
        if epoch != self.epoch:
            self._said.begin(epoch)
            for share in self._live:
                share.clear()
            self._unpriced.clear()
            self._unpriced_changed = True
            self._changed.clear()
            self._keeper.clear()
            self._outbox.take()
            self._oldest_received_us = None
            _log.info("feed_leads", epoch=epoch)
        self._on_lead()

    async def _write(self) -> None:
        """Sends a batch at least whenever a share is due, until Redis does not answer. Raises
        NotLeader, RedisError, OSError or TimeoutError."""
        connection: AbstractConnection = self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        keeper = asyncio.create_task(self._lease.keep(), name="feed-lease")
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._pipe = pipe = Pipe(connection, self.push)
            rewrite_ns = 0
            while True:
                now_ns = mono_ns()
                pipe.check(now_ns, CALL_TIMEOUT_S)
                if not self._lease.is_held(now_ns):
                    raise NotLeader
                due = max(0, min(SHARES, (now_ns - rewrite_ns) // SHARE_NS + 1))
                if due and pipe.has_room:
                    # What was late does not make the next ones later.
                    rewrite_ns = max(rewrite_ns + due * SHARE_NS, now_ns)
                    self._send(pipe, due, now_ns)
                await asyncio.sleep(max(SHARE_NS // 4, rewrite_ns - mono_ns()) / 1e9)
        finally:
            keeper.cancel()
            if self._pipe is not None:
                self._pipe.abort()
                self._pipe = None
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    def push(self) -> None:
        """Sends what waits, as soon as it may be sent."""
        pipe, now_ns = self._pipe, mono_ns()
        if pipe is None or not pipe.has_room or not self._lease.is_held(now_ns):
            return
        if not (len(self._outbox) or self._changed or self._keeper.waits):
            return
        left_ns = self._sent_ns + MIN_SPACING_NS - now_ns
        if left_ns <= 0:
            try:
                self._send(pipe, 0, now_ns)
            except Exception as error:
                # A bug, and what was to be sent is gone: ``run`` ends with it and begins anew.
                pipe.end(error)
        elif self._next_push is None:
            later = asyncio.get_running_loop().call_later
            self._next_push = later(left_ns / 1e9, self._push_next)

    def _push_soon(self) -> None:
        """After what else there is to publish now."""
        if self._next_push is None:
            self._next_push = asyncio.get_running_loop().call_soon(self._push_next)

    def _push_next(self) -> None:
        self._next_push = None
        self.push()

    def _share(self, market: MarketId) -> dict[MarketId, bytes]:
        return self._live[zlib.crc32(market.encode()) % SHARES]

    def _send(self, pipe: Pipe, due: int, now_ns: int) -> None:
        """One batch: changed keys, the tape, then what can wait, and so many shares of the other
        quotes, which only live on: their bodies would be megabytes a second, into the log that
        Redis keeps on disk as well.

        The keys go unanswered; the beat behind them is answered and meets the same refusals (out of
        memory, read-only).
        """
        self._sent_ns = now_ns
        envelopes = self._outbox.take()
        changed, self._changed = self._changed, {}
        received_us, self._oldest_received_us = self._oldest_received_us, None
        sent_us = wall_us()
        parts = [resp.REPLIES_OFF]
        for market in changed:
            live = self._share(market).get(market)
            parts.append(live or resp.delete(channels.quote_key(market)))
        parts += (
            resp.REPLIES_ON,
            resp.set_px(channels.FEED_BEAT, b"%d" % self.epoch, channels.STATE_TTL_MS),
            resp.publish(channels.TAPE, encode_batch(self.epoch, sent_us, envelopes)),
        )
        replies = 3
        later = [*self._due_later(sent_us), *(self._due_states() if due else ())]
        if later:
            parts += (resp.REPLIES_OFF, *later, resp.REPLIES_ON)
            replies += 1
        lasting = self._due_again(due, changed)
        parts += [resp.extend_px(of_a_life.keys, ttl) for ttl, of_a_life in lasting.items()]
        owners = [of_a_life.owners for of_a_life in lasting.values()]

        def answered(answers: Sequence[Any]) -> None:
            ENVELOPES.inc(len(envelopes))
            self._answered(owners, answers[replies:], received_us)

        pipe.send(b"".join(parts), replies + len(owners), answered, now_ns)

    def _answered(
        self, owners: Sequence[Sequence[str]], gone: Sequence[Any], received_us: int | None
    ) -> None:
        """A batch was taken. ``gone``: of each life, the positions of the keys that were not
        there."""
        for names, positions in zip(owners, gone, strict=True):
            for at in positions:
                self._write_again(names[at])
        BATCHES.inc()
        if received_us is not None:
            PUBLISHED.observe(max(0, wall_us() - received_us) / 1e6)
        self._backoff.reset()
        if self._trouble is not None:
            self._trouble = None
            _log.info("redis_back")

    def _due_again(self, due: int, changed: Mapping[MarketId, None]) -> dict[int, Lasting]:
        """What only has to live on, by its life in ms: the next shares of quotes, and others."""
        lasting = self._keeper.take_lasting()
        for _ in range(due):
            quotes = lasting.setdefault(channels.QUOTE_TTL_MS, Lasting([], []))
            for market in self._live[self._next_share]:
                if market not in changed:
                    quotes.add(channels.quote_key(market), market)
            self._next_share = (self._next_share + 1) % SHARES
        return lasting

    def _write_again(self, owner: str) -> None:
        """A key of it was gone."""
        if owner in self._keeper:
            self._keeper.gone(owner)
        else:
            self._changed[MarketId(owner)] = None
        self._push_soon()

    def _due_later(self, sent_us: int) -> list[bytes]:
        """Some of what can wait, with a tape message of its own."""
        commands, envelopes = self._keeper.take(LATER_BYTES)
        ENVELOPES.inc(len(envelopes))
        if envelopes:
            commands.append(
                resp.publish(channels.TAPE, encode_batch(self.epoch, sent_us, envelopes))
            )
        return commands

    def _due_states(self) -> Iterable[bytes]:
        now_ns = mono_ns()
        if now_ns < self._states_ns:
            return ()
        self._states_ns = now_ns + channels.STATE_REWRITE_MS * 1_000_000
        if self._unpriced_changed:
            self._unpriced_changed = False
            batch = encode_batch(self.epoch, wall_us(), list(self._unpriced.values()))
            key = channels.UNPRICED_STATE
            self._states[key] = resp.set_px(key, batch, channels.STATE_TTL_MS)
        return self._states.values()
