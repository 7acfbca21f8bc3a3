"""What all models have in common, and the types of single values.

A value that is not taken has the code of its issue in the error: ``PydanticCustomError`` with a
name in upper case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

AMOUNT: Final = r"(0|[1-9]\d{0,17})(\.\d{1,18})?"
"""The only spelling of an amount that is taken: ASCII digits, no sign, no exponent."""

_AMOUNT: Final = re.compile(AMOUNT, re.ASCII)

Content = TypeVar("Content")


class Said(BaseModel):
    """Of requests: nothing is converted, nothing unknown is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Said):
    """Where nothing may be said."""


class Told(BaseModel):
    """Of answers. They are written as they are made, and only described by their models."""


class Data(Told, Generic[Content]):
    data: Content


class Rows(Told, Generic[Content]):
    data: list[Content]
    next_cursor: str | None = Field(description="of the next page; null on the last one")


@dataclass(frozen=True, slots=True)
class Read:
    """In ``Annotated``: the value is what ``read`` makes of what was sent, which ``schema`` (JSON
    Schema) describes."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(hash=False)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema, handler
        return dict(self.schema)


def refused(code: str, message: str) -> PydanticCustomError:
    """What ``read`` raises. No braces in ``message``."""
    return PydanticCustomError(code, message)


def text(value: Any) -> str:
    """Raises PydanticCustomError for what is no string."""
    if not isinstance(value, str):
        raise refused("WRONG_TYPE", "expected a JSON string")
    return value


def matching(pattern: str, code: str, message: str) -> Read:
    """A text that has the form of a regular expression, of ASCII and from end to end."""
    compiled = re.compile(pattern, re.ASCII)

    def read(value: Any) -> str:
        if not compiled.fullmatch(text(value)):
            raise refused(code, message)
        return str(value)

    return Read(read, {"type": "string", "pattern": anchored(pattern)})


def one_of(names: Sequence[str], code: str) -> Read:
    """A text that is one of these."""

    def read(value: Any) -> str:
        if value not in names:
            raise refused(code, f"one of {', '.join(names)}")
        return str(value)

    return Read(read, {"type": "string", "enum": list(names)})


def amount(value: Any, code: str, message: str) -> Decimal:
    """Raises PydanticCustomError ``code`` for what is not spelled like an amount."""
    if not _AMOUNT.fullmatch(text(value)):
        raise refused(code, message)
    return Decimal(value)


def anchored(pattern: str) -> str:
    """The same for JSON Schema, where ``\\d`` may be of any script."""
    return f"^{pattern}$".replace(r"\d", "[0-9]")


DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["97013"])]
"""A decimal number in minimal form."""
Instant = Annotated[str, Field(examples=["2026-01-02T03:04:05.678Z"], description="UTC with ms")]
Microseconds = Annotated[int, Field(description="of our wall clock, since 1970")]
_ANY_TEXT: Final = Read(text, {"type": "string"})
Opaque = Annotated[str, _ANY_TEXT]
"""Any text at all: who takes it knows it or does not."""
OpaqueIfAny = Annotated[str | None, _ANY_TEXT]
"""The same where it may be left out. A null is no text."""
