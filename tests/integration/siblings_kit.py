"""Several gateways over one Redis, in this process or each in its own."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from redis.asyncio import Redis

from api.auth.service import Config
from api.limits import Rates
from api.peers import Peers
from api.realtime.engine import Limits
from api.realtime.siblings import Siblings
from api.service import AUTH_OFF, Gateway, listen
from perptape.ports import free_ports
from runtime.tasks import end_all
from tests.integration.gateway_kit import (
    GENEROUS,
    NO_DATABASE,
    UNLIMITED,
    Feed,
    Rig,
    eventually,
    until_it_serves,
)

STARTING_S: Final = 90.0

_ROLE: Final = """
from api.service import main
from runtime.tasks import run_role
run_role("gateway", main)
"""


@contextlib.asynccontextmanager
async def beating_feed(redis_url: str) -> AsyncIterator[Feed]:
    """That has quoted both markets once and has told of its venue."""
    async with contextlib.aclosing(Redis.from_url(redis_url)) as redis:
        await redis.flushall()
        feed = Feed(redis)
        await feed.price("97000", "97001")
        await feed.price("3500", "3501", "ETH-USD")
        await feed.venues()
        beating = asyncio.create_task(feed.run())
        try:
            yield feed
        finally:
            await end_all([beating])


@contextlib.asynccontextmanager
async def gateway_here(
    redis_url: str,
    feed: Feed,
    siblings: Siblings,
    *,
    limits: Limits | None = None,
    peers: Peers | None = None,
    auth: Config = AUTH_OFF,
    rates: Rates = UNLIMITED,
) -> AsyncIterator[Rig]:
    """A gateway in this process at a port of its own."""
    gateway = Gateway(
        redis_url,
        NO_DATABASE,
        limits or Limits(quotas=GENEROUS),
        siblings,
        peers or Peers(),
        auth,
        rates,
    )
    listener, stop = listen("127.0.0.1", 0, shared=False), asyncio.Event()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(gateway.run(listener, stop))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20.0) as http:
            await until_it_serves(http)
            yield Rig(url, gateway, feed, http, stop, redis_url)
    finally:
        stop.set()
        await serving


@dataclass
class Process:
    """A gateway of its own. ``name``: what ids of its sessions begin with."""

    name: str
    metrics_port: int
    process: asyncio.subprocess.Process

    async def metrics(self) -> Mapping[str, float]:
        """Samples by name with labels."""
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        found = re.findall(r"^(perptape_[^ ]+) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    async def passed_on(self, transport: str) -> float:
        name = f'perptape_passed_on_total{{transport="{transport}"}}'
        return (await self.metrics()).get(name, 0.0)


@contextlib.asynccontextmanager
async def gateway_processes(
    redis_url: str, folder: Path, port: int, count: int
) -> AsyncIterator[list[Process]]:
    """As ``PERP_GATEWAYS`` starts them, all at one port."""
    inherited = {name: value for name, value in os.environ.items() if "PERP" not in name}
    running: list[Process] = []
    try:
        for number, metrics_port in enumerate(free_ports(count), 1):
            environment = {
                **inherited,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "REDIS_URL": redis_url,
                "DATABASE_URL": NO_DATABASE,
                "PERP_DATA_DIR": str(folder),
                "PERP_HTTP_PORT": str(port),
                "PERP_METRICS_PORT": str(metrics_port),
                "PERP_GATEWAYS": str(count),
                "PERP_WORKER": str(number),
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _ROLE, env=environment, stdout=asyncio.subprocess.DEVNULL
            )
            running.append(Process(f"a.{number}", metrics_port, process))
        for each in running:
            await eventually(
                each.metrics,
                lambda samples: samples.get('perptape_tape_received_total{outcome="taken"}', 0) > 0,
                within_s=STARTING_S,
            )
        yield running
    finally:
        for each in running:
            if each.process.returncode is None:
                each.process.kill()
            await each.process.wait()
