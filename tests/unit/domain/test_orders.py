"""What an intent has to be, and which changes of an order there are."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any, get_args

import pytest

from domain.errors import InputError, InvariantViolation
from domain.ids import MarketId
from domain.orders import (
    TERMINAL,
    TRANSITIONS,
    Brackets,
    OrderEvent,
    OrderIntent,
    OrderState,
    check_transition,
)


def intent(**fields: Any) -> OrderIntent:
    given: dict[str, Any] = {
        "market": MarketId("BTC-USD"),
        "side": "BUY",
        "intent": "open",
        "type": "market",
        "notional_usd": Decimal(1000),
        "leverage": Decimal(5),
    }
    return OrderIntent(**(given | fields))


EXIT = {"intent": "close", "notional_usd": None, "leverage": None, "side": "SELL"}
LIMIT = {"type": "limit", "limit_price": Decimal(97000)}


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("BAD_AMOUNT", {"notional_usd": Decimal(0)}),
        ("BAD_AMOUNT", {"notional_usd": Decimal(-1)}),
        ("BAD_AMOUNT", {"notional_usd": Decimal("NaN")}),
        ("BAD_AMOUNT", {"notional_usd": Decimal("Infinity")}),
        ("BAD_AMOUNT", {"notional_usd": Decimal("1E+40")}),
        ("BAD_AMOUNT", {"brackets": Brackets(take_profit=Decimal(0))}),
        ("BAD_SLIPPAGE", {"slippage_bps": Decimal(-1)}),
        ("BAD_SLIPPAGE", {"slippage_bps": Decimal(10_000)}),
        ("BAD_SLIPPAGE", {"slippage_bps": Decimal("NaN")}),
        ("BAD_SIZE", {"size_base": Decimal(1)}),
        ("BAD_SIZE", {"notional_usd": None}),
        ("BAD_SIZE", EXIT | {"intent": "decrease"}),
        ("BAD_COLLATERAL", {"leverage": None}),
        ("BAD_COLLATERAL", {"collateral_amount": Decimal(10)}),
        ("BAD_COLLATERAL", EXIT | {"leverage": Decimal(2)}),
        ("BAD_TRIGGER", {"trigger_price": Decimal(1)}),
        ("BAD_TRIGGER", {"type": "stop"}),
        ("BAD_LIMIT", {"type": "limit"}),
        ("BAD_BRACKETS", EXIT | {"brackets": Brackets(stop_loss=Decimal(1))}),
        ("BAD_TIME_IN_FORCE", LIMIT | {"time_in_force": "GTT"}),
        ("BAD_TIME_IN_FORCE", {"good_til_s": 1}),
        ("BAD_TIME_IN_FORCE", {"time_in_force": "GTT", "good_til_s": 1}),
        ("BAD_POST_ONLY", {"post_only": True}),
        ("BAD_POST_ONLY", LIMIT | {"post_only": True, "time_in_force": "IOC"}),
        ("BAD_REDUCE_ONLY", {"reduce_only": True}),
    ],
)
def test_what_does_not_fit_is_refused(code: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        intent(**fields)
    assert caught.value.code == code


def test_what_fits() -> None:
    intent()
    intent(**LIMIT, post_only=True, time_in_force="GTT", good_til_s=1_800_000_000)
    intent(**EXIT, reduce_only=True)
    intent(type="stop", trigger_price=Decimal(98000), brackets=Brackets(stop_loss=Decimal(96000)))


@pytest.mark.parametrize(
    ("side", "kind", "position"),
    [
        ("BUY", "open", "LONG"),
        ("BUY", "increase", "LONG"),
        ("SELL", "open", "SHORT"),
        ("SELL", "close", "LONG"),
        ("SELL", "decrease", "LONG"),
        ("BUY", "close", "SHORT"),
    ],
)
def test_the_position_it_means(side: str, kind: str, position: str) -> None:
    exits = {"leverage": None} if kind in ("close", "decrease") else {}
    assert intent(side=side, intent=kind, **exits).position_side == position


STATES: tuple[OrderState, ...] = get_args(OrderState)
EVENTS: tuple[OrderEvent, ...] = get_args(OrderEvent)


def test_every_pair_that_is_not_in_the_table_raises() -> None:
    refused = 0
    for state, event, then in product(STATES, EVENTS, STATES):
        if then in TRANSITIONS[state].get(event, ()):
            check_transition(state, event, then)
        else:
            refused += 1
            with pytest.raises(InvariantViolation) as caught:
                check_transition(state, event, then)
            assert caught.value.code == "ILLEGAL_TRANSITION"
    assert refused > 1_000


def test_the_table_has_every_state_and_no_unknown_event() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert {event for row in TRANSITIONS.values() for event in row} == set(EVENTS)


def targets(state: OrderState) -> set[OrderState]:
    return {then for thens in TRANSITIONS[state].values() for then in thens}


def test_an_order_that_was_submitted_is_never_dead() -> None:
    for state in STATES:
        possible = set(TRANSITIONS[state].get("failed", ()))
        assert possible == ({"dead"} if state in ("accepted", "prepared") else set())


def test_only_the_venue_fills() -> None:
    for state, row in TRANSITIONS.items():
        for event, thens in row.items():
            if "filled" in thens and state not in ("filled", "partially_filled", "cancelled"):
                assert event in (
                    "executed", "mined", "reverted", "resting", "cancelled", "frozen", "updated",
                    "claimed", "kept", "undone",
                )  # fmt: skip


def test_every_state_but_the_terminal_ones_has_a_way_out_and_those_only_by_evidence() -> None:
    reached: set[OrderState] = {"accepted"}
    while True:
        more = reached.union(*(targets(state) for state in reached))
        if more == reached:
            break
        reached = more
    assert reached == set(STATES)
    for state in STATES:
        assert ("finalised" in TRANSITIONS[state]) == (state in TERMINAL)
        assert ("cancel_requested" in TRANSITIONS[state]) == (state not in TERMINAL)


def test_margin_alone_is_changed_by_an_amount() -> None:
    put = OrderIntent(
        MarketId("BTC-USD"), "BUY", "increase", "market", collateral_amount=Decimal(5)
    )
    assert put.changes_margin
    assert not replace(put, size_base=Decimal(1)).changes_margin
    taken = replace(put, intent="decrease", side="SELL")
    assert (taken.changes_margin, taken.reduces) == (True, True)
    for wrong in ({"type": "limit", "limit_price": Decimal(1)}, {"intent": "open"}):
        with pytest.raises(InputError):
            replace(put, **wrong)
