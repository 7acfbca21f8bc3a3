"""Rooms whose envelopes carry only the rows that changed: ``prices`` and ``funding``. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from api.tape import envelopes
from api.tape.envelopes import Parsed
from api.tape.rooms import Kind
from runtime.wire import Cause, encode_envelope

Row = dict[str, Any]


class MergedRoom:
    """Rows by market, the newest of each. ``blank``: a row without what may no longer be true."""

    stream = False

    def __init__(self, name: str, blank: Callable[[Row], Row]) -> None:
        self.name = name
        self.seq = 0
        self.version = 0
        self.shown = b""
        self._blank = blank
        self._rows: dict[str, Row] = {}
        self._seqs: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._stale: set[str] = set()
        self._head: tuple[int, Cause, int, int] = (0, "status", 0, 0)
        self._whole: tuple[int, bytes] | None = None

    def accept(self, seq: int, body: bytes) -> bool:
        if seq <= self.seq:
            return False
        envelope = envelopes.parse(body)
        # Rows found in Redis before the tape was first heard were sent without a seq of their own.
        unnumbered = self.seq == 0 and bool(self._rows)
        self.seq = seq
        self._take(envelope, envelope.data)
        self.shown = self._encode("snapshot", list(self._rows)) if unnumbered else body
        return True

    def markets(self) -> list[str]:
        return list(self._rows)

    @property
    def is_known(self) -> bool:
        """Whether there are rows and all of them are what the feed said last."""
        return bool(self._rows) and not self._stale

    def go_stale(self, markets: Iterable[str], epoch: int, now_us: int) -> bool:
        """False when there was nothing to become stale."""
        fresh = [market for market in markets if market in self._rows.keys() - self._stale]
        if not fresh:
            return False
        self._head = epoch, "status", now_us, now_us
        self._change({market: self._rows[market] for market in fresh})
        self._stale.update(fresh)
        self.shown = self._encode("update", fresh)
        return True

    def snapshot(self, epoch: int, now_us: int) -> bytes:
        if not self._rows:
            return encode_envelope("snapshot", self.name, 0, epoch, "status", now_us, now_us, {})
        return self.catch_up()

    def catch_up(self) -> bytes:
        if self._whole is None or self._whole[0] != self.version:
            self._whole = (self.version, self._encode("snapshot", list(self._rows)))
        return self._whole[1]

    def since(self, version: int) -> bytes:
        changed = [market for market, at in self._changed.items() if at > version]
        return self._encode("update", changed)

    def _take(self, head: Parsed, rows: Mapping[str, Row]) -> None:
        """Rows that are true now."""
        self._head = head.epoch, head.cause, head.received_us, head.published_us
        self._change(rows)
        self._seqs.update(dict.fromkeys(rows, head.seq))
        self._stale -= rows.keys()

    def _found(self, head: Parsed, rows: Mapping[str, Row]) -> None:
        """The same of rows that the tape said nothing of."""
        self._take(head, rows)
        self.shown = self._encode("snapshot", list(self._rows))

    def _change(self, rows: Mapping[str, Row]) -> None:
        self.version += 1
        self._rows.update(rows)
        self._changed.update(dict.fromkeys(rows, self.version))

    def _encode(self, kind: Kind, markets: list[str]) -> bytes:
        epoch, cause, received_us, published_us = self._head
        data = {
            market: self._blank(self._rows[market]) if market in self._stale else self._rows[market]
            for market in markets
        }
        return encode_envelope(
            kind, self.name, self.seq, epoch, cause, received_us, published_us, data
        )


class PricesRoom(MergedRoom):
    """The ``prices`` room."""

    def __init__(self, name: str) -> None:
        super().__init__(name, envelopes.blank_board_row)

    def revive(self, quotes: Mapping[str, Parsed]) -> None:
        """Quotes were found to be current although the tape said nothing of them."""
        rows = {}
        for market, quote in quotes.items():
            change_24h = self._rows.get(market, {}).get("change_24h")
            rows[market] = envelopes.board_row(quote.data, change_24h)
        self._found(max(quotes.values(), key=lambda quote: quote.published_us), rows)


class FundingRoom(MergedRoom):
    """The ``funding`` room. While the feed is silent no venue is known to be there."""

    def __init__(self, name: str) -> None:
        super().__init__(name, lambda row: {})

    def rows(self) -> dict[str, Row]:
        """What is true now, by market."""
        return {name: row for name, row in self._rows.items() if name not in self._stale and row}

    def restore(self, share: Parsed) -> bool:
        """Takes rows of a key that are newer, or true again; False when there are none."""
        rows = {
            market: row
            for market, row in share.data.items()
            if market in self._stale or share.seq > self._seqs.get(market, 0)
        }
        if rows:
            self._found(share, rows)
        return bool(rows)
