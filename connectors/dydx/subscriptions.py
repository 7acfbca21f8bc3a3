"""Which subscriptions a connection holds, which it waits for and which may be asked for now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from connectors.dydx import constants as c
from connectors.dydx.messages import Channel, Request

_FAR_NS: Final = 2**63


class _Phase(Enum):
    IDLE = auto()  # not subscribed; to be asked for at ``retry_ns``
    ASKED = auto()  # subscribe sent
    ON = auto()  # snapshot received
    LEAVE = auto()  # to be unsubscribed, then asked for again
    LEAVING = auto()  # unsubscribe sent


@dataclass(slots=True)
class Subscription:
    """One (channel, symbol); the symbol is empty where the channel has no id.

    ``has_snapshot``: the levels seen so far are a book; ``stamp``: the newest message of it;
    ``late_ns``: when a replacement that is under way has taken too long to keep using them.
    """

    channel: Channel
    symbol: str
    retry_ns: int
    phase: _Phase = _Phase.IDLE
    has_snapshot: bool = False
    stamp: int = -1
    refused: bool = False
    timeout_ns: int = c.SUBSCRIBE_TIMEOUT_NS
    sent_ns: int = 0
    subscribed_ns: int = -_FAR_NS
    late_ns: int = _FAR_NS
    renew_ns: int = _FAR_NS
    first_renewal: bool = True

    def request(self, kind: str) -> Request:
        request: Request = {
            "type": "subscribe" if kind == "subscribe" else "unsubscribe",
            "channel": self.channel,
        }
        if self.symbol:
            request["id"] = self.symbol
        if kind == "subscribe":
            request["batched"] = False
        return request


class SubscriptionTable:
    """All subscriptions of one connection, in the order they are asked for: liveness, market
    states, books, trades. At most ``SUBSCRIBES_IN_FLIGHT`` requests are unanswered at a time."""

    def __init__(self, symbols: Iterable[str], mono_ns: int, *, with_markets: bool) -> None:
        names = list(symbols)
        if len(names) > c.SUBSCRIPTIONS_PER_CHANNEL:
            raise ValueError(f"more than {c.SUBSCRIPTIONS_PER_CHANNEL} books on one connection")
        wanted: list[tuple[Channel, str]] = [("v4_block_height", "")]
        if with_markets:
            wanted.append(("v4_markets", ""))
        wanted += [("v4_orderbook", symbol) for symbol in names]
        wanted += [("v4_trades", symbol) for symbol in names]
        self._table: dict[tuple[str, str], Subscription] = {
            key: Subscription(key[0], key[1], mono_ns) for key in wanted
        }
        self._books = [s for s in self._table.values() if s.channel == "v4_orderbook"]
        # Known while nothing changes. ``leaves``: something is to be left as soon as that may be.
        self._nearest_ns: int | None = None
        self._leaves = False

    def find(self, channel: object, symbol: object) -> Subscription | None:
        if not isinstance(channel, str):
            return None
        if channel in ("v4_markets", "v4_block_height"):
            return self._table.get((channel, ""))
        return self._table.get((channel, symbol)) if isinstance(symbol, str) else None

    def book(self, symbol: str) -> Subscription:
        return self._table["v4_orderbook", symbol]

    def books_complete(self) -> bool:
        """Every book the venue did not refuse has its snapshot."""
        return all(book.has_snapshot or book.refused for book in self._books)

    def awaiting_snapshot(self, sent_until_ns: int) -> int:
        """Subscribes whose answer, and so the number reserved for it, is still to come."""
        return sum(
            s.phase is _Phase.ASKED and s.sent_ns <= sent_until_ns for s in self._table.values()
        )

    def is_leaving(self, channel: object, symbol: object) -> bool:
        """Whether an unsubscribe was sent that is not answered yet."""
        found = self.find(channel, symbol)
        return found is not None and found.phase is _Phase.LEAVING

    def subscribed(self, channel: str, symbol: object, mono_ns: int) -> None:
        found = self.find(channel, symbol)
        if found is None:
            return
        self._nearest_ns = None
        found.phase = _Phase.ON
        found.refused = False
        found.timeout_ns = c.SUBSCRIBE_TIMEOUT_NS
        found.late_ns = _FAR_NS
        if found.channel == "v4_orderbook":
            found.has_snapshot = True
            found.renew_ns = mono_ns + self._renewal_ns(found)

    def _renewal_ns(self, book: Subscription) -> int:
        """Renewals of a connection's books are spread over the second half of the first period."""
        if not book.first_renewal:
            return c.RESNAPSHOT_NS
        book.first_renewal = False
        share = self._books.index(book) / len(self._books)
        return int(c.RESNAPSHOT_NS * (1 + share) / 2)

    def unsubscribed(self, channel: str, symbol: object, mono_ns: int) -> None:
        found = self.find(channel, symbol)
        if found is not None and found.phase is _Phase.LEAVING:
            self._nearest_ns = None
            found.phase = _Phase.IDLE
            found.retry_ns = mono_ns

    def restart(self, subscription: Subscription, mono_ns: int) -> None:
        """Leaves and asks again; a no-op where that is under way."""
        if subscription.phase in (_Phase.ON, _Phase.ASKED):
            self._nearest_ns = None
            subscription.phase = _Phase.LEAVE
            subscription.late_ns = mono_ns + c.RESNAPSHOT_LATE_NS

    def restart_all(self, mono_ns: int) -> None:
        """Every book, and what is unanswered: nobody waits for its number any more."""
        for item in self._table.values():
            if item.channel == "v4_orderbook":
                item.has_snapshot = False
                self.restart(item, mono_ns)
            elif item.phase is _Phase.ASKED:
                self.restart(item, mono_ns)

    def refused(self, subscription: Subscription, mono_ns: int) -> None:
        """The venue said no: not subscribed; asked again later and later."""
        self._nearest_ns = None
        subscription.phase = _Phase.IDLE
        subscription.refused = True
        subscription.retry_ns = mono_ns + subscription.timeout_ns
        self._double_timeout(subscription)

    def expire(self, mono_ns: int, *, lossy: bool) -> tuple[list[Subscription], int]:
        """Gives up waiting where the time is over. ``lossy``: messages are known to be missing.

        Returns the books whose replacement is late and the number of subscribes that were never
        answered: each of them accounts for one missing message id.
        """
        lost = 0
        late: list[Subscription] = []
        if self._is_idle(mono_ns):
            return late, lost
        self._nearest_ns = None
        for item in self._table.values():
            if item.phase is _Phase.ASKED and mono_ns - item.sent_ns >= item.timeout_ns:
                lost += 1
                if not lossy:
                    self._double_timeout(item)
                # Whether the server counts us as subscribed is unknown, so leave first.
                item.phase = _Phase.LEAVE
            elif item.phase is _Phase.LEAVING and mono_ns - item.sent_ns >= item.timeout_ns:
                item.phase = _Phase.IDLE
                item.retry_ns = mono_ns
            if mono_ns >= item.late_ns:
                item.late_ns = _FAR_NS
                late.append(item)
        return late, lost

    @staticmethod
    def _double_timeout(item: Subscription) -> None:
        item.timeout_ns = min(2 * item.timeout_ns, c.SUBSCRIBE_TIMEOUT_CAP_NS)

    def requests(self, mono_ns: int) -> Iterator[Request]:
        """What may be sent now; the table assumes that it is."""
        if self._is_idle(mono_ns):
            return
        self._nearest_ns = None
        self._renew_one(mono_ns)
        free = c.SUBSCRIBES_IN_FLIGHT - self._in_flight()
        for item in self._table.values():
            if free <= 0:
                return
            if item.phase is _Phase.LEAVE:
                item.phase = _Phase.LEAVING
                kind = "unsubscribe"
            elif item.phase is _Phase.IDLE and mono_ns >= self._ready_ns(item):
                item.phase = _Phase.ASKED
                item.subscribed_ns = mono_ns
                kind = "subscribe"
            else:
                continue
            item.sent_ns = mono_ns
            free -= 1
            yield item.request(kind)

    def _in_flight(self) -> int:
        return sum(s.phase in (_Phase.ASKED, _Phase.LEAVING) for s in self._table.values())

    @staticmethod
    def _ready_ns(item: Subscription) -> int:
        return max(item.retry_ns, item.subscribed_ns + c.SUBSCRIBE_SPACING_NS)

    def _renew_one(self, mono_ns: int) -> None:
        """Starts the most overdue renewal; one at a time, so that it takes the least time."""
        if any(book.has_snapshot and book.phase is not _Phase.ON for book in self._books):
            return
        ready = [b for b in self._books if b.phase is _Phase.ON and mono_ns >= b.renew_ns]
        if ready:
            due = min(ready, key=lambda book: book.renew_ns)
            due.renew_ns = _FAR_NS
            self.restart(due, mono_ns)

    def next_deadline_ns(self) -> int:
        """When ``expire`` or ``requests`` may have something to do."""
        if self._nearest_ns is None:
            self._nearest_ns = self._find_nearest_ns()
        return self._nearest_ns

    def _is_idle(self, mono_ns: int) -> bool:
        """Whether neither of them has anything to do. A timer is far more often idle than not."""
        return mono_ns < self.next_deadline_ns() and not self._leaves

    def _find_nearest_ns(self) -> int:
        nearest = _FAR_NS
        self._leaves = False
        for item in self._table.values():
            if item.phase in (_Phase.ASKED, _Phase.LEAVING):
                nearest = min(nearest, item.sent_ns + item.timeout_ns, item.late_ns)
            elif item.phase is _Phase.IDLE:
                nearest = min(nearest, self._ready_ns(item), item.late_ns)
            else:
                nearest = min(nearest, item.renew_ns, item.late_ns)
                self._leaves |= item.phase is _Phase.LEAVE
        return nearest
