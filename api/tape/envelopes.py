"""Envelopes the gateway makes itself: snapshots, and the status that a room is stale. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from domain.errors import InputError
from domain.ladder import SIZES_USD, ladder_data
from runtime.clock import iso_ms
from runtime.wire import Cause, encode_envelope

FEED_SILENT: Final = "FEED_SILENT"

_UPDATE: Final = b'{"type":"update"'
_SNAPSHOT: Final = b'{"type":"snapshot"'

Blank = Callable[[Mapping[str, Any], int], Mapping[str, Any]]
"""(data, now_us) -> the same data without anything that may no longer be true."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An envelope of the feed. ``data`` is an array in ``trades`` rooms, else an object."""

    seq: int
    epoch: int
    cause: Cause
    received_us: int
    published_us: int
    data: Any


def parse(body: bytes) -> Parsed:
    """Raises InputError ``BAD_ENVELOPE``."""
    try:
        raw = orjson.loads(body)
        return Parsed(
            raw["seq"],
            raw["epoch"],
            cast(Cause, raw["cause"]),
            raw["received_us"],
            raw["published_us"],
            raw["data"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("BAD_ENVELOPE", f"not an envelope: {error!r}") from None


def as_snapshot(body: bytes) -> bytes:
    """The same envelope as the first of a subscription, without parsing it."""
    return _SNAPSHOT + body[len(_UPDATE) :] if body.startswith(_UPDATE) else body


def status(room: str, seq: int, epoch: int, now_us: int, data: Mapping[str, Any]) -> bytes:
    """Says that the room is stale. It repeats the last ``seq``: the feed, which stamps them, is not
    there to give another."""
    return encode_envelope("update", room, seq, epoch, "status", now_us, now_us, data)


def blank_price(data: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """Data of a ``price`` room without any price; of no data, that of a market never quoted."""
    del now_us
    venues = {venue: _blank_venue(row) for venue, row in data.get("venues", {}).items()}
    return {
        "bid": None,
        "bid_venue": None,
        "bid_size": None,
        "ask": None,
        "ask_venue": None,
        "ask_size": None,
        "mid": None,
        "spread_bps": None,
        "crossed": False,
        "quality": {
            "venues": 0,
            "excluded": [{"venue": venue, "reason": FEED_SILENT} for venue in venues],
            "disagree": False,
            "confidence_bps": None,
            "age_ms": {},
        },
        "venues": venues,
    }


def _blank_venue(row: Mapping[str, Any]) -> dict[str, Any]:
    blank = {**row, "bid": None, "ask": None, "state": "stale"}
    if "pools" in row:
        blank |= {"pool": None, "pools": []}
    return blank


def blank_board_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the ``prices`` room without any price."""
    return {
        "bid": None,
        "ask": None,
        "bid_venue": None,
        "ask_venue": None,
        "spread_bps": None,
        "crossed": False,
        "change_24h": row.get("change_24h"),
    }


def board_row(price: Mapping[str, Any], change_24h: float | None) -> dict[str, Any]:
    """A row of the ``prices`` room from the data of a ``price`` room."""
    return {
        "bid": price["bid"],
        "ask": price["ask"],
        "bid_venue": price["bid_venue"],
        "ask_venue": price["ask_venue"],
        "spread_bps": price["spread_bps"],
        "crossed": price["crossed"],
        "change_24h": change_24h,
    }


def blank_ladder(data: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """Data of a ``ladder`` room without any price; of no data, that of a market never priced."""
    del now_us
    sizes = data.get("sizes") or [str(size) for size in SIZES_USD]
    listed = (*data.get("buy", ()), *data.get("excluded", ()))
    venues = dict.fromkeys(row["venue"] for row in listed)
    excluded = [{"venue": venue, "reason": FEED_SILENT} for venue in venues]
    nothing: list[None] = [None] * len(sizes)
    return ladder_data(sizes, ([], []), (nothing, nothing), None, excluded)


def blank_venues(data: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """Data of the ``venues`` room when nobody watches the venues any more."""
    since = iso_ms(now_us)
    return {
        venue: {**row, "state": "stale", "reason": FEED_SILENT, "since": since}
        for venue, row in data.items()
    }


def trades_of(bodies: Iterable[bytes]) -> list[dict[str, Any]]:
    """All trades of these ``trades`` envelopes, in order."""
    return [trade for body in bodies for trade in orjson.loads(body)["data"]]
