"""What may be traded on: builders of venues, the nodes of their chains, and today's depth."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors import desks, registry
from connectors.base import markets
from connectors.base.orders import ChainLog, OrderBuilder
from domain.errors import InputError, VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, VenueId
from domain.orders import ChainId, OrderLeg
from domain.outcomes import VenueOutcome
from execution.chain import Chain
from runtime.channels import depth_key
from runtime.dialer import dialer_of
from runtime.logs import get_logger
from runtime.redis import CALL_TIMEOUT_S
from runtime.settings import Settings, comma_urls
from runtime.wire import DEPTH_VERSION

DEPTH_TRIES: Final = 120
DEPTH_AGAIN_S: Final = 0.05
"""What is missing is mostly there with the feed's next turn; a feed that starts again takes 3 s."""

Pools = Mapping[tuple[VenueId, str], Any]

_log = get_logger(__name__)


class Venues:
    """``chains``: those with nodes, by id."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._builders: dict[VenueId, OrderBuilder] = {}
        self._map = markets.load()
        self._pools: Pools = {}
        dialer = dialer_of(settings)
        self.chains: dict[int, Chain] = {
            chain_id: Chain(chain_id, comma_urls(urls), dialer)
            for chain_id, urls in settings.rpc_urls.items()
            if any(url.startswith("http") for url in comma_urls(urls))
        }

    async def load(self) -> None:
        """Builders with the markets of now; one whose venue is away stays as it was. Raises
        SettingsError."""
        wanted = self._settings.venue_filter
        for venue, make in desks.ORDER_BUILDERS.items():
            if wanted is not None and venue not in wanted:
                continue
            try:
                self._builders[venue] = await make(self._settings, self._map, self._depth_of(venue))
            except (VenueUnavailable, VenueProtocolError) as error:
                _log.warning("orders_without_venue", venue=venue, reason=str(error))

    @property
    def complete(self) -> bool:
        """Whether all were loaded once: before, what chains tell cannot be read."""
        wanted = self._settings.venue_filter
        return all(
            venue in self._builders
            for venue in desks.ORDER_BUILDERS
            if wanted is None or venue in wanted
        )

    def builder(self, venue: VenueId) -> OrderBuilder:
        """Raises InputError ``NOT_EXECUTABLE`` where nothing can be placed, and VenueUnavailable
        while that is not known."""
        if venue not in desks.ORDER_BUILDERS:
            raise InputError("NOT_EXECUTABLE", f"no orders are placed at {venue}")
        if venue not in self._builders:
            raise VenueUnavailable("NO_MARKETS", f"the markets of {venue} are not known yet")
        return self._builders[venue]

    def builders(self, chain_id: int) -> list[OrderBuilder]:
        """Of the venues on a chain."""
        return [item for item in self._builders.values() if item.log_addresses(chain_id)]

    def chain(self, chain_id: int | str) -> Chain:
        """Raises InputError ``UNKNOWN_CHAIN``."""
        found = self.chains.get(chain_id) if isinstance(chain_id, int) else None
        if found is None:
            raise InputError("UNKNOWN_CHAIN", f"no node of chain {chain_id} is configured")
        return found

    def trades(self, leg: OrderLeg) -> bool:
        """Whether orders are made there."""
        chains: Sequence[ChainId] = desks.traded_chains(self._settings).get(leg.venue, ())
        return leg.chain_id in chains

    async def read_depth(
        self, market: MarketId, needed: tuple[VenueId, str] | None = None
    ) -> Pools:
        """What the pools of a market can be priced with; empty when nothing is known. ``needed``: a
        pool that is waited for a little, since a feed that starts has it soon."""
        pools: Pools = {}
        for attempt in range(1 if needed is None else DEPTH_TRIES):
            if attempt:
                await asyncio.sleep(DEPTH_AGAIN_S)
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    raw = await self._redis.get(depth_key(market))
            except (RedisError, OSError, TimeoutError):
                raw = None
            pools = _pools(raw) if isinstance(raw, bytes) else {}
            if needed is None or needed in pools:
                break
        return pools

    @contextmanager
    def priced(self, pools: Pools) -> Iterator[None]:
        """What builders that are asked within it know. Nothing may be awaited there."""
        self._pools = pools
        try:
            yield
        finally:
            self._pools = {}

    async def close(self) -> None:
        for chain in self.chains.values():
            await chain.close()

    def _depth_of(self, venue: VenueId) -> desks.Depth:
        def depth(market: MarketId | None, pool: str) -> Any:
            del market  # only one is asked about at a time
            return self._pools.get((venue, pool.lower()))

        return depth


def _pools(raw: bytes) -> Pools:
    """Those that can be read, by their names in lower case; others count as unknown."""
    content = orjson.loads(raw)
    if content["version"] != DEPTH_VERSION:
        return {}
    found: dict[tuple[VenueId, str], Any] = {}
    for row in content["pools"]:
        venue = VenueId(row["venue"])
        if row["pool"] is None or venue not in desks.ORDER_BUILDERS:
            continue
        try:
            found[venue, row["pool"].lower()] = registry.ECONOMICS[venue].decode(row["inputs"])
        except InputError as error:
            _log.warning("depth_unreadable", venue=venue, pool=row["pool"], reason=str(error))
    return found


def decoded(builder: OrderBuilder, logs: Sequence[ChainLog]) -> Sequence[VenueOutcome]:
    """A transaction whose logs cannot be read does not hide the others."""
    try:
        return builder.decode(logs)
    except VenueProtocolError:
        pass
    found: list[VenueOutcome] = []
    for tx_hash in dict.fromkeys(log.tx_hash for log in logs):
        try:
            found += builder.decode([log for log in logs if log.tx_hash == tx_hash])
        except VenueProtocolError as error:
            _log.error("logs_unreadable", venue=builder.venue, tx_hash=tx_hash, reason=str(error))
    return found
