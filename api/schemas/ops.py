"""Health, and errors."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Instant, Told
from api.schemas.market import Venue

Status = Literal["ok", "degraded", "down", "absent"]
"""``absent``: there is no such part here, and nothing waits for it."""


class Part(Told):
    status: Status
    cause: str | None
    since: Instant | None
    impact: str | None = Field(description="what suffers; null while all is well")
    action: str | None = Field(description="what to do about it; null while all is well")


class Parts(Told):
    feed: Part
    redis: Part
    postgres: Part


class Overall(Told):
    status: Status
    parts: Parts


class Well(Told):
    status: Literal["ok"]


class Venues(Part):
    venues: dict[str, Venue]


class Executor(Part):
    workers: int = Field(description="that have looked for orders a moment ago")
    pending: int = Field(description="orders a worker has at hand")
    dead_letters: int
    held: dict[str, int] | None = Field(
        description="orders that wait, by the code of what for; null while Postgres is away"
    )


class Node(Told):
    host: str = Field(description="without path or user: they may hold a key")
    cause: str | None = Field(description="why it cannot be used; null when it can")
    block_number: int | None
    answered_in_ms: int | None


class Chain(Told):
    status: Status
    nodes: list[Node]


class Rpc(Part):
    chains: dict[str, Chain] = Field(description="by chain id")


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
    health: Part | None = Field(default=None, description="of the part that is down")


class Document(Told):
    """OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]
