"""``/health``: reports for people and monitors, and two yes-or-no answers for supervisors."""

from pydantic import BaseModel
from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint, Handle
from api.health import VENUES, Part, report
from api.problems import Unavailable
from api.routes.venues import venues_data
from api.schemas import ops
from api.schemas.base import Data, Nothing

Anybody = Asked[None, Nothing, None]


async def overall(asked: Anybody) -> Response:
    health = asked.context.health
    parts = {part.name: part.report() for part in (health.feed, health.redis, health.postgres)}
    parts["feed"]["beat_age_ms"] = health.beat_age_ms
    reduced = "ok" if health.feed.trouble is None else "degraded"
    status = "down" if health.missing() else reduced
    return query.answer({"status": status, "parts": parts})


async def live(asked: Anybody) -> Response:
    del asked
    return query.answer({"status": "ok"})


async def ready(asked: Anybody) -> Response:
    missing = asked.context.health.missing()
    if missing:
        raise Unavailable("NOT_READY", "this gateway cannot serve requests now", missing)
    return query.answer({"status": "ok"})


async def redis(asked: Anybody) -> Response:
    return _one(asked.context.health.redis)


async def database(asked: Anybody) -> Response:
    return _one(asked.context.health.postgres)


async def venues(asked: Anybody) -> Response:
    data = venues_data(asked.context.board)
    away = {name: row for name, row in data.items() if row["state"] != "live"}
    status = "down" if len(away) == len(data) else "degraded" if away else "ok"
    causes = (f"{name}: {row['reason'] or row['state']}" for name, row in away.items())
    since = min((str(row["since"]) for row in away.values()), default=None)
    cause = "; ".join(causes) or None
    return query.answer(report(status, cause, since, VENUES, venues=data))


async def rpc(asked: Anybody) -> Response:
    return query.answer(await asked.context.rpc.report())


async def executor(asked: Anybody) -> Response:
    said = await asked.context.executor.report()
    if said["status"] == "down":
        raise Unavailable("EXECUTOR_UNAVAILABLE", said["cause"], (), said)
    return query.answer(said)


def _one(part: Part) -> Response:
    said = part.report()
    if said["cause"] is not None:
        raise Unavailable(part.code, said["cause"], part.issues(), said)
    return query.answer(said)


def _health(
    path: str, summary: str, handle: Handle, answer: type[BaseModel], *errors: str
) -> Endpoint:
    return Endpoint("GET", path, summary, "ops", handle, answer, errors=errors, limit="none")


ENDPOINTS = (
    _health("/health", "What works and what does not", overall, Data[ops.Overall]),
    _health("/health/live", "Whether the process answers", live, Data[ops.Well]),
    _health("/health/ready", "Whether requests can be served", ready, Data[ops.Well], "NOT_READY"),
    _health("/health/redis", "If Redis answers", redis, Data[ops.Part], "REDIS_UNAVAILABLE"),
    _health(
        "/health/database",
        "If Postgres answers",
        database,
        Data[ops.Part],
        "DATABASE_UNAVAILABLE",
    ),
    _health("/health/venues", "State of every venue", venues, Data[ops.Venues], "FEED_UNAVAILABLE"),
    _health("/health/rpc", "If nodes of the configured chains answer", rpc, Data[ops.Rpc]),
    _health(
        "/health/executor",
        "If orders are executed",
        executor,
        Data[ops.Executor],
        "EXECUTOR_UNAVAILABLE",
        "REDIS_UNAVAILABLE",
    ),
)
