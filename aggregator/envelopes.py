"""Numbers and encodes what a feed says: for the tape as for the replay of a recording."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from domain.ids import MarketId, VenueId
from domain.quote import BestQuote, Cause, VenueQuote, price_data, venue_data
from runtime import channels
from runtime.wire import Envelope, Stamp, encode_envelope


class VenueParts:
    """What each venue says of one market, as JSON: a change of one leaves the others as they are,
    and a venue may have a dozen pools."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[VenueId, tuple[VenueQuote, orjson.Fragment]] = {}

    def shown(self, quote: VenueQuote) -> orjson.Fragment:
        made = self._made.get(quote.venue)
        # The consolidator keeps the very object where nothing changed.
        if made is None or made[0] is not quote:
            made = quote, orjson.Fragment(orjson.dumps(venue_data(quote)))
            self._made[quote.venue] = made
        return made[1]


class Envelopes:
    """The sequence numbers of one epoch after the other. Reads no clock: ``now_us`` is when an
    envelope is said. ``epoch``: 0 before the first."""

    def __init__(self) -> None:
        self.epoch = 0
        self._seqs: dict[str, int] = {}
        self._parts: defaultdict[MarketId, VenueParts] = defaultdict(VenueParts)

    @property
    def rooms(self) -> int:
        """Of how many rooms something was said in this epoch."""
        return len(self._seqs)

    def begin(self, epoch: int) -> None:
        self.epoch = epoch
        self._seqs.clear()

    def quote(self, best: BestQuote, now_us: int) -> Envelope:
        """The ``price`` envelope."""
        data = price_data(best, self._parts[best.market].shown)
        room = channels.price_room(best.market)
        return self.room(room, best.cause, best.received_us, now_us, data)

    def room(
        self,
        room: str,
        cause: Cause,
        received_us: int,
        now_us: int,
        data: Mapping[str, Any] | Sequence[Any] | orjson.Fragment,
    ) -> Envelope:
        """Any envelope. ``received_us`` 0 means now."""
        seq = self._seqs.get(room, self.epoch << 20) + 1
        self._seqs[room] = seq
        body = encode_envelope(
            "update", room, seq, self.epoch, cause, received_us or now_us, now_us, data
        )
        return Envelope(room, seq, body)

    def ladder(self, market: MarketId, data: bytes, now_us: int) -> Envelope:
        """The ``ladder`` envelope. ``data``: JSON."""
        room = channels.ladder_room(market)
        return self.room(room, "timer", 0, now_us, orjson.Fragment(data))

    def stamp(self, room: str, now_us: int) -> Stamp:
        """Of the envelope that a timer has just made in a room."""
        return Stamp(self._seqs.get(room, 0), self.epoch, "timer", now_us, now_us)
