"""Servers that tests of several parts share. They start with the first test that asks for them."""

from collections.abc import Iterator

import pytest

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
