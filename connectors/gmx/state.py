"""What the sources of one connector know together. Pure; owned by one event loop.

It outlives connections: a poll that starts anew quotes at once with what another one knows, and a
log subscription goes on where the last one ended.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.base.economics import PoolDepth
from connectors.gmx import constants as c
from connectors.gmx import eventlog
from connectors.gmx.depth import IndexToken, PoolBook
from connectors.gmx.economics.opened import PoolToken
from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.parse import PoolInfo
from domain.errors import InputError
from domain.ids import MarketId
from domain.market import MarketStatus
from domain.units import parse_decimal, power10

_USD_DECIMALS: Final = 30
_INTEREST_EVENTS: Final = ("OpenInterestUpdated", "OpenInterestInTokensUpdated")


@dataclass(frozen=True, slots=True)
class Listing:
    """A market and its pools. ``token``: address of the index token in lower case; ``pools``:
    checksummed market tokens; ``day_symbol``: its name in ``/prices/24h``, None if ambiguous;
    ``min_size_usd``, ``min_collateral_usd``: of a position, decimal strings, None where unknown.
    ``symbol``: of the index token; ``tokens``: what its pools consist of, as far as it is known."""

    market: MarketId
    token: str
    decimals: int
    day_symbol: str | None
    pools: tuple[str, ...]
    min_size_usd: str | None = None
    min_collateral_usd: str | None = None
    symbol: str | None = None
    tokens: tuple[PoolToken, ...] = ()


class GmxState:
    """Listings, what the pools still take and can be priced with, and the mirror of the contracts'
    events. ``doubted``: markets whose price is not believed at present."""

    def __init__(self) -> None:
        self.listings: Mapping[MarketId, Listing] = {}
        self.by_pool: Mapping[str, Listing] = {}
        self.mirror = LogMirror()
        self.book = PoolBook()
        self._index_tokens: Mapping[MarketId, IndexToken] = {}
        self.doubted: set[MarketId] = set()
        self._infos: dict[str, PoolInfo] = {}
        self._infos_ns = 0
        self._lists = 0
        self._prices: dict[MarketId, int] = {}
        self._jumps: dict[MarketId, int] = {}

    def list_markets(self, listings: Iterable[Listing]) -> None:
        """Replaces what is listed; what is known of pools that are gone is forgotten."""
        self.listings = {listing.market: listing for listing in listings}
        self.by_pool = {
            pool.lower(): item for item in self.listings.values() for pool in item.pools
        }
        listed = {pool for item in self.listings.values() for pool in item.pools}
        self._infos = {pool: info for pool, info in self._infos.items() if pool in listed}
        self._index_tokens = {
            name: IndexToken(
                item.token,
                item.decimals,
                _usd_e30(item.min_size_usd or "0"),
                None if item.min_collateral_usd is None else _usd_e30(item.min_collateral_usd),
                item.symbol,
                item.tokens,
            )
            for name, item in self.listings.items()
        }
        self.book.keep(self.by_pool)
        self.doubted &= self.listings.keys()
        self._lists += 1
        self._prices = {name: at for name, at in self._prices.items() if name in self.listings}

    def believes(self, market: MarketId, price_e18: int) -> bool:
        """False for a price a power of ten away from the last that was believed. The tickers do not
        say in which decimals they are, the list does: a price in others must wait for it. Where a
        list that was asked for after the jump says the same as before, it is the price."""
        last = self._prices.get(market, price_e18)
        near = last < 5 * price_e18 and price_e18 < 5 * last
        # The first list to come may have been asked for before.
        if (
            not near
            and _other_scale(last, price_e18)
            and self._lists < self._jumps.setdefault(market, self._lists) + 2
        ):
            return False
        if self._jumps:
            self._jumps.pop(market, None)
        self._prices[market] = price_e18
        return True

    def learn(self, infos: Mapping[str, PoolInfo], mono_ns: int) -> None:
        """Takes over a good answer, by market token in lower case. A listed pool that it leaves
        out stays as open as it was, with unknown liquidity."""
        learnt: dict[str, PoolInfo] = {}
        for listing in self.listings.values():
            for pool in listing.pools:
                known, info = self._infos.get(pool), infos.get(pool.lower())
                if info is not None:
                    learnt[pool] = info
                elif known is not None:
                    learnt[pool] = PoolInfo(known.disabled, None, None)
        self._infos, self._infos_ns = learnt, mono_ns

    def pools(self, mono_ns: int) -> Mapping[str, PoolInfo]:
        """What is known now of listed pools. One that is left out was never heard of, and nothing
        says that it is disabled."""
        if mono_ns - self._infos_ns <= c.INFO_MAX_AGE_NS:
            return self._infos
        return {pool: PoolInfo(info.disabled, None, None) for pool, info in self._infos.items()}

    def depth(self, market: MarketId, mono_ns: int) -> Sequence[PoolDepth]:
        """Those pools of a market that can be priced now."""
        listing = self.listings.get(market)
        if listing is None or market in self.doubted:
            return ()
        found = []
        index = self._index_tokens[market]
        for pool in listing.pools:
            info = self._infos.get(pool)
            if info is None or not info.disabled:
                inputs = self.book.inputs(pool.lower(), index, mono_ns)
                if inputs is not None:
                    found.append(PoolDepth(pool, inputs, *inputs.fixed))
        return found

    def status(self, listing: Listing) -> MarketStatus:
        """``halted`` where every pool is disabled."""
        infos = (self._infos.get(pool) for pool in listing.pools)
        return "halted" if all(info is not None and info.disabled for info in infos) else "open"


def _usd_e30(text: str) -> int:
    digits, places = parse_decimal(text)
    return digits * power10(_USD_DECIMALS - places)


def _other_scale(one_e18: int, other_e18: int) -> bool:
    """Whether the one is 10, 100, ... times the other, give or take a tenth."""
    scaled, high = sorted((one_e18, other_e18))
    while 5 * scaled < high:
        scaled *= 10
    return abs(high - scaled) * 10 < high


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

    def take(self, log: Log) -> GmxEvent | None:
        """A log, live or replayed; the event that it newly tells. One that was taken already
        changes nothing."""
        identity = (log.block_hash, log.index)
        if log.removed:
            self._retract(log, self._seen.pop(identity, None))
            return None
        if identity in self._seen:
            return None
        event = None
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
        return event

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
