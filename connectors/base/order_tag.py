"""The mark of an order behind the ABI arguments of every transaction made for it. Pure.

Contracts read what their ABI names and ignore what follows, so calldata that ends in 32 more bytes
does the same and can be found again whatever hash it lands under: a wallet that speeds a
transaction up, or a contract wallet, gives it another.
"""

import hashlib
from typing import Final

from connectors.base.orders import TAG_BYTES
from domain.errors import InputError, InvariantViolation

PREFIX: Final = b"perptape"
"""Calldata of ours is told from any other by it."""

_SELECTOR_BYTES: Final = 4
_WORD_BYTES: Final = 32


def order_tag(order_id: str) -> bytes:
    """The tag of an order: the prefix, and what the id hashes to, so that it tells nothing of the
    id. All transactions of one order have the same.

    Shape: 32 bytes. Raises: InputError ``BAD_ORDER_ID`` for an empty one.
    """
    if not order_id:
        raise InputError("BAD_ORDER_ID", "an order without an id")
    digest = hashlib.sha256(order_id.encode()).digest()
    return PREFIX + digest[: TAG_BYTES - len(PREFIX)]


def with_tag(data: bytes, tag: bytes) -> bytes:
    """Calldata of a function, followed by the tag.

    Raises: InvariantViolation ``BAD_TAG`` for what is no tag, or no calldata of an ABI's function,
    or calldata that has a tag already.
    """
    if len(tag) != TAG_BYTES:
        raise InvariantViolation("BAD_TAG", f"not a tag: 0x{tag.hex()[:80]}")
    if len(data) % _WORD_BYTES != _SELECTOR_BYTES or tag_of(data) is not None:
        raise InvariantViolation("BAD_TAG", f"{len(data)} bytes cannot be tagged")
    return data + tag


def tag_of(data: bytes) -> bytes | None:
    """The tag, made by ``order_tag``, that calldata ends in; None where it has none."""
    tag = data[-TAG_BYTES:]
    is_tag = len(data) >= _SELECTOR_BYTES + TAG_BYTES and tag.startswith(PREFIX)
    return tag if is_tag else None


def tags_in(data: bytes) -> list[bytes]:
    """What may be tags, anywhere in calldata: that of a contract wallet has ours inside."""
    found = []
    at = data.find(PREFIX)
    while 0 <= at <= len(data) - TAG_BYTES:
        found.append(data[at : at + TAG_BYTES])
        at = data.find(PREFIX, at + 1)
    return found


def untagged(data: bytes) -> bytes:
    """Calldata without its tag, where it has one."""
    return data if tag_of(data) is None else data[:-TAG_BYTES]
