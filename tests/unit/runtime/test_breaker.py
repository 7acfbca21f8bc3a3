"""When a server is asked, and when it is left alone."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.breaker import TRIAL_NS, Breaker
from runtime.guard import Guard, Resting

REST_NS = 1_000


def opened(at_ns: int = 0) -> Breaker:
    breaker = Breaker(2, REST_NS)
    for _ in range(2):
        assert breaker.allows(at_ns)
        breaker.failed(at_ns, "gone")
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(2, REST_NS)
    for _ in range(5):
        breaker.failed(0, "gone")
        breaker.succeeded()
    assert not breaker.is_open
    breaker.failed(0, "gone")
    assert breaker.allows(0)
    breaker.failed(0, "really gone")
    assert (breaker.is_open, breaker.allows(0), breaker.cause) == (True, False, "really gone")


def test_one_silence_is_enough() -> None:
    breaker = Breaker(3, REST_NS)
    breaker.failed(0, "no answer", silent=True)
    assert not breaker.allows(0)
    assert breaker.allows(REST_NS)
    breaker.succeeded()
    breaker.failed(REST_NS, "gone")
    assert not breaker.is_open


def test_after_its_rest_one_call_finds_out() -> None:
    breaker = opened()
    assert not breaker.allows(REST_NS - 1)
    assert breaker.allows(REST_NS)
    assert not breaker.allows(REST_NS)
    breaker.failed(REST_NS + 5, "still gone")
    assert not breaker.allows(2 * REST_NS)
    assert breaker.allows(2 * REST_NS + 5)
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.allows(2 * REST_NS + 5)


def test_a_rest_is_shortened_by_jitter() -> None:
    breaker = Breaker(1, REST_NS)
    breaker.failed(0, "gone", jitter=0.5)
    assert not breaker.allows(REST_NS // 2 - 1)
    assert breaker.allows(REST_NS // 2)


def test_a_trial_that_nobody_waited_for_does_not_stay_the_last_one() -> None:
    breaker = opened()
    assert breaker.allows(REST_NS)
    breaker.abandoned()
    assert breaker.allows(REST_NS)
    # Its outcome is never told.
    assert not breaker.allows(REST_NS + TRIAL_NS - 1)
    assert breaker.allows(REST_NS + TRIAL_NS)


@given(st.lists(st.tuples(st.integers(0, 3 * REST_NS), st.booleans()), max_size=60))
def test_an_open_one_lets_a_call_through_at_most_once_a_rest(
    calls: list[tuple[int, bool]],
) -> None:
    breaker, now_ns, let_through_ns = opened(), 0, -1
    for wait_ns, works in calls:
        now_ns += wait_ns
        was_open = breaker.is_open
        if not breaker.allows(now_ns):
            assert was_open
            continue
        if was_open:
            assert let_through_ns < 0 or now_ns - let_through_ns >= REST_NS
            let_through_ns = now_ns
        if works:
            breaker.succeeded()
            let_through_ns = -1
        else:
            breaker.failed(now_ns, "gone")
        assert breaker.is_open or works or not was_open


# The guard: with real time, but no waiting for it.


def guard(limit_s: float | None = None) -> Guard:
    return Guard("server", Breaker(1, 10**12), (OSError, TimeoutError), limit_s=limit_s)


async def use(guarded: Guard, act: Callable[[], None]) -> None:
    async with guarded.call():
        act()


async def test_what_the_server_answers_is_no_failure_whatever_it_says() -> None:
    guarded = guard()

    def refuse() -> None:
        raise ValueError("no such thing")

    for _ in range(3):
        with pytest.raises(ValueError, match="no such thing"):
            await use(guarded, refuse)
    assert not guarded.is_open


async def test_a_lost_server_is_not_asked_again_and_the_refusal_says_why() -> None:
    guarded = guard()

    def lose() -> None:
        raise ConnectionResetError("reset by peer")

    with pytest.raises(ConnectionResetError):
        await use(guarded, lose)
    asked: list[None] = []
    with pytest.raises(Resting, match=r"server is not asked .*ConnectionResetError: reset by peer"):
        await use(guarded, lambda: asked.append(None))
    assert asked == []


async def test_a_server_that_does_not_answer_is_lost() -> None:
    guarded = guard(0.0)
    with pytest.raises(TimeoutError):
        async with guarded.call():
            await asyncio.Event().wait()
    assert guarded.is_open


async def test_who_stops_waiting_says_nothing_about_the_server() -> None:
    guarded = guard()
    begun = asyncio.Event()

    async def wait() -> None:
        async with guarded.call():
            begun.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await begun.wait()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not guarded.is_open
