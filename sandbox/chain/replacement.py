"""Geth's rule for a transaction in the place of one that waits: both fees at least a tenth higher.
Anvil takes less. Pure.

Source: go-ethereum ``core/txpool/legacypool/list.go`` (price bump of 10 %), EIP-1559, EIP-2718.
"""

from typing import Any, Final, NamedTuple

UNDERPRICED: Final = "replacement transaction underpriced"
KNOWN: Final = "already known"
_BUMP_P: Final = 10
_LEGACY_FROM: Final = 0xC0
_DYNAMIC_FEE: Final = 2


class Fees(NamedTuple):
    """Of a unit of gas, in wei."""

    cap: int
    tip: int


class Signed(NamedTuple):
    """What the rule looks at in a signed transaction."""

    nonce: int
    fees: Fees


def read(raw: bytes) -> Signed | None:
    """None for a kind of transaction that the rule does not know. Raises ValueError for garbage."""
    if not raw:
        raise ValueError("nothing there")
    if raw[0] >= _LEGACY_FROM:
        nonce, price, *_ = _list(raw)
        return Signed(int.from_bytes(nonce), Fees(int.from_bytes(price), int.from_bytes(price)))
    if raw[0] == _DYNAMIC_FEE:
        _chain, nonce, tip, cap, *_ = _list(raw[1:])
        return Signed(int.from_bytes(nonce), Fees(int.from_bytes(cap), int.from_bytes(tip)))
    return None


def fees_of(waiting: dict[str, Any]) -> Fees:
    """Of a transaction as a node shows it."""
    price = waiting.get("maxFeePerGas") or waiting["gasPrice"]
    tip = waiting.get("maxPriorityFeePerGas") or price
    return Fees(int(price, 16), int(tip, 16))


def is_enough(new: Fees, old: Fees) -> bool:
    return all(
        after * 100 >= before * (100 + _BUMP_P) and after > before
        for after, before in zip(new, old, strict=True)
    )


def _list(data: bytes) -> list[bytes]:
    """The items of an RLP list; lists inside are left as they are."""
    start, end, _ = _item(data, 0)
    items = []
    while start < end:
        first, last, _ = _item(data, start)
        items.append(data[first:last])
        start = last
    return items


def _item(data: bytes, at: int) -> tuple[int, int, bool]:
    """Where the content of an item begins and ends, and whether it is a list."""
    if at >= len(data):
        raise ValueError("cut off")
    head = data[at]
    if head < 0x80:
        return at, at + 1, False
    is_list = head >= 0xC0
    base = 0xC0 if is_list else 0x80
    length, start = head - base, at + 1
    if length > 55:
        width = length - 55
        length = int.from_bytes(data[start : start + width])
        start += width
    if start + length > len(data):
        raise ValueError("cut off")
    return start, start + length, is_list
