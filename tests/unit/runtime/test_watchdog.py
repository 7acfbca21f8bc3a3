"""What is noticed of an event loop that stands still."""

import asyncio

import pytest

from runtime import watchdog
from runtime.watchdog import BLOCKED_S, REMEMBERED_NS, LoopWatch


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(watchdog, "mono_ns", found)
    monkeypatch.setattr(watchdog, "STEP_S", 0.0)
    return found


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_block_is_told_while_it_lasts_and_remembered_for_a_while(clock: Clock) -> None:
    lags: list[float] = []
    watch = LoopWatch(lags.append)
    running = asyncio.create_task(watch.run())
    await turn()
    assert watch.trouble is None
    clock.pass_s(BLOCKED_S / 2)
    assert watch.trouble is None
    clock.pass_s(BLOCKED_S)
    # The watch itself had no turn yet.
    assert watch.trouble == "the event loop stood still for 1.5 s"
    await turn()
    assert max(lags) == pytest.approx(1.5)
    assert watch.lag_s == 0
    assert watch.trouble == "the event loop stood still for 1.5 s"
    for _ in range(10):
        clock.now_ns += REMEMBERED_NS // 10
        await turn()
    assert watch.trouble is None
    running.cancel()
