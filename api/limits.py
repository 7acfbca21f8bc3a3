"""How much may be asked of REST: one token bucket a client in Redis, shared by all gateways."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

from redis.asyncio import Redis

from api.buckets import Bucket
from api.gathered import LOST, Gathered
from api.problems import TooMany, Unavailable
from runtime.channels import rate_key
from runtime.clock import mono_ns

AWAY_NS: Final = 1_000_000_000
"""So long nobody waits for a Redis that did not answer."""
LOCAL_BOUND: Final = 10_000
"""Clients counted here while Redis is away; past it those not seen longest are forgotten."""

# KEYS: the bucket. ARGV: tokens a second, burst, tokens wanted. -> granted, what is left.
# The clock is that of Redis: gateways need not agree on the time.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local per_s, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local level = burst
local kept = redis.call('GET', KEYS[1])
if kept then
    local at
    level, at = string.match(kept, '^(%S+) (%S+)$')
    level = math.min(burst, tonumber(level) + math.max(0, now - tonumber(at)) * per_s)
end
local granted = math.min(wanted, math.floor(level))
level = level - granted
local full_ms = math.ceil((burst - level) / per_s * 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.6f %.6f', level, now), 'PX', full_ms)
return {granted, string.format('%.6f', level)}
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """``burst`` at once after a time of quiet, ``per_s`` for good. ``closed``: nothing is granted
    while Redis cannot be asked."""

    name: str
    per_s: float
    burst: int
    closed: bool = False

    header: bytes = field(init=False, compare=False)
    """``RateLimit-Policy``."""

    def __post_init__(self) -> None:
        said = f'"{self.name}";q={self.burst};w={ceil(self.burst / self.per_s)}'
        object.__setattr__(self, "header", said.encode())

    def state(self, left: float) -> bytes:
        """``RateLimit``: how many are left, and in how many seconds all are there again."""
        full_s = ceil((self.burst - left) / self.per_s)
        return b'"%s";r=%d;t=%d' % (self.name.encode(), max(0, int(left)), full_s)

    def scaled(self, factor: float) -> "Policy":
        return replace(self, per_s=self.per_s * factor, burst=max(1, int(self.burst * factor)))


@dataclass(frozen=True, slots=True)
class Rates:
    """``anonymous`` is for an address, ``account`` and ``orders`` for an account, ``login`` for
    each of both."""

    anonymous: Policy = Policy("anonymous", 20.0, 60)
    account: Policy = Policy("account", 50.0, 150)
    login: Policy = Policy("login", 5 / 60, 5, closed=True)
    orders: Policy = Policy("orders", 10.0, 20)

    def scaled(self, factor: float) -> "Rates":
        return Rates(
            self.anonymous.scaled(factor),
            self.account.scaled(factor),
            self.login.scaled(factor),
            self.orders.scaled(factor),
        )


RATES: Final = Rates()

_Bucket = tuple[Policy, str]


class RateLimiter:
    """Requests of one client that come together are one question. ``gateways``: how many share what
    is granted."""

    def __init__(self, redis: Redis, rates: Rates, gateways: int) -> None:
        self.rates = rates
        self._redis = redis
        self._gateways = gateways
        self._buckets = Gathered(self._fetch)
        self._away_until_ns = 0
        self._local: OrderedDict[_Bucket, Bucket] = OrderedDict()

    async def admit(self, policy: Policy, client: str) -> float:
        """Takes one token; what is left. Raises TooMany, and Unavailable ``REDIS_UNAVAILABLE``
        where nothing is granted without Redis."""
        left = await self._take((policy, client))
        if left < 0:
            raise TooMany(policy.header, policy.state(0), ceil(1 / policy.per_s))
        return left

    async def _take(self, bucket: _Bucket) -> float:
        if mono_ns() >= self._away_until_ns:
            try:
                return await self._buckets.ask(bucket)
            except LOST:
                self._away_until_ns = mono_ns() + AWAY_NS
        policy, _ = bucket
        if policy.closed:
            raise Unavailable("REDIS_UNAVAILABLE", "nobody can sign in now")
        return self._take_here(bucket)

    def _take_here(self, bucket: _Bucket) -> float:
        """This gateway's part of what all of them would grant."""
        policy, now_ns = bucket[0], mono_ns()
        found = self._local.pop(bucket, None)
        if found is None:
            burst = max(1.0, policy.burst / self._gateways)
            found = Bucket(policy.per_s / self._gateways, burst, now_ns)
        self._local[bucket] = found
        if len(self._local) > LOCAL_BOUND:
            self._local.popitem(last=False)
        return found.level if found.take(1, now_ns) else -1.0

    async def _fetch(self, asked: Mapping[_Bucket, int]) -> Sequence[Sequence[float]]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for (policy, client), count in asked.items():
                pipeline.eval(
                    _TAKE, 1, rate_key(policy.name, client),
                    str(policy.per_s), str(policy.burst), str(count),
                )  # fmt: skip
            found = await pipeline.execute()
        return [
            _shares(count, int(granted), float(left))
            for count, (granted, left) in zip(asked.values(), found, strict=True)
        ]


def _shares(count: int, granted: int, left: float) -> Sequence[float]:
    """The first ones get what was granted."""
    return [left + granted - 1 - place if place < granted else -1.0 for place in range(count)]
