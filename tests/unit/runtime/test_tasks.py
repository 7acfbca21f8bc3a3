"""Backoff, supervision, and the times that are written."""

import asyncio

import pytest

from domain.errors import InvariantViolation
from runtime.channels import quote_key, room_kind, room_market
from runtime.clock import iso_ms
from runtime.tasks import Backoff, sleep_or_stop, supervise


def test_delays_double_with_jitter_up_to_the_cap_and_start_over() -> None:
    backoff = Backoff(0.25, 2.0)
    for _ in range(2):
        for base in [0.25, 0.5, 1.0, *[2.0] * 60]:
            assert base / 2 <= backoff.next_s() <= base
        assert backoff.failures == 63
        backoff.reset()
    assert len({backoff.next_s() for _ in range(50)}) > 10


async def test_a_crashed_task_runs_again_until_it_returns() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise RuntimeError("crash")

    await supervise("test", run, first_s=0.001, cap_s=0.002)
    assert runs == 4


async def test_a_bug_is_not_run_again() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        raise InvariantViolation("BUG", "a bug")

    with pytest.raises(InvariantViolation):
        await supervise("test", run, first_s=0.001)
    assert runs == 1


async def test_waiting_ends_with_stop() -> None:
    stop = asyncio.Event()
    assert not await sleep_or_stop(stop, 0.001)
    asyncio.get_running_loop().call_soon(stop.set)
    assert await sleep_or_stop(stop, 3600)


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_790_000_000_123_999, "2026-09-21T14:13:20.123Z"),
    ],
)
def test_times_are_iso_with_milliseconds(us: int, text: str) -> None:
    assert iso_ms(us) == text


@pytest.mark.parametrize(
    ("room", "kind", "market"),
    [("price:BTC-USD", "price", "BTC-USD"), ("prices", "prices", ""), ("venues", "venues", "")],
)
def test_rooms(room: str, kind: str, market: str) -> None:
    assert (room_kind(room), room_market(room)) == (kind, market)
    assert quote_key("BTC-USD") == "quote:BTC-USD"
