"""Orders from acceptance to their end, one event at a time."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvariantViolation
from domain.orders import OrderState, Reason
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
)
from execution.lifecycle import (
    BookFill,
    CancelAtVenue,
    Effect,
    Event,
    Order,
    Reconcile,
    Seen,
    SendAgain,
    Step,
    TakeBackFill,
    Tell,
    Undone,
    apply,
    replay,
)

ORDER = Order("o1", Decimal(2))
WHY = Reason("X", "because")


def at(block: int, log: int, branch: str = "a") -> EventPlace:
    return EventPlace(42161, block, f"0x{branch}{block}", f"0xt{block}", log)


def fill(place: EventPlace, size: int = 2, *, completes: bool = True) -> Executed:
    return Executed(place, "0xme", "key", Decimal(100), Decimal(size), completes)


MINED = Mined(at(5, -1))
RESTING = Resting(at(5, 2), "0xme", "key", "market", False)
FILLED = fill(at(7, 3))
PARTLY = fill(at(7, 3), 1, completes=False)
DROPPED = Cancelled(at(8, 1), "0xme", "key", WHY, by_user=True)
REVERTED = Reverted(at(5, -1, "r"), WHY)
FROZEN = Frozen(at(6, 1), "0xme", "key", WHY, needs_update=True)

CLAIMED = Claimed(at(5, 4), "0xme", "claim:0xt5", "funding", "USDC", Decimal(3))
KEPT = Kept(at(7, 2), "0xme", "key", "0xt:498611", "USDC", Decimal(3))


def run(*events: Event | Outcome | str) -> tuple[Order, list[Effect]]:
    order = ORDER
    effects: list[Effect] = []
    for event in events:
        if isinstance(event, str):
            event = Step(event, WHY)  # type: ignore[arg-type]
        elif not isinstance(event, (Step, Seen, Undone)):
            event = Seen(event)
        order, more = apply(order, event)
        effects += [effect for effect in more if not isinstance(effect, Tell)]
    return order, effects


SENT = ("prepared", "submitted")


@pytest.mark.parametrize(
    ("state", "events"),
    [
        ("accepted", ()),
        ("prepared", ("prepared", "prepared")),
        ("submitted", SENT),
        ("mined", (*SENT, MINED)),
        ("working", (*SENT, MINED, RESTING)),
        ("partially_filled", (*SENT, MINED, RESTING, PARTLY)),
        ("filled", (*SENT, MINED, RESTING, FILLED)),
        ("filled", (*SENT, CLAIMED)),
        ("filled", (*SENT, MINED, replace(CLAIMED, place=at(5, 3)), CLAIMED)),
        ("mined", (*SENT, CLAIMED, MINED, Undone(CLAIMED.place))),
        ("working", (*SENT, MINED, RESTING, KEPT)),
        ("filled", (*SENT, MINED, RESTING, KEPT, FILLED)),
        ("cancelled", (*SENT, MINED, RESTING, PARTLY, DROPPED)),
        ("rejected", (*SENT, REVERTED)),
        ("rejected", ("prepared", "rejected")),
        ("cancelled", ("prepared", "withdrawn")),
        ("expired", ("expired",)),
        ("dead", ("prepared", "failed")),
        ("prepared", ("prepared", "failed", "replayed")),
        ("accepted", ("failed", "replayed")),
        ("unknown", (*SENT, "lost")),
        ("submitted", (*SENT, "lost", "submitted")),
        ("filled", (*SENT, "lost", FILLED)),
        ("working", (*SENT, RESTING, "lost", RESTING)),
        # Found under another hash than ours: the wallet sped it up.
        ("working", ("prepared", RESTING)),
        # A payload that was handed out may land after we gave up.
        ("mined", ("prepared", "expired", MINED)),
        ("filled", ("prepared", "withdrawn", FILLED)),
        ("expired", ("prepared", "expired", MINED, Undone(MINED.place))),
        # Back by the way it came.
        ("submitted", (*SENT, MINED, Undone(MINED.place))),
        ("working", (*SENT, MINED, RESTING, FILLED, Undone(FILLED.place))),
        ("mined", (*SENT, MINED, REVERTED, Undone(REVERTED.place))),
    ],
)
def test_the_state_after(state: OrderState, events: tuple[Any, ...]) -> None:
    assert run(*events)[0].state == state


@pytest.mark.parametrize(
    "events",
    [
        ("submitted",),
        ("lost",),
        (MINED,),
        ("prepared", "rerouted"),
        (*SENT, "failed"),
        (*SENT, "prepared"),
        (*SENT, MINED, "expired"),
        (*SENT, MINED, RESTING, "withdrawn"),
        (*SENT, FILLED, "cancel_requested"),
        (*SENT, FILLED, "lost"),
        (*SENT, "finalised"),
        ("expired", "replayed"),
        ("expired", MINED, "submitted"),
    ],
)
def test_what_does_not_happen(events: tuple[Any, ...]) -> None:
    with pytest.raises(InvariantViolation) as caught:
        run(*events)
    assert caught.value.code == "ILLEGAL_TRANSITION"


def test_a_mined_transaction_is_no_fill() -> None:
    order, effects = run(*SENT, MINED, RESTING)
    assert (order.filled_base, order.average_price, effects) == (Decimal(0), None, [])


def test_fills_are_booked_once_and_taken_back() -> None:
    order, effects = run(*SENT, PARTLY, PARTLY, fill(at(9, 1), 1))
    assert effects == [BookFill(PARTLY), BookFill(fill(at(9, 1), 1))]
    assert (order.filled_base, order.average_price) == (Decimal(2), Decimal(100))
    order, effects = run(*SENT, FILLED, Undone(FILLED.place), Undone(FILLED.place))
    assert effects == [BookFill(FILLED), TakeBackFill(FILLED)]
    assert order.filled_base == 0


def test_what_was_mined_in_a_block_that_is_gone_is_sent_again() -> None:
    order, effects = run(*SENT, MINED, Undone(MINED.place), replace(MINED, place=at(6, -1, "b")))
    assert (order.state, effects) == ("mined", [SendAgain()])


def test_a_lost_order_is_looked_for() -> None:
    assert run(*SENT, "lost")[1] == [Reconcile()]


def test_a_cancel_waits_until_there_is_something_to_cancel_and_goes_out_once() -> None:
    order, effects = run(*SENT, "cancel_requested", MINED)
    assert (order.state, effects) == ("mined", [])
    _, effects = run(*SENT, "cancel_requested", RESTING, MINED, FROZEN)
    assert effects == [CancelAtVenue()]
    _, effects = run(*SENT, RESTING, "cancel_requested", "cancel_requested")
    assert effects == [CancelAtVenue()]


def test_the_venues_word_and_reason_come_first() -> None:
    order, _ = run(*SENT, MINED, RESTING, FROZEN)
    assert (order.venue_state, order.why) == ("frozen", WHY)
    order, _ = run("prepared", "withdrawn")
    assert (order.venue_state, order.why) == (None, WHY)


def test_versions_count_what_changed_it() -> None:
    assert run("prepared", "submitted", MINED, MINED)[0].version == 4


def test_nothing_happens_after_the_end() -> None:
    done = (*SENT, FILLED, "finalised")
    assert run(*done, "finalised", FILLED, Undone(at(1, 1)))[0].final
    with pytest.raises(InvariantViolation) as caught:
        run(*done, Undone(FILLED.place))
    assert caught.value.code == "AFTER_FINAL"


def test_two_facts_at_one_place_are_a_bug() -> None:
    with pytest.raises(InvariantViolation) as caught:
        run(*SENT, FILLED, PARTLY)
    assert caught.value.code == "CONFLICTING_FACT"


def test_every_change_is_told_with_its_states() -> None:
    order, told = apply(ORDER, Step("prepared"))
    assert told == (Tell("prepared", "accepted", "prepared"),)
    assert replay(ORDER, [Step("prepared")]) == order


def test_what_it_waited_for_is_no_reason_when_it_goes_on() -> None:
    gas, nodes = Reason("GAS_PRICE", "too dear"), Reason("RECEIPT_DISPUTED", "one lies")
    order = replay(ORDER, [Step("held", gas)])
    assert (order.state, order.why, order.version) == ("accepted", gas, 2)
    assert apply(order, Step("held", gas)) == (order, ())
    order = replay(order, [Step("prepared")])
    assert order.why is None
    order = replay(order, [Step("submitted"), Step("held", nodes)])
    assert (order.state, order.why) == ("submitted", nodes)
    assert replay(order, [Seen(MINED)]).why is None
    assert replay(order, [Step("lost", WHY), Step("held", nodes)]).state == "unknown"
    # Other reasons are not what it waited for.
    assert replay(ORDER, [Step("update_refused", WHY), Step("prepared")]).why == WHY
    with pytest.raises(InvariantViolation):
        apply(replay(order, [Seen(FILLED)]), Step("held", nodes))
