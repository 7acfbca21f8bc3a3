"""The life of one order: what happens to it, and what that asks for. Pure.

An order keeps what is known of it, and its state follows from that: how far we took it ourselves,
and the facts that venues and chains told, each by its place. Facts have no order among themselves,
so they may come late, twice, or be taken back by a reorganised chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain import order_facts
from domain.errors import InvariantViolation
from domain.orders import PASSING, TERMINAL, OrderEvent, OrderState, Reason, check_transition
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

Phase: TypeAlias = Literal["accepted", "prepared", "submitted"]
Ending: TypeAlias = Literal["cancelled", "expired", "rejected", "dead", "unknown"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of an order. ``version`` counts the events that changed it.

    ``phase``: how far we took it. ``ending``: how we ended it, or lost sight of it (``unknown``).
    ``facts``: outcomes by place. ``cancel_sent``: the venue was asked to cancel it.
    """

    id: str
    size_base: Decimal
    phase: Phase = "accepted"
    ending: Ending | None = None
    reason: Reason | None = None
    facts: frozenset[Outcome] = field(default_factory=frozenset)
    cancel_requested: bool = False
    cancel_sent: bool = False
    final: bool = False
    version: int = 1

    @property
    def state(self) -> OrderState:
        """What evidence says comes before what we did."""
        kinds = {type(fact) for fact in self.facts}
        done = any(isinstance(fact, Executed) and fact.completes for fact in self.facts)
        if done or Claimed in kinds:
            return "filled"
        if Cancelled in kinds:
            return "cancelled"
        if self.ending == "unknown":
            return "unknown"
        if Executed in kinds:
            return "partially_filled"
        if kinds & {Resting, Frozen, Updated}:
            return "working"
        if Mined in kinds:
            return "mined"
        if Reverted in kinds:
            return "rejected"
        return self.ending or self.phase

    @property
    def fills(self) -> tuple[Executed, ...]:
        """In the order of their places."""
        return order_facts.fills(self.facts)

    @property
    def filled_base(self) -> Decimal:
        return order_facts.filled_base(self.facts)

    @property
    def average_price(self) -> Decimal | None:
        """Of the fills; rounded down after 18 decimals."""
        return order_facts.average_price(self.facts)

    @property
    def venue_state(self) -> str | None:
        """The last word of the venue: ``created executed cancelled frozen``."""
        return order_facts.venue_state(self.facts)

    @property
    def why(self) -> Reason | None:
        """Of what it is now: the venue's reason before our own."""
        return order_facts.why(self.facts, self.reason)


# Events -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What we did ourselves. ``reason``: of what ends an order, loses it, or cannot be done now.
    ``to_sign``: there is a step to cancel or to change what waits at the venue. ``held``: it goes
    on by itself when its reason, one of ``PASSING``, is over. ``doubled``: its wallet has placed it
    twice. ``landed_late``: it has placed it, or changed it, after the order was final; the only
    thing that still happens to such an order, and it stays what it was."""

    event: Literal[
        "prepared", "rerouted", "submitted", "held", "cancel_requested", "cancel_refused",
        "update_requested", "update_refused", "amended", "to_sign", "doubled", "landed_late",
        "withdrawn", "expired", "rejected", "lost", "failed", "replayed", "finalised",
    ]  # fmt: skip
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact, also one that was told before."""

    fact: Outcome


@dataclass(frozen=True, slots=True)
class Undone:
    """A reorganised chain no longer has what was at this place."""

    place: EventPlace


Event: TypeAlias = Step | Seen | Undone


# Effects ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tell:
    """The account hears of it, and the history has a row."""

    event: OrderEvent
    before: OrderState
    after: OrderState


@dataclass(frozen=True, slots=True)
class BookFill:
    fill: Executed


@dataclass(frozen=True, slots=True)
class TakeBackFill:
    fill: Executed


@dataclass(frozen=True, slots=True)
class CancelAtVenue:
    """The order rests and its owner wants it gone."""


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Our transaction was in a block that is no more."""


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Nobody can say what became of it: ask the venue and the chain until one of them does."""


Effect: TypeAlias = Tell | BookFill | TakeBackFill | CancelAtVenue | SendAgain | Reconcile


# The function -------------------------------------------------------------------------------------


def apply(order: Order, event: Event) -> tuple[Order, tuple[Effect, ...]]:
    """The order after an event, and what is to be done now.

    A fact that is known already, and the taking back of one that is not, change nothing, but for an
    order that was lost.
    Raises InvariantViolation ``ILLEGAL_TRANSITION``, ``CONFLICTING_FACT`` (two facts at one place)
    and ``AFTER_FINAL``.
    """
    name, following, effects = _changed(order, event)
    if following is None:
        return order, ()
    if order.final and name != "landed_late":
        raise InvariantViolation("AFTER_FINAL", f"order {order.id}: {name} after it was final")
    before, after = order.state, following.state
    check_transition(before, name, after)
    following = _without_passed(order, event, following)
    following = replace(following, version=order.version + 1)
    if following.cancel_requested and not following.cancel_sent and _can_be_cancelled(following):
        following = replace(following, cancel_sent=True)
        effects = (*effects, CancelAtVenue())
    return following, (Tell(name, before, after), *effects)


def replay(order: Order, events: Iterable[Event]) -> Order:
    """The order after all of them; what they asked for was done before."""
    for event in events:
        order, _ = apply(order, event)
    return order


def _changed(order: Order, event: Event) -> tuple[OrderEvent, Order | None, tuple[Effect, ...]]:
    if isinstance(event, Seen):
        return _seen(order, event.fact)
    if isinstance(event, Undone):
        return _undone(order, event.place)
    return _stepped(order, event)


_NAMES: Final[dict[type[Outcome], OrderEvent]] = {
    Mined: "mined",
    Reverted: "reverted",
    Resting: "resting",
    Executed: "executed",
    Cancelled: "cancelled",
    Frozen: "frozen",
    Updated: "updated",
    Claimed: "claimed",
    Kept: "kept",
}


def _seen(order: Order, fact: Outcome) -> tuple[OrderEvent, Order | None, tuple[Effect, ...]]:
    name = _NAMES[type(fact)]
    if fact in order.facts:
        # Told again it proves only that the order is not lost.
        found = replace(order, ending=None) if order.ending == "unknown" else None
        return name, found, ()
    if any(known.place == fact.place for known in order.facts):
        raise InvariantViolation("CONFLICTING_FACT", f"order {order.id}: two at {fact.place}")
    ending = None if order.ending == "unknown" else order.ending
    following = replace(order, facts=order.facts | {fact}, ending=ending)
    if isinstance(fact, Executed) and fact.size_base > 0:
        return name, following, (BookFill(fact),)
    return name, following, ()


def _undone(order: Order, place: EventPlace) -> tuple[OrderEvent, Order | None, tuple[Effect, ...]]:
    gone = [fact for fact in order.facts if fact.place == place]
    if not gone:
        return "undone", None, ()
    following = replace(order, facts=order.facts - set(gone))
    if not _can_be_cancelled(following):
        following = replace(following, cancel_sent=False)
    effects: list[Effect] = [TakeBackFill(fact) for fact in gone if isinstance(fact, Executed)]
    if isinstance(gone[0], (Mined, Reverted)):
        effects.append(SendAgain())
    return "undone", following, tuple(effects)


_ENDINGS: Final[dict[OrderEvent, Ending]] = {
    "withdrawn": "cancelled",
    "expired": "expired",
    "rejected": "rejected",
    "failed": "dead",
    "lost": "unknown",
}


def _stepped(order: Order, step: Step) -> tuple[OrderEvent, Order | None, tuple[Effect, ...]]:
    name: OrderEvent = step.event
    if name in _ENDINGS:
        ended = replace(order, ending=_ENDINGS[name], reason=step.reason)
        return name, ended, (Reconcile(),) if name == "lost" else ()
    if name == "prepared":
        return name, replace(order, phase="prepared"), ()
    if name == "submitted":
        return name, replace(order, phase="submitted", ending=None), ()
    if name == "cancel_requested":
        asked = None if order.cancel_requested else replace(order, cancel_requested=True)
        return name, asked, ()
    if name == "replayed":
        return name, replace(order, ending=None, reason=None), ()
    if name == "held":
        return name, None if order.reason == step.reason else replace(order, reason=step.reason), ()
    if name in ("doubled", "landed_late"):
        return name, replace(order, reason=step.reason), ()
    if name in ("cancel_refused", "update_refused", "to_sign"):
        # Of what has ended the reason is why it did.
        told = order.reason if is_terminal(order) else step.reason
        return name, replace(order, reason=told), ()
    if name == "rerouted":
        return name, replace(order, reason=step.reason), ()
    if name in ("update_requested", "amended"):
        return name, order, ()
    return name, None if order.final else replace(order, final=True), ()


def _without_passed(order: Order, event: Event, following: Order) -> Order:
    """It went on: what it waited for is no reason any more."""
    goes_on = isinstance(event, Seen) or (
        isinstance(event, Step) and event.event in ("prepared", "submitted")
    )
    waited = order.reason is not None and order.reason.code in PASSING
    return replace(following, reason=None) if goes_on and waited else following


def _can_be_cancelled(order: Order) -> bool:
    return order.state in ("working", "partially_filled")


def is_terminal(order: Order) -> bool:
    """Nothing more is tried."""
    return order.state in TERMINAL
