"""What the sources of one connector know together. Pure; owned by one event loop.

It outlives connections: a poll that starts anew quotes at once with what another one knows, and a
log subscription goes on where the last one ended.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.gmx import constants as c
from connectors.gmx import eventlog
from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.parse import PoolInfo
from domain.errors import InputError
from domain.ids import MarketId
from domain.market import MarketStatus

_INTEREST_EVENTS: Final = ("OpenInterestUpdated", "OpenInterestInTokensUpdated")


@dataclass(frozen=True, slots=True)
class Listing:
    """A market and its pools. ``token``: address of the index token in lower case; ``pools``:
    checksummed market tokens; ``day_symbol``: its name in ``/prices/24h``, None if ambiguous."""

    market: MarketId
    token: str
    decimals: int
    day_symbol: str | None
    pools: tuple[str, ...]


class GmxState:
    """Listings, what the pools still take, and the mirror of the contracts' events."""

    def __init__(self) -> None:
        self.listings: Mapping[MarketId, Listing] = {}
        self.mirror = LogMirror()
        self._infos: dict[str, PoolInfo] = {}
        self._infos_ns = 0

    def list_markets(self, listings: Iterable[Listing]) -> None:
        """Replaces what is listed; what is known of pools that are gone is forgotten."""
        self.listings = {listing.market: listing for listing in listings}
        listed = {pool.lower() for item in self.listings.values() for pool in item.pools}
        self._infos = {pool: info for pool, info in self._infos.items() if pool in listed}

    def learn(self, infos: Mapping[str, PoolInfo], mono_ns: int) -> None:
        """Takes over a good answer. A listed pool that it leaves out stays as open as it was, with
        unknown liquidity."""
        learnt: dict[str, PoolInfo] = {}
        for listing in self.listings.values():
            for pool in map(str.lower, listing.pools):
                known = self._infos.get(pool)
                if pool in infos:
                    learnt[pool] = infos[pool]
                elif known is not None:
                    learnt[pool] = PoolInfo(known.disabled, None, None)
        self._infos, self._infos_ns = learnt, mono_ns

    def pool(self, pool: str, mono_ns: int) -> PoolInfo:
        """What is known now; nothing is known to be disabled before it was heard of."""
        info = self._infos.get(pool.lower(), PoolInfo(False, None, None))
        if mono_ns - self._infos_ns > c.INFO_MAX_AGE_NS:
            return PoolInfo(info.disabled, None, None)
        return info

    def status(self, listing: Listing) -> MarketStatus:
        """``halted`` where every pool is disabled."""
        infos = (self._infos.get(pool.lower()) for pool in listing.pools)
        return "halted" if all(info is not None and info.disabled for info in infos) else "open"


class InterestKey(NamedTuple):
    """``event``: OpenInterestUpdated (USD x 1e30) or OpenInterestInTokensUpdated (smallest units of
    the index token). Addresses in lower case."""

    event: str
    market: str
    collateral: str
    is_long: bool


@dataclass(frozen=True, slots=True)
class Interest:
    """The value a log has set. ``place``: (block, log index)."""

    value: int
    place: tuple[int, int]
    block_hash: str


class LogMirror:
    """Open interest as the events tell it, each log taken once, in whatever order they come.

    ``decoded``: events taken, by name; ``synced_block``: all up to here were seen.
    """

    def __init__(self) -> None:
        self.synced_block: int | None = None
        self.decoded: Counter[str] = Counter()
        self.undecodable = 0
        self.open_interest: dict[InterestKey, Interest] = {}
        self._seen: dict[tuple[str, int], InterestKey | None] = {}

    def forget_interest(self) -> None:
        """After events that nobody can tell any more."""
        self.open_interest.clear()

    def take(self, log: Log) -> None:
        """A log, live or replayed. One that was taken already changes nothing."""
        identity = (log.block_hash, log.index)
        if log.removed:
            self._retract(log, self._seen.pop(identity, None))
            return
        if identity in self._seen:
            return
        try:
            event = eventlog.decode(log)
            if c.EVENTS.get(event.name) != log.topics[1]:
                raise InputError("BAD_EVENT", f"{event.name:.60} under another event's topic")
            key = self._note(log, event)
        except InputError:
            # Whatever it says was not understood, and it may be of open interest.
            self.undecodable += 1
            self.forget_interest()
            key = None
        else:
            self.decoded[event.name] += 1
        self._seen[identity] = key
        if len(self._seen) > c.LOGS_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _note(self, log: Log, event: GmxEvent) -> InterestKey | None:
        if event.name not in _INTEREST_EVENTS:
            return None
        values = [event.values.get(name) for name in ("market", "collateralToken", "isLong")]
        market, collateral, is_long = values
        value = event.values.get("nextValue")
        if not (isinstance(market, str) and isinstance(collateral, str)):
            raise InputError("BAD_EVENT", f"{event.name} without its market")
        if not isinstance(is_long, bool) or type(value) is not int:
            raise InputError("BAD_EVENT", f"{event.name} without its value")
        key = InterestKey(event.name, market, collateral, is_long)
        place = (log.block, log.index)
        known = self.open_interest.get(key)
        if known is None or place >= known.place:
            self.open_interest[key] = Interest(value, place, log.block_hash)
        return key

    def _retract(self, log: Log, key: InterestKey | None) -> None:
        """The chain took a log back: what it had set is unknown until the next one."""
        known = None if key is None else self.open_interest.get(key)
        if key is not None and known is not None and known.block_hash == log.block_hash:
            del self.open_interest[key]
