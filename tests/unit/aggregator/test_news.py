"""What is told first: a tick before a poll, and nothing twice or never."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from aggregator.news import BULK, Mark, News
from domain.ids import MarketId

LIMIT = 32
POLL = [MarketId(f"M{number}-USD") for number in range(100)]
TICK = MarketId("TICK-USD")


def mark(at_us: int) -> Mark:
    return "frame", at_us


def polled() -> News:
    news = News()
    for market in POLL:
        news.add_bulk(market, mark(1))
    return news


def test_a_tick_comes_before_a_poll_that_came_before_it() -> None:
    news = polled()
    news.add(TICK, mark(2))
    taken = news.take(LIMIT)
    assert list(taken) == [TICK, *POLL[:BULK]]
    assert taken[TICK] == mark(2)
    assert list(news.take(LIMIT)) == POLL[BULK : 2 * BULK]


def test_a_poll_is_told_also_among_many_ticks() -> None:
    news = polled()
    ticks = [MarketId(f"T{number}-USD") for number in range(LIMIT)]
    for market in ticks:
        news.add(market, mark(2))
    assert list(news.take(LIMIT)) == [*ticks[: LIMIT - BULK], *POLL[:BULK]]


def test_a_market_of_a_poll_that_ticks_is_told_once_with_the_tick() -> None:
    news = polled()
    news.add(POLL[-1], mark(2))
    assert news.take(LIMIT)[POLL[-1]] == mark(2)
    rest = [market for _ in range(10) for market in news.take(LIMIT)]
    assert rest == POLL[BULK:-1]
    assert not news


def test_a_market_that_ticked_keeps_its_place_when_a_poll_tells_of_it() -> None:
    news = News()
    news.add(TICK, mark(1))
    for market in (*POLL, TICK):
        news.add_bulk(market, mark(2))
    assert next(iter(news.take(LIMIT).items())) == (TICK, mark(2))


def test_what_else_is_to_be_said_keeps_its_cause() -> None:
    news = News()
    news.add(TICK, ("status", 1))
    news.add_first(TICK, mark(2))
    news.add_first_bulk(TICK, mark(3))
    news.add_first_bulk(POLL[0], mark(4))
    news.add_first(POLL[0], mark(5))
    assert news.take(LIMIT) == {TICK: ("status", 1), POLL[0]: mark(4)}
    assert news.moved == {TICK, POLL[0]}


_WAYS = st.sampled_from(["add", "add_bulk", "add_first", "add_first_bulk", "level", "behind"])


@given(st.lists(st.tuples(_WAYS, st.sampled_from(POLL[:30]))), st.integers(1, 40))
def test_everything_is_taken_once(told: list[tuple[str, MarketId]], limit: int) -> None:
    news, numbers = News(), count(1)
    for way, market in told:
        if way in ("level", "behind"):
            news.add_level(market, mark(next(numbers)), moved=way == "level")
        else:
            getattr(news, way)(market, mark(next(numbers)))
    taken: list[MarketId] = []
    while news:
        some = news.take(limit)
        assert 0 < len(some) <= limit
        taken += some
    assert sorted(taken) == sorted({market for _, market in told})


@given(st.lists(st.tuples(_WAYS, st.sampled_from(POLL[:30]))))
def test_without_a_limit_all_are_taken(told: list[tuple[str, MarketId]]) -> None:
    news = News()
    for way, market in told:
        if way in ("level", "behind"):
            news.add_level(market, mark(1), moved=way == "level")
        else:
            getattr(news, way)(market, mark(1))
    assert set(news.take(None)) == {market for _, market in told}
    assert not news
