"""Bytes that pass between roles: envelopes and tape batches.

A batch is one JSON document, laid out so that a reader can cut the envelopes out of it unparsed:
``{"epoch":E,"feed_us":T,"index":[[room,seq,length],..],"envelopes":[{..},{..}]}``. ``length``
counts the bytes of the envelope at the same position; envelopes are separated by one comma. A
beat is a batch without envelopes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import orjson

from domain.candles import Candle
from domain.units import format_e18
from runtime.clock import iso_ms

Cause = Literal["frame", "timer", "status"]

DEPTH_VERSION: Final = 2

_ENVELOPES: Final = b',"envelopes":['

# Most candles of a market have prices in common.
_price: Final = lru_cache(maxsize=8192)(format_e18)


class Envelope(NamedTuple):
    """One message of a room: its name, its ``seq`` and its JSON bytes."""

    room: str
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an envelope says of itself beside its data. Times as in the envelope."""

    seq: int
    epoch: int
    cause: Cause
    received_us: int
    published_us: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one tape message holds. ``feed_us``: when the feed sent it."""

    epoch: int
    feed_us: int
    envelopes: tuple[Envelope, ...]


def encode_envelope(
    kind: Literal["snapshot", "update"],
    room: str,
    seq: int,
    epoch: int,
    cause: Cause,
    received_us: int,
    published_us: int,
    data: Mapping[str, Any] | Sequence[Any] | orjson.Fragment,
) -> bytes:
    """The envelope every room sends, fields in the published order."""
    return orjson.dumps(
        {
            "type": kind,
            "room": room,
            "seq": seq,
            "epoch": epoch,
            "cause": cause,
            "received_us": received_us,
            "published_us": published_us,
            "data": data,
        }
    )


def encode_depth(market: str, stamp: Stamp, content: bytes) -> bytes:
    """The ``depth`` key: what the ladder with the same ``seq`` was made of. ``content``: a JSON
    object, neither empty nor with a name of the stamp."""
    head = orjson.dumps({"version": DEPTH_VERSION, "market": market, **asdict(stamp)})
    return head[:-1] + b"," + content[1:]


def encode_batch(epoch: int, feed_us: int, envelopes: Sequence[Envelope]) -> bytes:
    index = [[item.room, item.seq, len(item.body)] for item in envelopes]
    head = orjson.dumps({"epoch": epoch, "feed_us": feed_us, "index": index})
    return head[:-1] + _ENVELOPES + b",".join([item.body for item in envelopes]) + b"]}"


def decode_batch(raw: bytes) -> Batch:
    """Raises ValueError when ``raw`` is no batch."""
    cut = raw.find(_ENVELOPES)
    if cut < 0:
        raise ValueError("not a tape batch")
    head = orjson.loads(raw[:cut] + b"}")
    position = cut + len(_ENVELOPES)
    envelopes = []
    try:
        for room, seq, length in head["index"]:
            envelopes.append(Envelope(room, seq, raw[position : position + length]))
            position += length + 1
        batch = Batch(head["epoch"], head["feed_us"], tuple(envelopes))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a tape batch: {error!r}") from None
    if raw[position - bool(envelopes) :] != b"]}":
        raise ValueError("tape batch is cut short")
    return batch


def candle_data(candle: Candle, width_us: int, now_us: int) -> dict[str, Any]:
    """A candle as the ``candles`` room and ``GET /v1/candles`` show it."""
    return {
        "t": iso_ms(candle.t_us),
        "open": _price(candle.open_e18),
        "high": _price(candle.high_e18),
        "low": _price(candle.low_e18),
        "close": _price(candle.close_e18),
        "ticks": candle.ticks,
        "closed": candle.t_us + width_us <= now_us,
    }
