"""``/health``: reports for people and monitors, and two yes-or-no answers for supervisors."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.health import Part
from api.problems import Unavailable
from api.routes.venues import venues_data


async def overall(request: Request) -> Response:
    query.read(request)
    context = context_of(request)
    health = context.health
    parts = {part.name: part.report() for part in (health.feed, health.redis, health.postgres)}
    parts["feed"]["beat_age_ms"] = health.beat_age_ms
    reduced = "ok" if health.feed.trouble is None else "degraded"
    status = "down" if health.missing() else reduced
    return query.answer({"status": status, "parts": parts})


async def live(request: Request) -> Response:
    query.read(request)
    return query.answer({"status": "ok"})


async def ready(request: Request) -> Response:
    query.read(request)
    missing = context_of(request).health.missing()
    if missing:
        raise Unavailable("NOT_READY", "this gateway cannot serve requests now", missing)
    return query.answer({"status": "ok"})


async def redis(request: Request) -> Response:
    return _one(request, context_of(request).health.redis)


async def database(request: Request) -> Response:
    return _one(request, context_of(request).health.postgres)


async def venues(request: Request) -> Response:
    query.read(request)
    data = venues_data(context_of(request).board)
    live_count = sum(row["state"] == "live" for row in data.values())
    status = "ok" if live_count == len(data) else "degraded" if live_count else "down"
    return query.answer({"status": status, "venues": data})


def _one(request: Request, part: Part) -> Response:
    query.read(request)
    if part.trouble is not None:
        raise Unavailable(part.code, part.trouble, part.issues())
    return query.answer(part.report())


ROUTES = [
    Route("/health", overall),
    Route("/health/live", live),
    Route("/health/ready", ready),
    Route("/health/redis", redis),
    Route("/health/database", database),
    Route("/health/venues", venues),
]
