"""Addresses of Cosmos chains: bech32 of BIP-173, the variant without any limit but its own."""

from collections.abc import Iterable, Sequence
from typing import Final

from domain.errors import InputError

LENGTH_BOUND: Final = 90
_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6


def encode(prefix: str, data: bytes) -> str:
    """``prefix`` in lower case. Source: BIP-173."""
    words = _regroup(data, 8, 5, pad=True)
    mixed = _polymod([*_expanded(prefix), *words, *[0] * _CHECKSUM]) ^ 1
    words += [mixed >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    return prefix + "1" + "".join(_CHARSET[word] for word in words)


def decode(prefix: str, text: str) -> bytes:
    """The data of an address with this prefix, in lower case. Raises InputError ``BAD_ADDRESS``."""
    head, separator, tail = text.rpartition("1")
    if head != prefix or not separator or len(text) > LENGTH_BOUND or len(tail) < _CHECKSUM:
        raise InputError("BAD_ADDRESS", f"no address that begins with {prefix}1")
    words = [_CHARSET.find(char) for char in tail]
    if -1 in words or _polymod([*_expanded(prefix), *words]) != 1:
        raise InputError("BAD_ADDRESS", "the checksum of the address is not right")
    return bytes(_regroup(words[:-_CHECKSUM], 5, 8, pad=False))


def _expanded(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def _polymod(values: Iterable[int]) -> int:
    mixed = 1
    for value in values:
        top = mixed >> 25
        mixed = (mixed & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            if top >> bit & 1:
                mixed ^= factor
    return mixed


def _regroup(values: Sequence[int], width: int, into: int, *, pad: bool) -> list[int]:
    """Bits in groups of another width. Raises InputError for a rest that is no padding."""
    found, held, bits = [], 0, 0
    for value in values:
        held = (held << width | value) & 0xFFFF
        bits += width
        while bits >= into:
            bits -= into
            found.append(held >> bits & (1 << into) - 1)
    rest = held << into - bits & (1 << into) - 1
    if pad and bits:
        found.append(rest)
    elif not pad and (bits >= width or rest):
        raise InputError("BAD_ADDRESS", "the address ends with a rest")
    return found
