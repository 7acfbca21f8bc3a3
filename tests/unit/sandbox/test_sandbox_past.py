"""The time before the replicas began."""

import math
from itertools import pairwise

import pytest

from sandbox.past import Bar, Past

NOW_S = 1_795_392_123
END = math.inf


def bars(width_s: int, limit: int, name: str = "BTC-USD") -> list[Bar]:
    return list(Past(name, 97_000.0, NOW_S).newest(width_s, limit, 0, END))


@pytest.mark.parametrize("width_s", [60, 900, 3_600, 86_400])
def test_it_ends_where_the_replica_begins_and_has_no_gap(width_s: int) -> None:
    found = bars(width_s, 300)
    assert [bar[0] for bar in found] == [
        NOW_S // width_s * width_s - (n + 1) * width_s for n in range(300)
    ]
    for (_, first, high, low, _), (*_, before) in pairwise(found):
        assert first == pytest.approx(before)
        assert low <= first <= high
    assert found[0][4] == pytest.approx(97_000, rel=0.02)


def test_wide_candles_begin_and_end_as_the_narrow_ones_do() -> None:
    (hour,), minutes = bars(3_600, 1), bars(60, 300)
    within = [bar for bar in minutes if hour[0] <= bar[0] < hour[0] + 3_600]
    assert within[-1][1] == pytest.approx(hour[1])
    assert within[0][4] == pytest.approx(hour[4])


def test_markets_have_their_own_and_a_range_is_a_part_of_the_whole() -> None:
    assert bars(60, 5) != bars(60, 5, "ETH-USD")
    whole = bars(60, 10)
    part = Past("BTC-USD", 97_000.0, NOW_S).newest(60, 100, whole[6][0], whole[2][0])
    assert list(part) == whole[3:7]
