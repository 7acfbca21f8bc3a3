"""Functions, errors and events as a pinned ABI file has them: calldata, results, logs. Pure.

Calldata is taken apart only where putting it together again gives the same bytes: what several
encodings could mean is never signed, and never taken for what somebody signed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from domain.errors import InputError, VenueProtocolError

MAX_BYTES: Final = 32 * 1024
"""Of calldata and results. The ABI lets a few bytes refer to each other, so that decoding takes a
time that grows with the square of the length."""

SELECTOR_BYTES: Final = 4
_UNREADABLE: Final = (DecodingError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Parameter:
    """``type``: the ABI's, with the parts of a tuple written out. ``parts``: those of a tuple, or
    of each element of an array of tuples."""

    name: str
    type: str
    parts: tuple["Parameter", ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One function, or one error, which has no outputs."""

    name: str
    selector: bytes
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...] = ()

    def encode(self, *arguments: object) -> bytes:
        """Calldata. Raises: InputError ``BAD_ARGUMENT`` for what the types cannot hold."""
        try:
            return self.selector + abi_encode(_types(self.inputs), arguments)
        except (EncodingError, TypeError, ValueError) as error:
            raise InputError("BAD_ARGUMENT", f"{self.name}: {error!s:.200}") from None

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """The arguments of calldata that ``encode`` gives: addresses in lower case, tuples for
        arrays and structs. Raises: InputError ``BAD_CALLDATA``."""
        if data[:SELECTOR_BYTES] != self.selector:
            raise InputError("BAD_CALLDATA", f"no call of {self.name}")
        arguments = _decoded(self.name, self.inputs, data[SELECTOR_BYTES:])
        if self.encode(*arguments) != data:
            raise InputError("BAD_CALLDATA", f"{self.name} in an encoding of its own")
        return arguments

    def decode_result(self, data: bytes) -> tuple[Any, ...]:
        """What a call returned. Raises: InputError ``BAD_CALLDATA``, also for what has these types
        and more: another release may have put a field in between."""
        values = _decoded(self.name, self.outputs, data)
        if abi_encode(_types(self.outputs), values) != data:
            raise InputError("BAD_CALLDATA", f"{self.name} answers in another layout")
        return values


def functions(path: Path) -> Mapping[str, Function]:
    """Of an ABI file, by name; overloaded ones are not pinned."""
    return {entry["name"]: _function(entry) for entry in _entries(path, "function")}


def errors(path: Path) -> Mapping[bytes, Function]:
    """Of an ABI file, by selector: names of errors repeat."""
    found = (_function(entry) for entry in _entries(path, "error"))
    return {error.selector: error for error in found}


def differences(
    path: str, inputs: Sequence[Parameter], expected: Sequence[Any], found: Sequence[Any]
) -> Iterator[str]:
    """Where arguments differ, by the ABI's own names: ``path.params.numbers.acceptablePrice``."""
    for parameter, one, other in zip(inputs, expected, found, strict=True):
        yield from _difference(f"{path}.{parameter.name}", parameter, one, other)


def _difference(path: str, parameter: Parameter, one: Any, other: Any) -> Iterator[str]:
    if one == other:
        return
    if parameter.parts and not parameter.type.endswith("]"):
        yield from differences(path, parameter.parts, one, other)
    else:
        yield path


def _entries(path: Path, kind: str) -> Iterator[Any]:
    return (entry for entry in json.loads(path.read_bytes()) if entry["type"] == kind)


def _function(entry: Any) -> Function:
    inputs, name = _parameters(entry["inputs"]), entry["name"]
    signature = f"{name}({','.join(_types(inputs))})"
    selector = keccak(text=signature)[:SELECTOR_BYTES]
    return Function(name, selector, inputs, _parameters(entry.get("outputs", ())))


def _parameters(entries: Sequence[Any]) -> tuple[Parameter, ...]:
    return tuple(_parameter(entry) for entry in entries)


def _parameter(entry: Any) -> Parameter:
    kind, parts = entry["type"], _parameters(entry.get("components", ()))
    if kind.startswith("tuple"):
        kind = f"({','.join(_types(parts))}){kind.removeprefix('tuple')}"
    return Parameter(entry["name"], kind, parts)


def _types(parameters: Sequence[Parameter]) -> list[str]:
    return [parameter.type for parameter in parameters]


def _decoded(name: str, parameters: Sequence[Parameter], data: bytes) -> tuple[Any, ...]:
    if len(data) > MAX_BYTES:
        raise InputError("BAD_CALLDATA", f"{name}: {len(data)} bytes")
    try:
        return tuple(abi_decode(_types(parameters), data))
    except _UNREADABLE as error:
        raise InputError("BAD_CALLDATA", f"{name}: {error!r:.200}") from None


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``indexed``: of each input, whether it is a topic."""

    name: str
    topic: bytes
    inputs: tuple[Parameter, ...]
    indexed: tuple[bool, ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Values by name, structs as dictionaries, addresses in lower case.

        Raises: VenueProtocolError ``BAD_EVENT`` for what the event cannot have written.
        """
        pairs = list(zip(self.inputs, self.indexed, strict=True))
        plain = [parameter for parameter, indexed in pairs if not indexed]
        keys = [parameter for parameter, indexed in pairs if indexed]
        if len(topics) != 1 + len(keys) or topics[0] != self.topic:
            raise VenueProtocolError("BAD_EVENT", f"not the topics of {self.name}")
        try:
            values = named(plain, _decoded(self.name, plain, data))
            for parameter, word in zip(keys, topics[1:], strict=True):
                values |= named([parameter], _decoded(self.name, [parameter], word))
        except InputError as error:
            raise VenueProtocolError("BAD_EVENT", error.message) from None
        return values


def events(path: Path) -> Mapping[bytes, Event]:
    """Of an ABI file, by first topic."""
    found = (_event(entry) for entry in _entries(path, "event"))
    return {event.topic: event for event in found}


def named(parameters: Sequence[Parameter], values: Sequence[Any]) -> dict[str, Any]:
    """Decoded values by name, structs as dictionaries."""
    return {
        parameter.name: _named(parameter, value)
        for parameter, value in zip(parameters, values, strict=True)
    }


def _named(parameter: Parameter, value: Any) -> Any:
    if not parameter.parts:
        return value
    if parameter.type.endswith("]"):
        return [named(parameter.parts, item) for item in value]
    return named(parameter.parts, value)


def _event(entry: Any) -> Event:
    inputs, name = _parameters(entry["inputs"]), entry["name"]
    topic = keccak(text=f"{name}({','.join(_types(inputs))})")
    return Event(name, topic, inputs, tuple(item["indexed"] for item in entry["inputs"]))
