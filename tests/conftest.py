"""Servers that tests of several parts share. They start with the first test that asks for them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from tests.servers import running


@pytest.fixture(scope="session")
def embedded_redis_url() -> Iterator[str]:
    with running(EmbeddedRedis) as url:
        yield url


@pytest.fixture(scope="session")
def embedded_postgres_dsn() -> Iterator[str]:
    with running(EmbeddedPostgres) as url:
        yield url


def pytest_asyncio_loop_factories(
    item: pytest.Function,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of the library, but the one that roles run on for modules that say ``ON_UVLOOP``."""
    if getattr(item.module, "ON_UVLOOP", False):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
