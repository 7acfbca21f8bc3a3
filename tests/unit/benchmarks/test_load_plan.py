"""The plan of a load, and the arithmetic of its plots."""

import dataclasses
from typing import Any

import pytest

from benchmarks.load import plots
from benchmarks.load.plan import LoadError, LoadPlan

PLAN = LoadPlan(url="http://127.0.0.1:1", sockets=20, rooms=("a", "b", "c"), rooms_per_socket=2)


def test_rooms_are_dealt_in_turn() -> None:
    assert [PLAN.rooms_of(index) for index in range(4)] == [
        ("a", "b"), ("c", "a"), ("b", "c"), ("a", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(("percent", "slow"), [(0, 0), (10, 100), (33, 330), (100, 1000)])
def test_slow_readers_are_exactly_so_many_and_spread(percent: int, slow: int) -> None:
    plan = dataclasses.replace(PLAN, slow_percent=percent)
    chosen = [index for index in range(1000) if plan.is_slow(index)]
    assert len(chosen) == slow
    assert len([index for index in chosen if index < 100]) == percent


@pytest.mark.parametrize(
    "wrong",
    [
        {"rooms": ()},
        {"rooms": ("a", "a", "b")},
        {"rooms_per_socket": 4},
        {"sockets": 0},
        {"processes": 21},
        {"seconds": 0.0},
        {"storm_at_s": 31.0},
        {"slow_percent": 10, "slow_at_s": 20.0, "slow_for_s": 11.0},
        {"slow_percent": 10, "slow_at_s": 5.0, "slow_for_s": 5.0, "storm_at_s": 9.0},
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    PLAN.check()
    with pytest.raises(LoadError):
        dataclasses.replace(PLAN, **wrong).check()


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (plots.linear(0, 0), None),
        (plots.linear(0, 1000), ["0", "250", "500", "750", "1k"]),
        (plots.linear(0, 130_000), ["0", "50k", "100k", "150k"]),
        (plots.latency(0.3, 42.0), ["0.1 ms", "1 ms", "10 ms", "100 ms"]),
        (plots.latency(100.0, 10_000.0), ["100 ms", "1 s", "10 s"]),
        (plots.nines(99.9), ["0 %", "90 %", "99 %", "99.9 %"]),
        (plots.seconds(0, 60), ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]),
    ],
)
def test_axes(axis: plots.Axis, texts: list[str] | None) -> None:
    if texts is not None:
        assert [text for _, text in axis.ticks] == texts
    places = [axis.place(value) for value, _ in axis.ticks]
    assert places == sorted(places)
    assert places[0] == pytest.approx(0)
    assert places[-1] == pytest.approx(1)
