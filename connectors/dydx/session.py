"""The indexer's WebSocket protocol without the socket: subscriptions, message ids, liveness.

What the ids promise (one counter a connection; a ``subscribed`` may come later than its number; no
sequence of a book at all) decides the rules here: ids that stay missing make every book of the
connection doubtful, ids seen before are dropped, and every book is fetched again from time to time.
Source: dydxprotocol/v4-chain ``indexer/services/socks/src/lib``.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import orjson

from connectors.base.protocol import Failure, Frame
from connectors.base.session import BaseSession
from connectors.dydx import constants as c
from connectors.dydx import parse
from connectors.dydx.rates import FundingTable
from connectors.dydx.subscriptions import Subscription, SubscriptionTable
from domain.errors import PerpError
from domain.events import (
    BookSnapshot,
    Liveness,
    MarketState,
    OraclePrice,
    VenueStatus,
)
from domain.ids import MarketId
from domain.market import Market
from domain.units import normalise_increment, parse_decimal

_MALFORMED: Final = (PerpError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_IN_BRACKETS: Final = re.compile(r"\((v4_[a-z_]+)-(.+)\)")


class DydxSession(BaseSession):
    """One connection: books and trades of ``markets``, and the states of ``states``, which may be
    more (one connection carries them for all).

    Owned by one task. See ``connectors.base.protocol.Session`` for the contract.
    """

    def __init__(self, markets: Iterable[Market], states: Iterable[Market], mono_ns: int) -> None:
        super().__init__()
        self._markets = {market.symbol: market for market in markets}
        self._symbols = {market.market: market.symbol for market in self._markets.values()}
        self._states = {market.symbol: market for market in states}
        self._subs = SubscriptionTable(self._markets, mono_ns, with_markets=bool(self._states))
        self._books = {
            market.symbol: (
                market.market,
                market.tick.parse,
                market.step.parse,
                self._subs.book(market.symbol),
            )
            for market in self._markets.values()
        }
        self._connected = False
        self._opened_ns = mono_ns
        self._expected_id = 0
        self._missing: dict[int, int] = {}
        self._nameless = 0
        self._last_frame_ns = mono_ns
        self._height = -1
        self._height_ns = mono_ns
        self._garbage_ns: deque[int] = deque(maxlen=c.GARBAGE_BUDGET)
        self._oracle: dict[str, str] = {}
        self._funding = FundingTable()
        self._wall_us = 0
        self._live = False

    @property
    def healthy(self) -> bool:
        return self._live and self._height >= 0

    def next_deadline_ns(self) -> int:
        if not self._connected:
            return self._opened_ns + c.GREETING_NS
        deadlines = [self._last_frame_ns + c.SILENT_NS, self._height_ns + c.NO_HEIGHT_NS]
        if self._missing:
            deadlines.append(next(iter(self._missing.values())) + c.HOLE_NS)
        deadlines.append(self._subs.next_deadline_ns())
        return min(deadlines)

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        """One WebSocket message."""
        self._wall_us = wall_us
        self._last_frame_ns = mono_ns
        message = None
        try:
            message = orjson.loads(frame)  # type: ignore[arg-type]  # a reply is malformed here
            message_id = message["message_id"]
            if type(message_id) is not int:
                raise TypeError("message_id is no integer")
            if message_id == self._expected_id:
                self._expected_id = message_id + 1
            elif not self._accept_out_of_order(message_id, mono_ns) and message["type"] != "error":
                # Only errors repeat a number; any other frame was seen and would undo newer ones.
                return
            # The hot path: nine of ten frames are one level of one book.
            if message["type"] == "channel_data" and message["channel"] == "v4_orderbook":
                self._on_book(message["id"], message["contents"], message_id, mono_ns)
            else:
                self._dispatch(message["type"], message, message_id, mono_ns)
        except _MALFORMED:
            self._unreadable(mono_ns, message)

    def _dispatch(self, kind: str, message: dict[str, Any], stamp: int, mono_ns: int) -> None:
        if kind == "channel_data":
            self._on_data(message["channel"], message, (message["contents"],), stamp, mono_ns)
        elif kind == "channel_batch_data":
            self._on_data(message["channel"], message, message["contents"], stamp, mono_ns)
        elif kind == "subscribed":
            self._on_subscribed(message, stamp, mono_ns)
        elif kind == "unsubscribed":
            self._subs.unsubscribed(message["channel"], message.get("id"), mono_ns)
            self._pump(mono_ns)
        elif kind == "connected":
            self._connected = True
            self._pump(mono_ns)
        elif kind == "error":
            self._on_error(message, mono_ns)
        elif type(kind) is not str or "channel" in message:
            raise ValueError("no frame that is known")

    def _accept_out_of_order(self, message_id: int, mono_ns: int) -> bool:
        """False for a frame seen before; a jump ahead remembers what it passed over."""
        if message_id < self._expected_id:
            return self._missing.pop(message_id, None) is not None
        if message_id - self._expected_id > c.MAX_ID_JUMP:
            self._failure = Failure("GAP", f"{message_id - self._expected_id} messages missing")
            return False
        for missing in range(self._expected_id, message_id):
            self._missing[missing] = mono_ns
        self._expected_id = message_id + 1
        return True

    def _on_data(
        self, channel: str, message: dict[str, Any], parts: Any, stamp: int, mono_ns: int
    ) -> None:
        if channel == "v4_orderbook":
            for part in parts:
                self._on_book(message["id"], part, stamp, mono_ns)
        elif channel == "v4_block_height":
            for part in parts:
                self._on_height(parse.height(part["blockHeight"]), mono_ns)
        elif channel == "v4_trades":
            market_id = self._markets[message["id"]].market
            for part in parts:
                self._events.extend(parse.trade(raw, market_id) for raw in part["trades"])
        elif channel == "v4_markets":
            for part in parts:
                self._on_markets(part)
        else:
            raise ValueError("data of a channel that was not asked for")

    def _on_book(self, symbol: str, part: dict[str, Any], stamp: int, mono_ns: int) -> None:
        market_id, price, size, subscription = self._books[symbol]
        if stamp < subscription.stamp:
            # Between a resubscribe and its snapshot the old levels no longer matter.
            if subscription.has_snapshot:
                self._out_of_order(subscription, mono_ns)
            return
        subscription.stamp = stamp
        if not subscription.has_snapshot:
            return
        for side, levels in part.items():
            is_bid = side == "bids"
            if not is_bid and side != "asks":
                continue
            for level in levels:
                if type(level) is not list:  # older servers send objects
                    level = level["price"], level["size"]
                ticks = price(level[0])
                if not ticks:
                    raise ValueError("a level has no positive price")
                self._events.append((market_id, is_bid, ticks, size(level[1]), stamp))

    def _out_of_order(self, book: Subscription, mono_ns: int) -> None:
        """A frame that may undo what a newer one said of the same level: only a snapshot tells."""
        self._doubt(book, "OUT_OF_ORDER")
        self._subs.restart(book, mono_ns)
        self._pump(mono_ns)

    def _on_subscribed(self, message: dict[str, Any], stamp: int, mono_ns: int) -> None:
        channel, contents = message["channel"], message["contents"]
        if self._subs.is_leaving(channel, message.get("id")):
            # The server reads our unsubscribe after it sent this, and then nothing more comes.
            return
        if channel == "v4_orderbook":
            market = self._markets[message["id"]]
            bids, asks = parse.levels(contents, market)
            book = self._subs.book(market.symbol)
            if stamp < book.stamp:
                self._out_of_order(book, mono_ns)
                return
            book.stamp = stamp
            self._events.append(BookSnapshot(market.market, stamp, bids, asks))
        elif channel == "v4_trades":
            market_id = self._markets[message["id"]].market
            recent = contents["trades"][: c.TRADES_IN_SNAPSHOT]
            self._events.extend(parse.trade(raw, market_id) for raw in reversed(recent))
        elif channel == "v4_markets":
            self._on_market_rows(contents["markets"])
        height = parse.height(contents["height"]) if channel == "v4_block_height" else None
        self._subs.subscribed(channel, message.get("id"), mono_ns)
        if height is not None:
            self._on_height(height, mono_ns)
        self._pump(mono_ns)

    def _on_height(self, height: int, mono_ns: int) -> None:
        """A height proves the connection current, if it is a new one. The first of a connection is
        not known to be: an indexer that stands still tells its last one to everybody who comes."""
        if height <= self._height:
            return
        first = self._height < 0
        stalled = not first and mono_ns - self._height_ns > c.HEIGHT_MAX_AGE_NS
        self._height, self._height_ns = height, mono_ns
        if not first:
            self._events.append(Liveness(height))
        if stalled:
            # Whatever held the heights back may have swallowed book updates as well.
            self._resync_all("STALL", "the connection stood still", mono_ns)

    def _on_markets(self, contents: dict[str, Any]) -> None:
        for ticker, raw in contents.get("oraclePrices", {}).items():
            if ticker in self._states:
                at_ms = parse.time_us(raw["effectiveAt"]) // 1000
                self._on_oracle(ticker, raw["oraclePrice"], at_ms)
                self._tell_funding(ticker)
        self._on_market_rows(contents.get("trading", {}))

    def _on_market_rows(self, rows: dict[str, Any]) -> None:
        """Rows of a snapshot or the partial ones of an update; other tickers are not ours."""
        for ticker, raw in rows.items():
            market = self._states.get(ticker)
            if market is None:
                continue
            self._on_oracle(ticker, raw.get("oraclePrice"), None)
            changed = self._scale_changed(market, raw)
            status = parse.market_status(raw["status"]) if "status" in raw else None
            known = self._oracle.get(ticker)
            change = None
            if known is not None and "priceChange24H" in raw:
                change = parse.change_24h(raw["priceChange24H"], known)
            if changed or status is not None or change is not None:
                reason = "SCALE_CHANGED" if changed else raw.get("status")
                trusted = False if changed else None
                self._events.append(MarketState(market.market, status, trusted, reason, change))
            self._funding.take(ticker, raw)
            self._tell_funding(ticker)

    def _tell_funding(self, ticker: str) -> None:
        market_id = self._states[ticker].market
        news = self._funding.news(market_id, ticker, self._oracle.get(ticker), self._wall_us)
        if news is not None:
            self._events.append(news)

    def _on_oracle(self, ticker: str, text: str | None, at_ms: int | None) -> None:
        """None and zero: the market has no price yet."""
        if text is not None and parse_decimal(text)[0]:
            self._oracle[ticker] = text
            market_id = self._states[ticker].market
            self._events.append(OraclePrice(market_id, parse.price_e18(text), at_ms))

    def _scale_changed(self, market: Market, raw: dict[str, Any]) -> bool:
        for name, grid in (("tickSize", market.tick), ("stepSize", market.step)):
            if name in raw and normalise_increment(raw[name]) != grid.increment:
                return True
        return False

    def _on_error(self, message: dict[str, Any], mono_ns: int) -> None:
        text = str(message.get("message", ""))
        if text.startswith(("Too many subscribe attempts", "Rate limited")):
            self._failure = Failure("RATE_LIMITED", text[:200])
            return
        found = _IN_BRACKETS.search(text)
        channel = message.get("channel") or (found.group(1) if found else None)
        symbol = message.get("id") or (found.group(2) if found else None)
        subscription = self._subs.find(channel, symbol)
        if subscription is None:
            # Without a name the request it answers is found by its time running out; the number
            # that was kept for the answer came with the error.
            self._nameless += "could not fetch" in text or "limit reached" in text
            return
        if "already subscribed" in text:
            self._subs.restart(subscription, mono_ns)
        else:
            self._subs.refused(subscription, mono_ns)
            if subscription.channel == "v4_orderbook":
                self._doubt(subscription, "NOT_LISTED" if "Invalid" in text else "NO_SNAPSHOT")
        self._pump(mono_ns)

    def advance(self, mono_ns: int) -> None:
        """Timers: holes, silence, subscriptions to ask again, books to fetch again."""
        if self._failure is not None:
            return
        if not self._connected and mono_ns - self._opened_ns >= c.GREETING_NS:
            self._failure = Failure("NO_GREETING", "no first frame")
        elif mono_ns - self._last_frame_ns >= c.SILENT_NS:
            self._failure = Failure("SILENT", "no frame for 6 s")
        elif mono_ns - self._height_ns >= c.NO_HEIGHT_NS:
            self._failure = Failure("NO_HEIGHT", "no new block for 20 s")
        elif self._hole(mono_ns):
            self._resync_all("GAP", f"{len(self._missing)} messages missing", mono_ns)
        elif self._connected:
            late, lost = self._subs.expire(mono_ns, lossy=bool(self._missing))
            for missing in list(self._missing)[: max(0, lost - self._nameless)]:
                del self._missing[missing]
            if self._nameless:
                left = max(0, self._nameless - lost)
                self._nameless = min(left, self._subs.awaiting_snapshot(mono_ns))
            for subscription in late:
                if subscription.channel == "v4_orderbook" and subscription.has_snapshot:
                    self._doubt(subscription, "NO_SNAPSHOT")
            self._pump(mono_ns)

    def _hole(self, mono_ns: int) -> bool:
        """Whether more ids are overdue than unanswered subscribes may still account for: those that
        were sent before the id was missed."""
        overdue = [since for since in self._missing.values() if mono_ns - since >= c.HOLE_NS]
        return any(
            count > self._subs.awaiting_snapshot(since) - self._nameless
            for count, since in enumerate(overdue, 1)
        )

    def resync(self, market: MarketId, mono_ns: int) -> None:
        """A fresh snapshot of one book; the old one stays in use until it comes or is late."""
        symbol = self._symbols.get(market)
        subscription = self._subs.find("v4_orderbook", symbol)
        if subscription is not None and self._connected:
            self._subs.restart(subscription, mono_ns)
            self._pump(mono_ns)

    def _resync_all(self, code: str, detail: str, mono_ns: int) -> None:
        self._missing.clear()
        self._nameless = 0
        self._live = False
        self._events.append(VenueStatus("resyncing", f"{code}: {detail}"))
        self._subs.restart_all(mono_ns)
        self._pump(mono_ns)

    def _doubt(self, subscription: Subscription, reason: str) -> None:
        subscription.has_snapshot = False
        market = self._markets[subscription.symbol]
        self._events.append(MarketState(market.market, trusted=False, reason=reason))

    def _unreadable(self, mono_ns: int, message: Any) -> None:
        """Counts a frame that cannot be read; what it may have changed is fetched again."""
        if not self._connected:
            # The greeting comes first, so this was it: without one there is nothing to wait for.
            self._failure = Failure("GARBAGE", "the first frame is unreadable")
            return
        self._garbage_ns.append(mono_ns)
        if (
            len(self._garbage_ns) == c.GARBAGE_BUDGET
            and mono_ns - self._garbage_ns[0] < c.GARBAGE_WINDOW_NS
        ):
            self._failure = Failure("GARBAGE", f"{c.GARBAGE_BUDGET} unreadable frames")
            return
        if not isinstance(message, dict) or type(message.get("message_id")) is not int:
            return  # its number will be missed
        subscription = self._subs.find(message.get("channel"), message.get("id"))
        if subscription is None:
            self._resync_all("GARBAGE", "an unreadable frame of an unknown book", mono_ns)
            return
        if subscription.channel == "v4_orderbook":
            self._doubt(subscription, "GARBAGE")
        self._subs.restart(subscription, mono_ns)
        self._pump(mono_ns)

    def _pump(self, mono_ns: int) -> None:
        """After every answer: live if that was the last, and what may be asked for now."""
        if not self._live and self._subs.books_complete():
            self._live = True
            self._events.append(VenueStatus("live"))
        for request in self._subs.requests(mono_ns):
            self._outgoing.append(orjson.dumps(request).decode("ascii"))
