"""Events of accounts: written once by whoever has something to tell, read by every gateway.

They stand in one Redis stream an account. The ``seq`` of an event is the id of its entry. It counts
by one; on a server that was started again it goes on from that time, ``seconds << 20``, so that
what a server forgot is never numbered twice. Each entry names the one before it, so a reader sees a
hole.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from runtime.channels import ACCOUNT_ROOM, EVENTS_KEPT, EVENTS_KEPT_S, events_key
from runtime.clock import wall_us
from runtime.wire import Cause, encode_envelope

EPOCH_BITS: Final = 20
"""``seq >> EPOCH_BITS`` is the ``epoch`` of an event."""

# The run of the server stands in every entry: another one may have lost what came last.
_APPEND: Final = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local before = last and tonumber(string.match(last[1], '%d+')) or 0
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= before then return '0' end
local seq = before + 1
if not last or last[2][2] ~= run then
    local now = redis.call('TIME')
    seq = math.max(seq, now[1] * 2 ^ 20 + math.floor(now[2] * 2 ^ 20 / 1e6))
end
local name = string.format('%.0f', seq)
local epoch = string.format('%.0f', math.floor(seq / 2 ^ 20))
local body = ARGV[1] .. '"seq":' .. name .. ',"epoch":' .. epoch .. ARGV[2]
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], name .. '-0',
    'run', run, 'prev', string.format('%.0f', before), 'body', body)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return name
"""
_STAMP: Final = b'"seq":0,"epoch":0'


class Event(NamedTuple):
    """``prev``: the seq of the event before it, 0 of the first one. ``body``: the envelope."""

    seq: int
    prev: int
    body: bytes


class Page(NamedTuple):
    """Events in their order, and the newest seq there was when they were read; 0: none."""

    events: list[Event]
    newest: int


async def append(
    redis: Redis,
    account_id: str,
    data: Mapping[str, Any],
    cause: Cause = "status",
    received_us: int | None = None,
    after: int | None = None,
) -> int:
    """Writes an event and returns its seq. ``data`` as in the ``account`` room, ``received_us``:
    when what caused it came in. ``after``: only as long as this is the newest seq; 0 else.

    Raises RedisError, OSError, TimeoutError; whether it was written is not known then.
    """
    now_us = wall_us()
    body = encode_envelope("update", ACCOUNT_ROOM, 0, 0, cause, received_us or now_us, now_us, data)
    head, _, rest = body.partition(_STAMP)
    seq = await redis.eval(
        _APPEND, 1, events_key(account_id), head, rest, str(EVENTS_KEPT), str(EVENTS_KEPT_S),
        "" if after is None else str(after),
    )  # fmt: skip
    return int(seq)


async def read_after(redis: Redis, account_id: str, seq: int, count: int) -> Page:
    """The first ``count`` events after ``seq``. Raises RedisError, OSError, TimeoutError."""
    key = events_key(account_id)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.xrange(key, f"({seq}-0", "+", count)
        pipeline.xrevrange(key, count=1)
        found, last = await pipeline.execute()
    return Page(decode(found), _newest(last))


async def read_newest(redis: Redis, account_ids: Sequence[str]) -> list[int]:
    """The newest seq of each; 0: none. Raises RedisError, OSError, TimeoutError."""
    async with redis.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            pipeline.xrevrange(events_key(account_id), count=1)
        return [_newest(last) for last in await pipeline.execute()]


def decode(entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Event]:
    return [Event(_seq(id_), int(fields[b"prev"]), fields[b"body"]) for id_, fields in entries]


def _newest(last: Sequence[tuple[bytes, Any]]) -> int:
    return _seq(last[0][0]) if last else 0


def _seq(id_: bytes) -> int:
    return int(id_.partition(b"-")[0])
