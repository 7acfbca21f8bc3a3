"""Health, and errors."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Instant, Told
from api.schemas.market import Venue

Status = Literal["ok", "degraded", "down"]


class Part(Told):
    status: Literal["ok", "down"]
    cause: str | None
    since: Instant | None


class Parts(Told):
    feed: Part
    redis: Part
    postgres: Part


class Overall(Told):
    status: Status
    parts: Parts


class Well(Told):
    status: Literal["ok"]


class Venues(Told):
    status: Status
    venues: dict[str, Venue]


class Issue(Told):
    path: str = Field(examples=["query.limit"])
    code: str = Field(examples=["OUT_OF_RANGE"])
    message: str


class Problem(Told):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    retryable: bool
    request_id: str
    issues: list[Issue]
    hint: str | None


class Document(Told):
    """OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]
