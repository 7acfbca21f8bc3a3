"""Orders under facts in any order, told any number of times, and chains that are reorganised."""

from decimal import Decimal
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvariantViolation
from domain.orders import TRANSITIONS, Reason
from domain.outcomes import (
    Cancelled,
    Claimed,
    EventPlace,
    Executed,
    Frozen,
    Kept,
    Mined,
    Outcome,
    Resting,
    Reverted,
    Updated,
)
from execution.lifecycle import (
    BookFill,
    Event,
    Order,
    Seen,
    SendAgain,
    Step,
    TakeBackFill,
    Tell,
    Undone,
    apply,
)

WHY = Reason("X", "because")
STEPS: tuple[Any, ...] = get_args(Step.__annotations__["event"])
START = Order("o", Decimal(3))


def place(at: int) -> EventPlace:
    return EventPlace(42161, at // 3, f"0x{at // 3}", f"0xt{at}", at % 3)


def fact(kind: int, at: int) -> Outcome:
    where = place(at)
    return (
        Mined(where),
        Reverted(where, WHY),
        Resting(where, "0xa", "k", "limit", False),
        Executed(where, "0xa", "k", Decimal(100 + at), Decimal(1), completes=False),
        Executed(where, "0xa", "k", Decimal(100 + at), Decimal(1), completes=True),
        Cancelled(where, "0xa", "k", WHY, by_user=False),
        Frozen(where, "0xa", "k", WHY, needs_update=True),
        Updated(where, "0xa", "k"),
        Claimed(where, "0xa", "k", "funding", "USDC", Decimal(at)),
        Kept(where, "0xa", "k", "0xt:1", "USDC", Decimal(1)),
    )[kind]


# Of each place what is told of it, in the order in which it is: seen, perhaps again and again, and
# taken back.
TOLD = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.booleans(), min_size=1, max_size=4)),
    min_size=1,
    max_size=7,
)


def events_of(told: list[tuple[int, list[bool]]]) -> list[list[Event]]:
    return [
        [Seen(fact(kind, at)) if seen else Undone(place(at)) for seen in of_place]
        for at, (kind, of_place) in enumerate(told)
    ]


def sent() -> Order:
    order, _ = apply(START, Step("prepared"))
    return apply(order, Step("submitted"))[0]


@settings(deadline=None)
@given(TOLD, st.data())
def test_any_order_of_what_is_told_ends_the_same(
    told: list[tuple[int, list[bool]]], data: st.DataObject
) -> None:
    expected = {fact(kind, at) for at, (kind, of_place) in enumerate(told) if of_place[-1]}
    ends = []
    for _ in range(2):
        waiting = events_of(told)
        order, booked, again = sent(), [], 0
        while any(waiting):
            at = data.draw(st.sampled_from([n for n, queue in enumerate(waiting) if queue]))
            before = order
            order, effects = apply(order, waiting[at].pop(0))
            for effect in effects:
                if isinstance(effect, BookFill):
                    booked.append(effect.fill)
                elif isinstance(effect, TakeBackFill):
                    booked.remove(effect.fill)
                elif isinstance(effect, Tell):
                    assert (effect.before, effect.after) == (before.state, order.state)
            again += sum(isinstance(effect, SendAgain) for effect in effects)
        assert set(order.facts) == expected
        # The ledger is what the venue says was filled, however it came to that.
        assert sorted(booked, key=lambda fill: fill.price) == list(order.fills)
        ends.append((order.state, order.filled_base, order.average_price, order.venue_state, again))
    assert ends[0] == ends[1]


EVENTS = st.one_of(
    st.sampled_from(STEPS).map(lambda name: Step(name, WHY)),
    st.tuples(st.integers(0, 7), st.integers(0, 5)).map(lambda of: Seen(fact(*of))),
    st.integers(0, 5).map(lambda at: Undone(place(at))),
)


@given(st.lists(EVENTS, max_size=12))
def test_what_happens_stands_in_the_table_and_the_rest_raises(events: list[Event]) -> None:
    order = START
    for event in events:
        try:
            following, effects = apply(order, event)
        except InvariantViolation:
            continue
        if following is order:
            assert effects == ()
            continue
        tell = effects[0]
        assert isinstance(tell, Tell)
        assert following.state in TRANSITIONS[order.state][tell.event]
        assert following.version == order.version + 1
        assert not order.final or tell.event == "landed_late"
        assert not order.final or (following.state, following.final) == (order.state, True)
        if "submitted" in (order.phase, following.phase):
            assert following.state != "dead"
        order = following
