"""The bytes of a recording, version 2 (``docs/recording.md``). Pure.

A file is ``MAGIC`` and blocks; a block is its length, its CRC and a zlib stream of entries. A file
whose writer died ends within a block: what is before it holds.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, BinaryIO, Final, NamedTuple

import orjson

from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

VERSION: Final = 2
MAGIC: Final = b"perptape recording\n"
LEVEL: Final = 6
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
"""Of one block, packed or not: a frame has at most a quarter of it."""
_HEAD: Final = struct.Struct("<BHqqI")
_BLOCK: Final = struct.Struct("<II")
_PATH: Final = struct.Struct("<H")
_HEAD_BYTES: Final = _HEAD.size


class Kind(IntEnum):
    """What happened. The numbers are the format: none is ever given another meaning."""

    BEGIN = 1
    GAP = 2
    NAME = 3
    LISTED = 4
    SOURCES = 5
    ATTACH = 6
    DETACH = 7
    RELIST = 8
    UNLIST = 9
    OPEN = 10
    FRAME = 11
    REPLY = 12
    LONG = 13
    TICK = 14
    RESYNC = 15
    TAKEN = 16
    STATUS = 17
    TIME = 18
    FLUSH = 19
    ANEW = 20
    END = 21
    LADDERS = 22


class Entry(NamedTuple):
    """``source``: number of the source, of a FLUSH the most markets it takes. Times are 0 where
    the kind has none."""

    kind: int
    source: int
    wall_us: int
    mono_ns: int
    body: bytes


def packed(
    kind: Kind, source: int = 0, wall_us: int = 0, mono_ns: int = 0, body: bytes = b""
) -> bytes:
    """The bytes of one entry."""
    return _HEAD.pack(kind, source, wall_us, mono_ns, len(body)) + body


def gap(count: int) -> bytes:
    """An entry that tells of ``count`` others that are missing."""
    return packed(Kind.GAP, body=b"%d" % count)


def block(entries: bytes) -> bytes:
    """A block of packed entries."""
    body = zlib.compress(entries, LEVEL)
    return _BLOCK.pack(len(body), zlib.crc32(body)) + body


class Reader:
    """Entries of a file, in order. ``torn``: it does not end as a finished recording does."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises InputError ``NOT_A_RECORDING``."""
        self._file = file
        self.torn = False
        if file.read(len(MAGIC)) != MAGIC:
            raise InputError("NOT_A_RECORDING", "it does not begin as a recording does")

    def __iter__(self) -> Iterator[Entry]:
        self.torn = True
        head, new, end = _HEAD.unpack_from, tuple.__new__, int(Kind.END)
        while (entries := self._next_block()) is not None:
            at, length = 0, len(entries)
            while at < length:
                kind, source, wall_us, mono_ns, size = head(entries, at)
                start = at + _HEAD_BYTES
                at = start + size
                if kind == end:
                    self.torn = False
                # Half the time of calling the class.
                yield new(Entry, (kind, source, wall_us, mono_ns, entries[start:at]))

    def _next_block(self) -> bytes | None:
        head = self._file.read(_BLOCK.size)
        if len(head) < _BLOCK.size:
            return None
        size, checksum = _BLOCK.unpack(head)
        if size > MAX_BLOCK_BYTES:
            return None
        body = self._file.read(size)
        if len(body) < size or zlib.crc32(body) != checksum:
            return None
        unpacker = zlib.decompressobj()
        entries = unpacker.decompress(body, MAX_BLOCK_BYTES)
        return entries if unpacker.eof else None


def header(entry: Entry) -> Mapping[str, Any]:
    """What the first entry says. Raises InputError for a version that this program cannot read."""
    if entry.kind != Kind.BEGIN:
        raise InputError("NOT_A_RECORDING", "its first entry is no beginning")
    content: Mapping[str, Any] = orjson.loads(entry.body)
    if content.get("version") != VERSION:
        raise InputError("OTHER_VERSION", f"version {content.get('version')}, not {VERSION}")
    return content


def reply_body(path: str, body: bytes) -> bytes:
    """The body of a REPLY."""
    name = path.encode()
    return _PATH.pack(len(name)) + name + body


def reply(body: bytes) -> tuple[str, bytes]:
    """Path and body of a REPLY."""
    start = _PATH.size + _PATH.unpack_from(body)[0]
    return body[_PATH.size : start].decode(), body[start:]


def market_rows(markets: Sequence[Market]) -> list[Mapping[str, Any]]:
    """Markets as JSON can hold them."""
    return [
        {
            "market": market.market,
            "symbol": market.symbol,
            "tick": market.tick.increment,
            "step": market.step.increment,
            "status": market.status,
            "min_notional_usd": market.min_notional_usd,
            "max_leverage": market.max_leverage,
            "pools": market.pools,
            "chain_ids": market.chain_ids,
            "kind": market.kind,
        }
        for market in markets
    ]


def market(venue: VenueId, row: Mapping[str, Any]) -> Market:
    """The market of such a row."""
    return Market(
        venue=venue,
        market=MarketId(row["market"]),
        symbol=row["symbol"],
        tick=Grid(row["tick"]),
        step=Grid(row["step"]),
        status=row["status"],
        min_notional_usd=row["min_notional_usd"],
        max_leverage=row["max_leverage"],
        pools=tuple(row["pools"]),
        chain_ids=tuple(row["chain_ids"]),
        kind=row["kind"],
    )
