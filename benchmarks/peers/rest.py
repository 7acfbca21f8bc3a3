"""Servers for benchmarks/api.py: our gateway, or a bare Starlette route that answers the same
bytes. Both on uvloop and uvicorn with httptools; the bare one as they come."""

import argparse
import asyncio
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth.keys import parse_keys
from api.auth.service import Config
from api.limits import RATES
from api.service import Gateway, listen
from runtime.dialer import Dialer
from runtime.logs import configure_logs
from runtime.tasks import tune_interpreter

KEYS: Final = "bench:" + "A" * 43
PUBLIC_URL: Final = "http://127.0.0.1"
_NO_DATABASE: Final = "postgresql://nobody@127.0.0.1:1/none"


async def gateway(port: int, redis_url: str) -> None:
    auth = Config(parse_keys(KEYS), PUBLIC_URL, {}, Dialer(allow_private=True))
    # All requests come from one address: its limit is asked for and never reached.
    running = Gateway(redis_url, _NO_DATABASE, auth=auth, rates=RATES.scaled(1e6))
    await running.run(listen("127.0.0.1", port, shared=False), asyncio.Event())


async def bare(port: int, body: bytes) -> None:
    async def answer(request: Request) -> Response:
        del request
        return Response(body, media_type="application/json")

    app = Starlette(
        routes=[Route("/v1/quotes/{market}", answer), Route("/v1/auth/session", answer)]
    )
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    await server.serve([listen("127.0.0.1", port, shared=False)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--redis")
    parser.add_argument("--body", type=Path)
    asked = parser.parse_args()
    configure_logs("peer", "WARNING")
    tune_interpreter()
    uvloop.run(
        gateway(asked.port, asked.redis)
        if asked.redis
        else bare(asked.port, asked.body.read_bytes())
    )


if __name__ == "__main__":
    main()
