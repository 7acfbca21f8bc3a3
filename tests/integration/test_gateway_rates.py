"""Who asks REST for too much is told so and when to come back; others go on."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from api import gathered, limits
from api.limits import Policy, Rates
from api.peers import Peers
from api.realtime.siblings import Siblings
from perptape.embedded_redis import EmbeddedRedis
from runtime.channels import rate_key
from tests.integration.auth_kit import Wallet, config, running, session
from tests.integration.gateway_kit import Rig
from tests.integration.siblings_kit import beating_feed, gateway_here
from tests.integration.test_gateway_rest import check_problem
from tests.servers import open_folder, prepared, started

HOURLY = 1 / 3600
"""None comes back while a test runs."""
FEW = Rates(
    Policy("anonymous", HOURLY, 6),
    Policy("account", HOURLY, 9),
    Policy("login", HOURLY, 2, closed=True),
)
BEHIND_A_PROXY = Peers((ip_network("127.0.0.0/8"),))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is what is counted that matters, on however busy a machine."""
    monkeypatch.setattr("runtime.redis.CALL_TIMEOUT_S", 10.0)
    monkeypatch.setattr(gathered, "CALL_TIMEOUT_S", 10.0)


@pytest.fixture
async def rig(embedded_redis_url: str, database_url: str, patient: None) -> AsyncIterator[Rig]:
    async with running(
        embedded_redis_url, database_url, rates=FEW, peers=BEHIND_A_PROXY
    ) as running_rig:
        yield running_rig


def of(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def statuses(http: httpx.AsyncClient, count: int, address: str) -> list[int]:
    asking = (http.get("/v1/quotes/BTC-USD", headers=of(address)) for _ in range(count))
    return sorted([answer.status_code for answer in await asyncio.gather(*asking)])


async def test_an_address_gets_what_it_may_and_then_is_told_when_to_come_back(rig: Rig) -> None:
    answer = await rig.http.get("/v1/venues", headers=of("192.0.2.1"))
    assert answer.headers["ratelimit-policy"] == '"anonymous";q=6;w=21600'
    assert answer.headers["ratelimit"] == '"anonymous";r=5;t=3600'
    assert await statuses(rig.http, 8, "192.0.2.1") == [200] * 5 + [429] * 3
    refused = await rig.http.get("/v1/venues", headers=of("192.0.2.1"))
    problem = check_problem(refused, 429, "RATE_LIMITED")
    assert problem["retryable"] is True
    assert refused.headers["retry-after"] == "3600"
    assert refused.headers["ratelimit"] == '"anonymous";r=0;t=21600'
    # Another address is another client; a /64 is one, and what nobody limits goes on.
    assert await statuses(rig.http, 4, "192.0.2.2") == [200] * 4
    assert await statuses(rig.http, 6, "2001:db8::1") == [200] * 6
    assert await statuses(rig.http, 1, "2001:db8::2") == [429]
    assert (await rig.http.get("/health/live", headers=of("192.0.2.1"))).status_code == 200


async def test_an_account_has_a_limit_of_its_own(rig: Rig) -> None:
    token = (await Wallet(rig.http).grant())["access_token"]
    rig.http.headers["X-Forwarded-For"] = "192.0.2.3"
    first = await session(rig.http, token)
    # Nobody has checked the token before: it is the address that asks.
    assert first.headers["ratelimit"].startswith('"anonymous";r=5;')
    found = [await session(rig.http, token) for _ in range(10)]
    assert [answer.status_code for answer in found] == [200] * 9 + [429]
    assert found[0].headers["ratelimit"].startswith('"account";r=8;')
    assert (await session(rig.http, "a.b.c")).headers["ratelimit"].startswith('"anonymous";r=4;')


async def test_sign_ins_are_limited_by_address_and_by_account(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    rig.http.headers["X-Forwarded-For"] = "192.0.2.4"
    assert (await wallet.login()).status_code == 200
    refused = await wallet.login("not a message")
    check_problem(refused, 422, "INVALID_REQUEST")
    check_problem(await wallet.login(), 429, "RATE_LIMITED")
    # The same wallet from elsewhere, which has not tried yet.
    rig.http.headers["X-Forwarded-For"] = "192.0.2.5"
    assert (await wallet.login()).status_code == 200
    check_problem(await wallet.login(), 429, "RATE_LIMITED")
    rig.http.headers["X-Forwarded-For"] = "192.0.2.6"
    check_problem(await wallet.login(), 429, "RATE_LIMITED")
    assert (await Wallet(rig.http).login()).status_code == 200


async def test_gateways_share_what_an_address_may(embedded_redis_url: str, patient: None) -> None:
    async with (
        beating_feed(embedded_redis_url) as feed,
        gateway_here(embedded_redis_url, feed, Siblings(), peers=BEHIND_A_PROXY, rates=FEW) as one,
        gateway_here(
            embedded_redis_url, feed, Siblings(), peers=BEHIND_A_PROXY, rates=FEW
        ) as other,
    ):
        assert await statuses(one.http, 4, "192.0.2.7") == [200] * 4
        assert await statuses(other.http, 4, "192.0.2.7") == [200] * 2 + [429] * 2


async def test_tokens_come_back_with_time_and_no_more_than_there_were(
    embedded_redis_url: str,
) -> None:
    redis = Redis.from_url(embedded_redis_url)
    policy = Policy("test", HOURLY, 4)
    limiter = limits.RateLimiter(redis, FEW, 1)
    key = rate_key("test", "a")
    try:
        now_s, _ = await redis.time()
        for level, ago_h, left in ((0, 1.5, 0), (0, 2.5, 1), (0, 100, 3), (3.5, 0, 2)):
            await redis.set(key, f"{level} {now_s - ago_h * 3600:.6f}")
            assert int(await limiter.admit(policy, "a")) == left
            assert 0 < await redis.ttl(key) <= 4 * 3600 + 1
        await redis.set(key, f"0 {now_s + 36_000}")
        with pytest.raises(limits.TooMany):
            await limiter.admit(policy, "a")
    finally:
        await redis.delete(key)
        await redis.aclose()


async def test_without_redis_reads_have_their_part_and_nobody_signs_in(tmp_path: Path) -> None:
    half = Rates(replace(FEW.anonymous, burst=8), FEW.account, FEW.login)
    first_of_two = Siblings("a", 1, 2, tmp_path)
    with open_folder() as folder, ExitStack() as servers:
        server = await asyncio.to_thread(prepared, EmbeddedRedis, folder)
        redis = await asyncio.to_thread(servers.enter_context, started(server, folder))
        async with (
            beating_feed(server.url) as feed,
            gateway_here(
                server.url, feed, first_of_two, peers=BEHIND_A_PROXY, auth=config(), rates=half
            ) as rig,
        ):
            redis.send_signal(signal.SIGSTOP)
            try:
                found = [
                    (await rig.http.get("/v1/markets", headers=of("192.0.2.8"))).status_code
                    for _ in range(6)
                ]
                body = {"message": "x", "signature": "0x"}
                answer = await rig.http.post("/v1/auth/login", json=body, headers=of("192.0.2.9"))
            finally:
                redis.send_signal(signal.SIGCONT)
            assert found == [200] * 4 + [429] * 2
            check_problem(answer, 503, "REDIS_UNAVAILABLE")
