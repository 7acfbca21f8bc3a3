"""What the gateway holds of each room: the newest envelope as bytes, and what a client gets that
joins or fell behind. Pure.

``version`` counts the changes of a room here; a ``status`` envelope changes it but not ``seq``.
"""

from collections import deque
from typing import Any, Final, Literal, Protocol

from api.tape import envelopes
from api.tape.envelopes import Blank
from runtime.wire import encode_envelope

Kind = Literal["snapshot", "update"]

TRADES_KEPT: Final = 50
"""Trades in a snapshot."""
TRADE_ENVELOPES_KEPT: Final = 128

_UNPRICED: Final = b'"data":{"bid":null,"bid_venue":null,"bid_size":null,"ask":null,'
"""How the data of a ``price`` envelope without any price begin."""


class Room(Protocol):
    """Common to all rooms."""

    name: str
    seq: int
    version: int
    stream: bool
    """Whether every envelope counts, not only the newest."""

    @property
    def shown(self) -> bytes:
        """The envelope of the last change, as subscribers at full rate get it."""

    def accept(self, seq: int, body: bytes) -> bool:
        """Takes an envelope of the feed; False when it is older than what is known."""

    def snapshot(self, epoch: int, now_us: int) -> bytes:
        """The state as a whole. ``epoch`` and ``now_us`` are those of a room without any."""

    def since(self, version: int) -> bytes:
        """One envelope for everything that changed after ``version``."""

    def catch_up(self) -> bytes:
        """One envelope for who missed any number of them."""


class StateRoom:
    """Every envelope carries the whole state: ``price``, ``ladder`` and ``venues`` rooms."""

    __slots__ = ("_blank", "_priced", "_truth", "name", "seq", "shown", "stale", "version")
    stream = False

    def __init__(self, name: str, blank: Blank) -> None:
        self.name = name
        self.seq = 0
        self.version = 0
        self.stale = False
        self.shown = b""
        self._truth = b""
        self._priced = b""
        self._blank = blank

    def accept(self, seq: int, body: bytes) -> bool:
        # While the room is stale the same seq is news too: it is true again.
        if seq < self.seq or (seq == self.seq and not self.stale):
            return False
        self.seq = seq
        self.stale = False
        self.shown = self._truth = body
        if _UNPRICED not in body:
            self._priced = body
        self.version += 1
        return True

    def go_stale(self, now_us: int) -> bool:
        """False when there was nothing to become stale."""
        if self.stale or not self._truth:
            return False
        self.stale = True
        self.shown = self._blanked(0, now_us)
        self.version += 1
        return True

    @property
    def is_known(self) -> bool:
        """Whether it shows what the feed said last."""
        return not self.stale and bool(self._truth)

    @property
    def is_priced(self) -> bool:
        """Whether a ``price`` room shows a price."""
        return not self.stale and bool(self._truth) and self._truth is self._priced

    @property
    def priced_us(self) -> int | None:
        """When the feed last published a price in a ``price`` room."""
        return envelopes.parse(self._priced).published_us if self._priced else None

    def unpriced(self, epoch: int, now_us: int) -> bytes:
        """What is known of a ``price`` room whose quote is gone. ``epoch``: of a room without
        any."""
        if self.is_priced or not self.shown:
            return self._blanked(epoch, now_us)
        return self.shown

    def snapshot(self, epoch: int, now_us: int) -> bytes:
        return envelopes.as_snapshot(self.shown or self._blanked(epoch, now_us))

    def since(self, version: int) -> bytes:
        del version
        return self.shown

    def catch_up(self) -> bytes:
        return self.shown

    def _blanked(self, epoch: int, now_us: int) -> bytes:
        """The last envelope without what may no longer be true."""
        if not self._truth:
            return envelopes.status(self.name, 0, epoch, now_us, self._blank({}, now_us))
        last = envelopes.parse(self._truth)
        return envelopes.status(
            self.name, last.seq, last.epoch, now_us, self._blank(last.data, now_us)
        )


class TradesRoom:
    """A ``trades`` room: every envelope adds trades, the last ones are kept."""

    __slots__ = ("_kept", "name", "seq", "version")
    stream = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.seq = 0
        self.version = 0
        self._kept: deque[tuple[int, int, bytes]] = deque(maxlen=TRADE_ENVELOPES_KEPT)
        """(version, seq, envelope)"""

    def accept(self, seq: int, body: bytes) -> bool:
        if seq <= self.seq:
            return False
        self.seq = seq
        self.version += 1
        self._kept.append((self.version, seq, body))
        return True

    @property
    def shown(self) -> bytes:
        return self._kept[-1][2]

    def trades(self) -> list[dict[str, Any]]:
        """The last ``TRADES_KEPT``, oldest first."""
        return envelopes.trades_of(body for _, _, body in self._kept)[-TRADES_KEPT:]

    def snapshot(self, epoch: int, now_us: int) -> bytes:
        if not self._kept:
            return encode_envelope("snapshot", self.name, 0, epoch, "status", now_us, now_us, [])
        return self._encode("snapshot", self.trades())

    def since(self, version: int) -> bytes:
        return self._encode(
            "update", envelopes.trades_of(body for at, _, body in self._kept if at > version)
        )

    def catch_up(self) -> bytes:
        return self.snapshot(0, 0)

    def missed(self, seq: int) -> bytes | None:
        """One envelope with all trades after ``seq``; None when not all of them are kept."""
        after = [(at, body) for _, at, body in self._kept if at > seq]
        # A gateway that lost the tape for a moment has holes itself.
        whole = [at for at, _ in after] == list(range(seq + 1, self.seq + 1))
        if not self._kept or seq > self.seq or not whole:
            return None
        return self._encode("update", envelopes.trades_of(body for _, body in after))

    def _encode(self, kind: Kind, trades: list[dict[str, Any]]) -> bytes:
        newest = envelopes.parse(self.shown)
        return encode_envelope(
            kind,
            self.name,
            newest.seq,
            newest.epoch,
            newest.cause,
            newest.received_us,
            newest.published_us,
            trades,
        )
