"""Polls of the keeper service without the network: prices, what pools still take, day changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from connectors.base.protocol import Decoded, Failure, Frame, HttpReply
from connectors.base.session import BaseSession
from connectors.gmx import constants as c
from connectors.gmx import parse
from connectors.gmx.parse import PoolInfo, Ticker
from connectors.gmx.state import GmxState, Listing
from domain.events import Liveness, MarketState, PoolQuote, VenueStatus
from domain.ids import MarketId
from domain.market import Market, MarketStatus

Blame: TypeAlias = Callable[[int], None]
"""(mono_ns): the host that answered last is of no use; another one is asked next."""

_UNHEARD: Final = PoolInfo(disabled=False, long_usd_e30=None, short_usd_e30=None)


class PollSession(BaseSession):
    """One path, asked for again and again. An answer that cannot be read changes nothing: what is
    known grows old by itself, and the next answer comes from another host. ``decode``: reads the
    body that ``_read`` takes; raises one of ``parse.MALFORMED``."""

    decode: Callable[[bytes], Any] = staticmethod(parse.json_body)

    def __init__(self, path: str, every_ns: int, blame: Blame, mono_ns: int) -> None:
        super().__init__()
        self._path = path
        self._every_ns = every_ns
        self._blame = blame
        self._next_ns = mono_ns
        self._garbage = 0

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        """The answer to a poll."""
        if not isinstance(frame, HttpReply | Decoded):
            raise TypeError("a poll session takes HTTP replies only")
        try:
            body = self.decode(frame.body) if isinstance(frame, HttpReply) else frame.get()
            self._read(body, wall_us, mono_ns)
        except parse.MALFORMED as error:
            self._healthy = False
            self._garbage += 1
            self._blame(mono_ns)
            if self._garbage >= c.GARBAGE_BUDGET:
                self._failure = Failure("GARBAGE", f"{self._path:.60}: {error!r:.200}")
            return
        self._healthy = True
        self._garbage = 0

    def _read(self, body: Any, wall_us: int, mono_ns: int) -> None:
        """Reads a body. Raises one of ``parse.MALFORMED`` before anything was changed."""
        raise NotImplementedError

    def advance(self, mono_ns: int) -> None:
        if mono_ns >= self._next_ns:
            self._outgoing.append(self._path)
            self._next_ns = mono_ns + self._every_ns

    def next_deadline_ns(self) -> int:
        return self._next_ns


class TickersSession(PollSession):
    """Prices of ``markets``: a quote for every pool, said again where something changed.

    ``dropped``: answers older than one before, from a host that lags.
    """

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.TICKERS_PATH, c.TICKERS_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)
        self._said: dict[MarketId, dict[str, PoolQuote]] = {}
        self._doubts: dict[MarketId, str] = {}
        self._newest_s = 0
        self.dropped = 0

    def resync(self, market: MarketId, mono_ns: int) -> None:
        """The next answer tells the market again."""
        self._said.pop(market, None)
        self._doubts.pop(market, None)

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        tickers = parse.tickers(body, wall_us)
        newest_s = max([ticker.time_s for ticker in tickers.values() if ticker is not None])
        if newest_s < self._newest_s:
            self.dropped += 1
            return
        age_us = wall_us - newest_s * 1_000_000
        if age_us > c.TICKER_LAG_US:
            self._blame(mono_ns)
        if not self._newest_s:
            self._events.append(VenueStatus("live"))
        self._newest_s = newest_s
        self._state.book.learn_tickers(tickers, wall_us, mono_ns)
        if age_us <= c.TICKER_MAX_AGE_US:
            self._events.append(Liveness())
        oldest_s = -(-(wall_us - c.TICKER_MAX_AGE_US) // 1_000_000)
        listings, infos = self._state.listings, self._state.pools(mono_ns)
        for market in self._markets:
            listing = listings.get(market)
            if listing is None:
                continue
            ticker = tickers.get(listing.token)
            if ticker is None:
                self._doubt(market, "GARBAGE" if listing.token in tickers else "NO_TICKER")
            elif ticker.time_s < oldest_s:
                self._doubt(market, "TICKER_STALE")
            else:
                self._quote(listing, ticker, infos)

    def _doubt(self, market: MarketId, reason: str) -> None:
        """Takes a market out, once, until it is quoted again."""
        self._said.pop(market, None)
        self._state.doubted.add(market)
        if self._doubts.get(market) != reason:
            self._doubts[market] = reason
            self._events.append(MarketState(market, trusted=False, reason=reason))

    def _quote(self, listing: Listing, ticker: Ticker, infos: Mapping[str, PoolInfo]) -> None:
        market, pools, time_ms = listing.market, listing.pools, ticker.time_s * 1000
        bid = parse.bid_e18(ticker.min_price, listing.decimals)
        ask = parse.ask_e18(ticker.max_price, listing.decimals)
        if not bid:
            self._doubt(market, "GARBAGE")
            return
        if not self._state.believes(market, bid):
            self._doubt(market, "SCALE_CHANGED")
            return
        if market in self._doubts:
            del self._doubts[market]
        self._state.doubted.discard(market)
        said = self._said.get(market)
        if said is None:
            said = self._said[market] = {}
        for pool in pools:
            quote = _quoted(market, pool, bid, ask, infos.get(pool, _UNHEARD), time_ms)
            known = said.get(pool)
            # Nearly every price is new, and then the rest need not be compared.
            if known is None or known.bid_e18 != quote.bid_e18 or known != quote:
                said[pool] = quote
                self._events.append(quote)
        if len(said) > len(pools):
            for pool in [pool for pool in said if pool not in pools]:
                del said[pool]
                self._events.append(_closed(market, pool, time_ms))


def _quoted(
    market: MarketId, pool: str, bid: int, ask: int, info: PoolInfo, time_ms: int
) -> PoolQuote:
    """A side without any liquidity has no price: nobody could open a position at it."""
    if info.disabled:
        return _closed(market, pool, time_ms)
    long_usd, short_usd = info.long_usd_e30, info.short_usd_e30
    bid_size = None if short_usd is None else parse.size(short_usd, bid)
    ask_size = None if long_usd is None else parse.size(long_usd, ask)
    if bid_size != "0" and ask_size != "0":
        # Half the time of calling the class, for nearly all of a hundred and more.
        return tuple.__new__(PoolQuote, (market, pool, bid, ask, bid_size, ask_size, time_ms))
    return PoolQuote(
        market,
        pool,
        None if bid_size == "0" else bid,
        None if ask_size == "0" else ask,
        None if bid_size == "0" else bid_size,
        None if ask_size == "0" else ask_size,
        time_ms,
    )


def _closed(market: MarketId, pool: str, time_ms: int) -> PoolQuote:
    return PoolQuote(market, pool, None, None, None, None, time_ms)


class InfoSession(PollSession):
    """Liquidity and switches of every pool into the state; tells which of ``markets`` are halted.
    The quotes follow with the next tickers."""

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.INFO_PATH, c.INFO_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)
        self._said: dict[MarketId, MarketStatus] = {}

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        self._state.learn(parse.pool_infos(body), mono_ns)
        for market in self._markets:
            listing = self._state.listings.get(market)
            if listing is None:
                continue
            status = self._state.status(listing)
            if self._said.get(market) != status:
                self._said[market] = status
                reason = "DISABLED" if status == "halted" else None
                self._events.append(MarketState(market, status, reason=reason))


class DaySession(PollSession):
    """Change of a day of ``markets``."""

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.DAY_PATH, c.DAY_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        changes = parse.day_changes(body)
        for market in self._markets:
            listing = self._state.listings.get(market)
            symbol = None if listing is None else listing.day_symbol
            if symbol is not None and symbol in changes:
                self._events.append(MarketState(market, change_24h=changes[symbol]))
