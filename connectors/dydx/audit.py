"""Compares books with REST, one at a time: what the socket lost without a trace shows here."""

from collections.abc import Sequence

import orjson

from connectors.base.protocol import Failure, Frame, HttpReply
from connectors.base.session import BaseSession
from connectors.dydx import constants as c
from connectors.dydx import parse
from domain.errors import PerpError
from domain.events import BookAudit
from domain.market import Market

PATH = "/v4/orderbooks/perpetualMarket/"


class AuditSession(BaseSession):
    """A poll session: every interval the next market's REST book. Emits BookAudit only."""

    def __init__(self, markets: Sequence[Market], mono_ns: int) -> None:
        super().__init__()
        self._markets = {PATH + market.symbol: market for market in markets}
        # Another market first each time: one that always fails must not hide those behind it.
        paths = list(self._markets)
        first = mono_ns // c.AUDIT_INTERVAL_NS % max(1, len(paths))
        self._turn = paths[first:] + paths[:first]
        self._next_ns = mono_ns + c.AUDIT_INTERVAL_NS

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        if not isinstance(frame, HttpReply):
            raise TypeError("a poll session takes HTTP replies only")
        market = self._markets[frame.path]
        try:
            bid, ask = parse.best_of(orjson.loads(frame.body), market)
        except (PerpError, KeyError, TypeError, ValueError) as error:
            self._failure = Failure("GARBAGE", f"{frame.path}: {error!r}")
            return
        self._healthy = True
        self._events.append(BookAudit(market.market, bid, ask))

    def advance(self, mono_ns: int) -> None:
        if self._turn and mono_ns >= self._next_ns:
            path = self._turn.pop(0)
            self._turn.append(path)
            self._outgoing.append(path)
            self._next_ns = mono_ns + c.AUDIT_INTERVAL_NS

    def next_deadline_ns(self) -> int:
        return self._next_ns
