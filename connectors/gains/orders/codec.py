"""Bytes of the diamond's functions, errors and events, as its ABI describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from connectors.gains.abi import ENTRIES
from domain.errors import InputError, VenueProtocolError

Json = Mapping[str, Any]
Values = dict[str, Any]

SELECTOR_BYTES: Final = 4
_MALFORMED: Final = (DecodingError, ArithmeticError, LookupError, TypeError, ValueError)


def _type(parameter: Json) -> str:
    """``tuple[]`` -> ``(uint256,address)[]``."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_type(item) for item in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _named(parameter: Json, value: Any) -> Any:
    """Structs as dictionaries."""
    if parameter["type"] == "tuple":
        return _all_named(parameter["components"], value)
    if parameter["type"] == "tuple[]":
        return [_all_named(parameter["components"], item) for item in value]
    return value


def _all_named(parameters: Sequence[Json], values: Sequence[Any]) -> Values:
    return {
        str(parameter["name"]): _named(parameter, value)
        for parameter, value in zip(parameters, values, strict=True)
    }


@dataclass(frozen=True)
class Signature:
    """A function or an error; ``outputs``: of a view."""

    name: str
    inputs: tuple[Json, ...]
    outputs: tuple[Json, ...] = ()

    @cached_property
    def types(self) -> tuple[str, ...]:
        return tuple(_type(item) for item in self.inputs)

    @cached_property
    def selector(self) -> bytes:
        return _hash(self)[:SELECTOR_BYTES]

    def encode(self, values: Sequence[Any]) -> bytes:
        """Selector and arguments.

        Raises InputError ``OUT_OF_RANGE`` for what the ABI's types cannot hold.
        """
        try:
            return self.selector + abi_encode(self.types, values)
        except (EncodingError, TypeError, ValueError) as error:
            raise InputError("OUT_OF_RANGE", f"{self.name}: {error!s:.200}") from None

    def answer(self, data: bytes) -> Any:
        """What a view returned: a value, a struct as a dictionary, or a list of these.

        Raises VenueProtocolError ``BAD_ANSWER``.
        """
        try:
            (value,) = abi_decode([_type(item) for item in self.outputs], data)
        except _MALFORMED as error:
            raise VenueProtocolError("BAD_ANSWER", f"{self.name}: {error!r:.200}") from None
        return _named(self.outputs[0], value)

    def decode(self, data: bytes) -> tuple[tuple[Any, ...], bytes]:
        """Arguments, and what follows them.

        Raises InputError ``BAD_CALLDATA`` for another selector, and for whatever ``encode`` would
        not write: two texts that mean the same to a contract are not the same here.
        """
        if data[:SELECTOR_BYTES] != self.selector:
            raise InputError("BAD_CALLDATA", f"not a call of {self.name}")
        try:
            values = abi_decode(self.types, data[SELECTOR_BYTES:])
        except _MALFORMED as error:
            raise InputError("BAD_CALLDATA", f"{self.name}: {error!r:.200}") from None
        canonical = self.encode(values)
        if data[: len(canonical)] != canonical:
            raise InputError("BAD_CALLDATA", f"{self.name}: not as the ABI writes it")
        return values, data[len(canonical) :]


@dataclass(frozen=True)
class EventSignature:
    """An event; ``indexed`` parameters are topics."""

    name: str
    inputs: tuple[Json, ...]

    @cached_property
    def topic(self) -> bytes:
        return _hash(self)

    def decode(self, topics: Sequence[bytes], data: bytes) -> Values:
        """Values by name, structs as dictionaries.

        Raises VenueProtocolError ``BAD_EVENT`` for what the event cannot have written.
        """
        indexed = [item for item in self.inputs if item["indexed"]]
        plain = [item for item in self.inputs if not item["indexed"]]
        if topics[0] != self.topic or len(topics) != 1 + len(indexed):
            raise VenueProtocolError("BAD_EVENT", f"not the topics of {self.name}")
        try:
            values = _all_named(plain, abi_decode([_type(item) for item in plain], data))
            for parameter, word in zip(indexed, topics[1:], strict=True):
                (values[str(parameter["name"])],) = abi_decode([_type(parameter)], word)
        except _MALFORMED as error:
            raise VenueProtocolError("BAD_EVENT", f"{self.name}: {error!r:.200}") from None
        return values


def _hash(signature: Signature | EventSignature) -> bytes:
    types = ",".join(_type(item) for item in signature.inputs)
    return keccak(text=f"{signature.name}({types})")


def _signatures(kind: str) -> dict[str, Signature]:
    return {
        item["name"]: Signature(item["name"], tuple(item["inputs"]), tuple(item.get("outputs", ())))
        for item in ENTRIES
        if item["type"] == kind
    }


FUNCTIONS: Final = _signatures("function")
ERRORS: Final = {item.selector: item for item in _signatures("error").values()}
"""By selector."""
EVENTS: Final = {
    event.topic: event
    for event in (
        EventSignature(item["name"], tuple(item["inputs"]))
        for item in ENTRIES
        if item["type"] == "event"
    )
}
"""By first topic."""
