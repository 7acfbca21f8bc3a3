"""A gateway in this process over a real Redis, and the feed and clients that tests use with it."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httpx
import orjson
import socketio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.auth.service import Config
from api.limits import RATES, Rates
from api.peers import DIRECT, Peers
from api.realtime.engine import Limits
from api.realtime.limits import QUOTAS
from api.service import AUTH_OFF, Gateway, listen
from connectors.base.screens import Screen
from domain.ids import VenueId
from runtime.channels import (
    FUNDING_ROOM,
    FUNDING_SHARES,
    FUNDING_TTL_MS,
    LADDER_TTL_MS,
    MARKETS_STATE,
    PRICES_ROOM,
    QUOTE_TTL_MS,
    STATE_TTL_MS,
    TAPE,
    UNPRICED_STATE,
    VENUES_ROOM,
    VENUES_STATE,
    depth_key,
    funding_key,
    ladder_key,
    ladder_room,
    price_room,
    quote_key,
    share_of,
    trades_room,
)
from runtime.clock import wall_us
from runtime.sealing import Seal
from runtime.tasks import end_all
from runtime.wire import Cause, Envelope, Stamp, encode_batch, encode_depth, encode_envelope

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
BEAT_S = 0.04
GENEROUS = QUOTAS.scaled(1_000)
"""For tests that ask for much."""
UNLIMITED = RATES.scaled(1e6)
EVENTS = (
    "price", "prices", "venues", "trades", "candles", "ladder", "funding", "account", "heartbeat",
)  # fmt: skip


def price_of(bid: str, ask: str) -> dict[str, Any]:
    return {
        "bid": bid,
        "bid_venue": "dydx",
        "bid_size": "0.83",
        "ask": ask,
        "ask_venue": "dydx",
        "ask_size": "1.5",
        "mid": bid,
        "spread_bps": 0.05,
        "crossed": False,
        "quality": {"venues": 1, "excluded": []},
        "venues": {
            "dydx": {
                "bid": bid,
                "ask": ask,
                "kind": "book",
                "pool": None,
                "price_us": wall_us(),
                "state": "live",
            }
        },
    }


def board_row_of(bid: str, ask: str) -> dict[str, Any]:
    return {
        "bid": bid,
        "ask": ask,
        "bid_venue": "dydx",
        "ask_venue": "dydx",
        "spread_bps": 0.05,
        "crossed": False,
        "change_24h": 0.012,
    }


def trade_of(number: int) -> dict[str, Any]:
    return {
        "venue": "dydx",
        "id": f"t{number:06d}",
        "price": "97000.5",
        "size": "0.1",
        "side": "BUY",
        "time_us": 1_790_000_000_000_000 + number,
    }


def market_row(market: str) -> dict[str, Any]:
    base, quote = market.split("-")
    return {
        "market": market,
        "base": base,
        "quote": quote,
        "open": True,
        "venues": {
            "dydx": {
                "symbol": market,
                "pools": [],
                "tick": "1",
                "step": "0.0001",
                "min_notional_usd": None,
                "max_leverage": "50",
                "chain_ids": ["dydx-mainnet-1"],
            }
        },
    }


@dataclass
class Feed:
    """Publishes as the feed does: tape first, then the keys, all again with every beat."""

    redis: Redis
    epoch: int = 1_790_000_000
    markets: tuple[str, ...] = ("BTC-USD", "ETH-USD")
    muted: bool = False
    _seqs: dict[str, int] = field(default_factory=dict)
    _quotes: dict[str, bytes] = field(default_factory=dict)
    _unpriced: dict[str, Envelope] = field(default_factory=dict)
    _venues: bytes = b""
    _later: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    def envelope(self, room: str, data: Any, cause: Cause = "frame") -> Envelope:
        seq = self._seqs[room] = self._seqs.get(room, self.epoch << 20) + 1
        now_us = wall_us()
        body = encode_envelope("update", room, seq, self.epoch, cause, now_us, now_us, data)
        if room.startswith("price:"):
            self._quotes[room.partition(":")[2]] = body
        elif room == VENUES_ROOM:
            self._venues = body
        return Envelope(room, seq, body)

    async def send(self, *envelopes: Envelope) -> None:
        # One batch after the other: an older one must not write its keys last.
        async with self._sending:
            try:
                await self._send(envelopes)
            except RedisError:
                # Connections to a server that was restarted.
                await self.redis.connection_pool.disconnect()
                await self._send(envelopes)

    async def _send(self, envelopes: Sequence[Envelope]) -> None:
        pipe = self.redis.pipeline(transaction=False)
        pipe.publish(TAPE, encode_batch(self.epoch, wall_us(), envelopes))
        for market, body in self._quotes.items():
            pipe.set(quote_key(market), body, px=QUOTE_TTL_MS)
        unpriced = encode_batch(self.epoch, wall_us(), list(self._unpriced.values()))
        pipe.set(UNPRICED_STATE, unpriced, px=STATE_TTL_MS)
        if self._venues:
            pipe.set(VENUES_STATE, self._venues, px=STATE_TTL_MS)
        for key, (body, ttl_ms) in self._later.items():
            pipe.set(key, body, px=ttl_ms)
        rows = orjson.dumps([market_row(market) for market in self.markets])
        pipe.set(MARKETS_STATE, rows, px=STATE_TTL_MS)
        await pipe.execute()

    async def price(self, bid: str, ask: str, market: str = "BTC-USD") -> int:
        """Publishes a quote and its board row; returns its seq."""
        envelope = self.envelope(price_room(market), price_of(bid, ask))
        await self.send(envelope, self.envelope(PRICES_ROOM, {market: board_row_of(bid, ask)}))
        return envelope.seq

    async def unpriced(self, reason: str, market: str = "BTC-USD") -> None:
        """No venue has a price: the tape says why once, and a key for who comes later."""
        data = price_of("1", "2") | {"bid": None, "ask": None}
        data["quality"] = {"venues": 0, "excluded": [{"venue": "dydx", "reason": reason}]}
        envelope = self._unpriced[market] = self.envelope(price_room(market), data)
        self._quotes.pop(market)
        await self.send(envelope)

    async def drop_quote(self, market: str = "BTC-USD") -> None:
        """The key is gone, as when no venue has a price; the tape says nothing."""
        async with self._sending:
            self._quotes.pop(market, None)
            await self.redis.delete(quote_key(market))

    async def trades(self, *numbers: int, market: str = "BTC-USD") -> None:
        await self.send(self.envelope(trades_room(market), [trade_of(n) for n in numbers]))

    async def ladder(self, data: Any, depth: Any, market: str = "BTC-USD") -> Envelope:
        """Publishes a ladder and what it was made of."""
        envelope = self.envelope(ladder_room(market), data, "timer")
        now_us = wall_us()
        stamp = Stamp(envelope.seq, self.epoch, "timer", now_us, now_us)
        inputs = encode_depth(market, stamp, orjson.dumps(depth))
        self._later[ladder_key(market)] = envelope.body, LADDER_TTL_MS
        self._later[depth_key(market)] = inputs, LADDER_TTL_MS
        await self.send(envelope)
        return envelope

    async def drop_ladder(self, market: str = "BTC-USD") -> None:
        async with self._sending:
            for key in (ladder_key(market), depth_key(market)):
                self._later.pop(key, None)
                await self.redis.delete(key)

    async def funding(self, rows: dict[str, Any]) -> None:
        """Publishes rows of one share, and that they are all of it."""
        (share,) = {share_of(market, FUNDING_SHARES) for market in rows}
        envelope = self.envelope(FUNDING_ROOM, rows, "timer")
        self._later[funding_key(share)] = envelope.body, FUNDING_TTL_MS
        await self.send(envelope)

    async def venues(self, state: str = "live") -> None:
        row = {
            "state": state,
            "reason": None,
            "since": "2026-01-01T00:00:00.000Z",
            "markets": len(self.markets),
            "last_frame_us": wall_us(),
        }
        await self.send(self.envelope(VENUES_ROOM, {"dydx": row}, "status"))

    def restart(self) -> None:
        """As another process: a higher epoch, nothing published yet."""
        self.epoch += 100
        self._seqs.clear()
        self._quotes.clear()
        self._later.clear()
        self._venues = b""

    async def run(self) -> None:
        while True:
            if not self.muted:
                with contextlib.suppress(RedisError):
                    await self.send()
            await asyncio.sleep(BEAT_S)


@dataclass
class Rig:
    """A running gateway and its surroundings."""

    url: str
    gateway: Gateway
    feed: Feed
    http: httpx.AsyncClient
    stop: asyncio.Event
    redis_url: str

    @property
    def ws_url(self) -> str:
        return f"{self.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"


@contextlib.asynccontextmanager
async def running_gateway(
    redis_url: str,
    *,
    limits: Limits | None = None,
    database_url: str = NO_DATABASE,
    auth: Config = AUTH_OFF,
    port: int = 0,
    rates: Rates = UNLIMITED,
    peers: Peers = DIRECT,
    seal: Seal | None = None,
    screens: Mapping[VenueId, Screen] = MappingProxyType({}),
) -> AsyncIterator[Rig]:
    """With a feed that beats, has quoted both markets once and has told of its venue."""
    redis = Redis.from_url(redis_url)
    await redis.flushall()
    feed = Feed(redis)
    gateway = Gateway(
        redis_url,
        database_url,
        limits or Limits(quotas=GENEROUS),
        peers=peers,
        auth=auth,
        rates=rates,
        seal=seal,
        screens=screens,
    )
    listener = listen("127.0.0.1", port, shared=False)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = asyncio.Event()
    serving = asyncio.create_task(gateway.run(listener, stop))
    beating = asyncio.create_task(feed.run())
    try:
        async with httpx.AsyncClient(base_url=url) as http:
            await until_it_serves(http)
            await feed.price("97000", "97001")
            await feed.price("3500", "3501", "ETH-USD")
            await feed.venues()
            yield Rig(url, gateway, feed, http, stop, redis_url)
    finally:
        stop.set()
        await end_all([beating])
        await asyncio.gather(serving, return_exceptions=False)
        await redis.aclose()


async def until_it_serves(http: httpx.AsyncClient, within_s: float = 10.0) -> None:
    """Until the gateway knows the markets and has heard the feed. Where proxies are believed, it is
    always another address that asks."""
    addresses = (f"198.18.0.{number}" for number in itertools.count(1))
    await eventually(
        lambda: http.get("/health"),
        lambda answer: answer.is_success and '"beat_age_ms":null' not in answer.text,
        within_s=within_s,
    )
    await eventually(
        lambda: http.get("/v1/markets", headers={"X-Forwarded-For": next(addresses)}),
        lambda answer: answer.status_code == 200,
        within_s=within_s,
    )


async def eventually(
    ask: Any, satisfied: Any, *, within_s: float = 10.0, every_s: float = 0.02
) -> Any:
    """The first answer that satisfies."""
    answer = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    answer = await ask()
                    if satisfied(answer):
                        return answer
                except httpx.TransportError as error:
                    answer = error
                await asyncio.sleep(every_s)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; last: {answer!r}") from None


class Client:
    """The official Python client, with what it received by event."""

    def __init__(self, url: str, transports: list[str]) -> None:
        self._url = url
        self._transports = transports
        self.received: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.sio = socketio.AsyncClient(reconnection=False)
        for name in EVENTS:
            self.received[name] = asyncio.Queue()
            self.history[name] = []
            self.sio.on(name, functools.partial(self._take, name))

    def _take(self, name: str, envelope: dict[str, Any]) -> None:
        self.history[name].append(envelope)
        self.received[name].put_nowait(envelope)

    async def __aenter__(self) -> "Client":
        await self.sio.connect(self._url, transports=self._transports)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.sio.disconnect()

    async def call(self, event: str, *arguments: Any) -> Mapping[str, Any]:
        data = arguments[0] if len(arguments) == 1 else arguments
        answer: Mapping[str, Any] = await self.sio.call(event, data, timeout=10)
        return answer

    async def subscribe(self, *rooms: str, **more: Any) -> dict[str, dict[str, Any]]:
        """The snapshots; fails the test on any error."""
        answer = await self.call("subscribe", {"rooms": list(rooms), **more})
        assert answer["ok"] is True, answer
        assert set(answer) == {"ok", "rooms"}
        snapshots: dict[str, dict[str, Any]] = answer["rooms"]
        return snapshots

    async def next(self, event: str, within_s: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            return await self.received[event].get()

    async def until(self, event: str, satisfied: Any, within_s: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                envelope = await self.received[event].get()
                if satisfied(envelope):
                    return envelope

    def drain(self, event: str) -> list[dict[str, Any]]:
        queue = self.received[event]
        return [queue.get_nowait() for _ in range(queue.qsize())]
