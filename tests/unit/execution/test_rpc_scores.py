"""Which node is asked first."""

from execution.rpc_scores import (
    HEDGE_MAX_MS,
    HEDGE_MIN_MS,
    LAG_S,
    REST_NS,
    WRONG_CHAIN_REST_NS,
    Score,
    turn,
)

NOW = 10**12


def fast() -> Score:
    score = Score()
    score.succeeded(20.0)
    return score


def slow() -> Score:
    score = Score()
    score.succeeded(400.0)
    return score


def test_the_fast_one_comes_first() -> None:
    assert turn([slow(), fast()], NOW) == [1, 0]


def test_who_took_the_last_transaction_comes_first() -> None:
    assert turn([slow(), fast()], NOW, sticky=0) == [0, 1]


def test_one_that_failed_comes_last_until_it_has_rested_or_answers() -> None:
    failed = fast()
    failed.failed(NOW)
    assert turn([failed, slow()], NOW + REST_NS - 1) == [1, 0]
    assert turn([failed, slow()], NOW + REST_NS) == [0, 1]
    failed.failed(NOW)
    assert turn([failed, slow()], NOW + REST_NS) == [1, 0]
    failed.succeeded(20.0)
    assert turn([failed, slow()], NOW) == [0, 1]


def test_a_head_that_is_old_is_the_last_resort() -> None:
    late, current = fast(), slow()
    late.head, late.head_time_s = 10, 1_000
    current.head, current.head_time_s = 99, 1_000 + LAG_S
    assert turn([late, current], NOW) == [0, 1]
    current.head_time_s += 1
    assert turn([late, current], NOW) == [1, 0]


def test_a_node_of_another_chain_is_not_asked() -> None:
    other = fast()
    other.is_of_another_chain(NOW)
    assert turn([other, slow()], NOW) == [1]
    assert turn([other], NOW) == []
    assert turn([other], NOW + WRONG_CHAIN_REST_NS) == [0]


def test_another_one_is_asked_within_a_second() -> None:
    assert Score().hedge_after_ms == HEDGE_MAX_MS
    assert fast().hedge_after_ms == HEDGE_MIN_MS
    assert slow().hedge_after_ms == 400.0
    slowest = Score()
    slowest.succeeded(9_000.0)
    assert slowest.hedge_after_ms == HEDGE_MAX_MS
