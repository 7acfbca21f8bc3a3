"""All rooms, the markets, and whether the feed is there. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from api.tape import envelopes
from api.tape.candles import Candles
from api.tape.envelopes import Parsed
from api.tape.merged import FundingRoom, PricesRoom
from api.tape.rooms import Room, StateRoom, TradesRoom
from domain.errors import InputError
from runtime.channels import (
    FUNDING_ROOM,
    PRICES_ROOM,
    VENUES_ROOM,
    ladder_room,
    price_room,
    room_kind,
    room_market,
    trades_room,
)
from runtime.wire import Batch, Envelope

NO_MARKETS: Final = "no market is known yet: the feed has named none since the gateway started"


class Board:
    """``silent``: no beat of the feed for too long, or none yet."""

    def __init__(self) -> None:
        self.epoch = 0
        self.feed_us: int | None = None
        self.silent = True
        self.markets: dict[str, dict[str, Any]] | None = None
        self.prices = PricesRoom(PRICES_ROOM)
        self.venues = StateRoom(VENUES_ROOM, envelopes.blank_venues)
        self.funding = FundingRoom(FUNDING_ROOM)
        self._quotes: dict[str, StateRoom] = {}
        self._ladders: dict[str, StateRoom] = {}
        self._trades: dict[str, TradesRoom] = {}
        self._candles = Candles()
        self._markets_raw = b""

    # Rooms

    def find(self, name: str) -> Room:
        """Raises InputError ``UNKNOWN_ROOM``, ``UNKNOWN_MARKET`` or ``FEED_UNAVAILABLE``."""
        kind, market = room_kind(name), room_market(name)
        if name == PRICES_ROOM:
            return self.prices
        if name == VENUES_ROOM:
            return self.venues
        if name == FUNDING_ROOM:
            return self.funding
        if kind == "candles":
            market, _, period = market.rpartition(":")
            if market:
                self.require_market(market)
                return self._candles.room(market, period)
        if ":" in name:
            if kind == "price":
                return self.quote(market)
            if kind == "ladder":
                return self.ladder(market)
            if kind == "trades":
                return self.trades(market)
        raise InputError("UNKNOWN_ROOM", "there is no such room")

    def quote(self, market: str) -> StateRoom:
        """The room of a market. Raises what require_market does."""
        if market not in self._quotes:
            self.require_market(market)
        return self._quote(market)

    def ladder(self, market: str) -> StateRoom:
        """The room of a market. Raises what require_market does."""
        if market not in self._ladders:
            self.require_market(market)
        return self._ladder(market)

    def trades(self, market: str) -> TradesRoom:
        """The room of a market. Raises what require_market does."""
        if market not in self._trades:
            self.require_market(market)
        return self._trade(market)

    def require_market(self, market: str) -> dict[str, Any]:
        """The row of a market. Raises InputError ``UNKNOWN_MARKET``, or ``FEED_UNAVAILABLE`` while
        nobody can tell."""
        if self.markets is None:
            raise InputError("FEED_UNAVAILABLE", NO_MARKETS)
        try:
            return self.markets[market]
        except KeyError:
            raise InputError("UNKNOWN_MARKET", "there is no such market") from None

    def _quote(self, market: str) -> StateRoom:
        room = self._quotes.get(market)
        if room is None:
            room = self._quotes[market] = StateRoom(price_room(market), envelopes.blank_price)
        return room

    def _ladder(self, market: str) -> StateRoom:
        room = self._ladders.get(market)
        if room is None:
            room = self._ladders[market] = StateRoom(ladder_room(market), envelopes.blank_ladder)
        return room

    def _trade(self, market: str) -> TradesRoom:
        room = self._trades.get(market)
        if room is None:
            room = self._trades[market] = TradesRoom(trades_room(market))
        return room

    # From the tape

    def accept_all(self, envelope: Envelope) -> Sequence[Room]:
        """The rooms that changed: candles of a market come for all its periods at once."""
        if room_kind(envelope.room) == "candles":
            return self._candles.accept(envelope.room, envelope.seq, envelope.body)
        room = self.accept(envelope)
        return [] if room is None else [room]

    def accept(self, envelope: Envelope) -> Room | None:
        """The room that changed; None for old news and for rooms of a newer feed."""
        kind, market = room_kind(envelope.room), room_market(envelope.room)
        room: Room
        if kind == "price":
            room = self._quote(market)
        elif kind == "ladder":
            room = self._ladder(market)
        elif kind == "trades":
            room = self._trade(market)
        elif envelope.room == FUNDING_ROOM:
            room = self.funding
        elif envelope.room == PRICES_ROOM:
            room = self.prices
        elif envelope.room == VENUES_ROOM:
            room = self.venues
        else:
            return None
        return room if room.accept(envelope.seq, envelope.body) else None

    # From Redis

    def take_markets(self, raw: bytes) -> None:
        """The rows of ``GET /v1/markets``. Raises InputError ``BAD_MARKETS``."""
        if raw == self._markets_raw:
            return
        try:
            self.markets = {row["market"]: row for row in orjson.loads(raw)}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("BAD_MARKETS", f"not market rows: {error!r}") from None
        self._markets_raw = raw

    def known_markets(self) -> list[str]:
        return sorted(self._quotes.keys() | (self.markets or {}).keys())

    def unknown_ladders(self) -> list[str]:
        """Markets whose ladder only its key can tell."""
        return [name for name in self.known_markets() if not self._ladder(name).is_known]

    @property
    def has_stale(self) -> bool:
        return self.venues.stale or any(room.stale for room in self._quotes.values())

    def restore(
        self,
        quotes: Mapping[str, bytes | None],
        venues: bytes | None,
        unpriced: Batch | None,
        *,
        missed: bool,
        now_us: int,
    ) -> list[Room]:
        """Takes what Redis holds where it is newer, or where a stale room is true again.

        ``quotes``: every known market, None where its key is gone. ``missed``: the tape may have
        said so unheard, then a price without its key is stale. ``unpriced``: why markets have no
        price. Returns the rooms that changed.
        Raises InputError ``BAD_ENVELOPE``.
        """
        changed: list[Room] = []
        if unpriced is not None and unpriced.epoch >= self.epoch:
            accepted = (self.accept(envelope) for envelope in unpriced.envelopes)
            changed += [room for room in accepted if room is not None]
        revived: dict[str, Parsed] = {}
        gone: list[str] = []
        for market, body in quotes.items():
            room = self._quote(market)
            if body is None:
                if missed and room.is_priced and room.go_stale(now_us):
                    changed.append(room)
                    gone.append(market)
                continue
            quote = envelopes.parse(body)
            if quote.epoch >= self.epoch and room.accept(quote.seq, body):
                changed.append(room)
                revived[market] = quote
        if self.prices.go_stale(gone, self.epoch, now_us):
            changed.append(self.prices)
        if revived:
            self.prices.revive(revived)
            changed.append(self.prices)
        if venues is not None:
            state = envelopes.parse(venues)
            if state.epoch >= self.epoch and self.venues.accept(state.seq, venues):
                changed.append(self.venues)
        return changed

    def restore_later(self, ladders: Mapping[str, bytes], funding: Sequence[bytes]) -> list[Room]:
        """The same for what the feed seldom says again. ``ladders``: of markets whose key is there.
        Raises InputError ``BAD_ENVELOPE``."""
        changed: list[Room] = []
        for market, body in ladders.items():
            ladder, room = envelopes.parse(body), self._ladder(market)
            if ladder.epoch >= self.epoch and room.accept(ladder.seq, body):
                changed.append(room)
        for body in funding:
            share = envelopes.parse(body)
            if share.epoch >= self.epoch and self.funding.restore(share):
                changed.append(self.funding)
        return changed

    # Without the feed

    def go_stale(self, now_us: int) -> list[Room]:
        """Marks every room; returns those that changed. Trades have happened and stay."""
        priced = (*self._quotes.values(), *self._ladders.values())
        changed: list[Room] = [room for room in priced if room.go_stale(now_us)]
        changed += self._candles.go_stale(now_us)
        if self.funding.go_stale(self.funding.markets(), self.epoch, now_us):
            changed.append(self.funding)
        if self.prices.go_stale(self.prices.markets(), self.epoch, now_us):
            changed.append(self.prices)
        if self.venues.go_stale(now_us):
            changed.append(self.venues)
        return changed
