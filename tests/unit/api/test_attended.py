import pytest

from api import attended
from api.attended import AttendedClock


@pytest.fixture
def mono(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [1_000]
    monkeypatch.setattr(attended, "mono_ns", lambda: now[0])
    return now


def test_it_moves_with_time_while_it_is_looked_at(mono: list[int]) -> None:
    clock = AttendedClock(0.1)
    for _ in range(50):
        mono[0] += 120_000_000
        clock.now_ns()
    assert clock.now_ns() == 50 * 120_000_000


def test_a_stall_counts_as_two_ticks(mono: list[int]) -> None:
    clock = AttendedClock(0.1)
    mono[0] += 60_000_000_000
    assert clock.now_ns() == 200_000_000
    mono[0] += 50_000_000
    assert clock.now_ns() == 250_000_000
