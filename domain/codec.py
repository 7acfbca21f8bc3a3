"""Domain values as JSON and back: what is kept of an order has to be read again as it was.

Numbers are strings (Decimal) or integers, nested values are objects, absent ones null. Types decide
how something is read, so a value that was written by another version raises instead of being
guessed at.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from domain.errors import InputError
from domain.outcomes import (
    Cancelled,
    Claimed,
    Executed,
    Frozen,
    Kept,
    Mined,
    Outcome,
    Resting,
    Reverted,
    Updated,
)

T = TypeVar("T")

KINDS: Final[Mapping[str, type[Outcome]]] = {
    "mined": Mined,
    "reverted": Reverted,
    "resting": Resting,
    "executed": Executed,
    "cancelled": Cancelled,
    "frozen": Frozen,
    "updated": Updated,
    "claimed": Claimed,
    "kept": Kept,
}
_NAMES: Final = {kind: name for name, kind in KINDS.items()}


def kind_of(fact: Outcome) -> str:
    """A key of ``KINDS``."""
    return _NAMES[type(fact)]


def encode(value: Any) -> Any:
    """JSON of a dataclass, Decimal, tuple, text, number, flag or None."""
    if is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Decimal):
        return str(value)
    return value


def decode(kind: type[T], row: Any) -> T:
    """What ``encode`` wrote. Raises InputError ``BAD_ROW``."""
    try:
        value: T = _read(kind, row)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError("BAD_ROW", f"no {kind.__name__}: {error!r:.200}") from None
    return value


@lru_cache(maxsize=64)
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, row: Any) -> Any:
    if isinstance(kind, NewType):
        kind = kind.__supertype__
    if is_dataclass(kind) and isinstance(kind, type):
        if set(row) != set(_hints(kind)):
            raise ValueError(f"fields {sorted(row)}")
        return kind(**{name: _read(hint, row[name]) for name, hint in _hints(kind).items()})
    if get_origin(kind) in (Union, UnionType):
        options = get_args(kind)
        if row is None and NoneType in options:
            return None
        matching = [option for option in options if option is not NoneType]
        if len(matching) > 1:
            matching = [option for option in matching if option is type(row)]
        return _read(matching[0], row)
    if get_origin(kind) is Literal:
        if row not in get_args(kind):
            raise ValueError(f"none of {get_args(kind)}: {row!r}")
        return row
    if kind is Decimal:
        if type(row) is not str:
            raise ValueError(f"a number is a string: {row!r}")
        return Decimal(row)
    if type(row) is not kind:
        raise ValueError(f"no {kind}: {row!r}")
    return row
