"""``candles:<market>:<period>`` rooms, each made of the tape's one room a market. Pure."""

from typing import Any, Final

from api.tape import envelopes
from domain.candles import PERIODS
from domain.errors import InputError
from runtime.channels import candles_room, room_market
from runtime.wire import encode_envelope

_NOTHING: Final[dict[str, Any]] = {
    "t": None, "open": None, "high": None, "low": None, "close": None, "ticks": 0, "closed": False,
}  # fmt: skip
"""A candle of which nothing is known yet."""


class CandlesRoom:
    """The newest candle of one period. It has happened: silence of the feed takes nothing back, the
    room only says so. ``stale_us``: since when, or 0."""

    __slots__ = ("_made", "_period", "_raw", "_stale_us", "name", "seq", "version")
    stream = False

    def __init__(self, market: str, period: str, seq: int, raw: bytes, stale_us: int = 0) -> None:
        self.name = candles_room(market, period)
        self.seq = seq
        self.version = 0
        self._period = period
        self._raw = raw
        self._stale_us = stale_us
        self._made: bytes | None = None

    def accept(self, seq: int, body: bytes) -> bool:
        """``body``: of the market's room on the tape."""
        if seq <= self.seq:
            return False
        self.seq = seq
        self.version += 1
        self._raw = body
        self._stale_us = 0
        self._made = None
        return True

    def go_stale(self, now_us: int) -> None:
        """Not of a room that nothing is known of."""
        self._stale_us = now_us
        self.version += 1
        self._made = None

    @property
    def shown(self) -> bytes:
        """Made when it is first asked for: most have nobody who listens."""
        if self._made is None:
            told = envelopes.parse(self._raw)
            data = told.data.get(self._period, _NOTHING)
            if self._stale_us:
                at_us = self._stale_us
                self._made = envelopes.status(self.name, told.seq, told.epoch, at_us, data)
            else:
                self._made = encode_envelope(
                    "update", self.name, told.seq, told.epoch, told.cause,
                    told.received_us, told.published_us, data,
                )  # fmt: skip
        return self._made

    def snapshot(self, epoch: int, now_us: int) -> bytes:
        if not self._raw:
            return encode_envelope(
                "snapshot", self.name, 0, epoch, "status", now_us, now_us, _NOTHING
            )
        return envelopes.as_snapshot(self.shown)

    def since(self, version: int) -> bytes:
        del version
        return self.shown

    def catch_up(self) -> bytes:
        return self.shown


class Candles:
    """All of them, made when they are first asked for."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._stale_us: dict[str, int] = {}
        self._rooms: dict[str, dict[str, CandlesRoom]] = {}

    def accept(self, tape_room: str, seq: int, body: bytes) -> list[CandlesRoom]:
        """The rooms that changed. Raises InputError ``BAD_ENVELOPE``."""
        market = room_market(tape_room)
        if seq <= self._newest.get(market, (0, b""))[0]:
            return []
        self._newest[market] = seq, body
        self._stale_us.pop(market, None)
        rooms = self._rooms.get(market, {}).values()
        return [room for room in rooms if room.accept(seq, body)]

    def go_stale(self, now_us: int) -> list[CandlesRoom]:
        """The rooms that changed."""
        changed: list[CandlesRoom] = []
        for market in [name for name in self._newest if name not in self._stale_us]:
            self._stale_us[market] = now_us
            changed += self._rooms.get(market, {}).values()
        for room in changed:
            room.go_stale(now_us)
        return changed

    def room(self, market: str, period: str) -> CandlesRoom:
        """Raises InputError ``UNKNOWN_ROOM``. The market is known to exist."""
        if period not in PERIODS:
            raise InputError("UNKNOWN_ROOM", f"candles are of {', '.join(PERIODS)}")
        rooms = self._rooms.setdefault(market, {})
        if period not in rooms:
            seq, raw = self._newest.get(market, (0, b""))
            stale_us = self._stale_us.get(market, 0)
            rooms[period] = CandlesRoom(market, period, seq, raw, stale_us)
        return rooms[period]
