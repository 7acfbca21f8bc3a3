"""The feed and the replicas of all venues over real sockets: a venue in trouble leaves with a
reason, the others go on as if nothing were, and it comes back."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from connectors.registry import VENUES
from tests.integration.feed_kit import Feed, Tape, feeds, listening, sandbox, until

MARKET = "BTC-USD"
# Longer than what may be used, and a little: an oracle price may be seen again for 15 s.
FREEZE_S = {"dydx": 7.0, "gmx": 17.0, "gains": 5.0}
FAULTS_S = {"freeze": 0.0, "drop": 1.0, "half_open": 7.0, "garble": 4.0}


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as settings:
        yield settings


@pytest.fixture(scope="module")
def feed(
    embedded_redis_url: str, urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Feed]:
    with feeds(tmp_path_factory.mktemp("feed")) as start:
        yield start(embedded_redis_url, urls)


def states(tape: Tape, first: int = 0) -> list[dict[str, str]]:
    """State of every venue in each envelope of the market, from the batch ``first`` on."""
    found: list[dict[str, str]] = []
    for batch in tape.batches[first:]:
        for envelope in batch.envelopes:
            if envelope.room == f"price:{MARKET}":
                venues: dict[str, Any] = orjson.loads(envelope.body)["data"]["venues"]
                found.append({name: venue["state"] for name, venue in venues.items()})
    return found


@pytest.mark.parametrize("kind", FAULTS_S)
@pytest.mark.parametrize("venue", VENUES)
async def test_a_venue_in_trouble_leaves_alone_and_comes_back(
    embedded_redis_url: str, urls: dict[str, str], feed: Feed, venue: str, kind: str
) -> None:
    control = f"http://127.0.0.1:{urls['PERP_SANDBOX_CONTROL_PORT']}"
    async with listening(embedded_redis_url) as (tape, _), httpx.AsyncClient() as client:

        def all_live() -> bool:
            said = states(tape)
            return bool(said) and said[-1] == dict.fromkeys(VENUES, "live")

        def out() -> bool:
            said = states(tape, before)
            return bool(said) and said[-1][venue] != "live"

        def told() -> bool:
            return any(
                orjson.loads(envelope.body)["data"][venue]["reason"]
                for batch in tape.batches[before:]
                for envelope in batch.envelopes
                if envelope.room == "venues"
            )

        await until(all_live, "all venues live")
        before = len(tape.batches)
        seconds = FREEZE_S[venue] if kind == "freeze" else FAULTS_S[kind]
        fault = {"venue": venue, "kind": kind, "seconds": seconds}
        answer = await client.post(f"{control}/faults", json=fault)
        assert answer.status_code == 200
        await until(out, f"{venue} out of the price")
        await until(told, f"{venue} with a reason")
        await until(all_live, f"{venue} back")
        for said in states(tape, before):
            assert {name for name, state in said.items() if state != "live"} <= {venue}
    assert feed.process.poll() is None
