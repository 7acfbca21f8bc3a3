"""Which order an outcome of a venue belongs to. Pure.

A transaction of ours carries the tag of its order, whatever hash it landed under. What follows is
known by the name that the venue gave the order then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from eth_utils.address import to_checksum_address

from connectors.base.orders import carries_tag
from domain.orders import OpenOrder, Reason
from domain.outcomes import Cancelled, Claimed, Resting, VenueOutcome

MAIN: Final = "main"
"""Among the names of an order: the one of the order itself, not of its brackets."""
REPLACED: Final = Reason("REPLACED", "another exit of the position took its place")


PLACING: Final = (Resting, Claimed)
"""What a tag tells of: what comes to rest, and what is paid out at once."""


class Match(NamedTuple):
    """``is_main``: it is about the order itself; else about one of its brackets. ``first``: the
    venue has the order from here on."""

    order: OpenOrder
    is_main: bool
    first: bool = False


def concerned(orders: Sequence[OpenOrder], venue: str, outcome: VenueOutcome) -> list[OpenOrder]:
    """Orders of the account of an outcome at its venue."""
    account = outcome.account.lower()
    return [order for order in orders if order.owner == account and order.venue == venue]


def placed_by(outcomes: Sequence[VenueOutcome]) -> list[str]:
    """Accounts, checksummed, that have placed something."""
    accounts = {item.account for item in outcomes if isinstance(item, PLACING)}
    return [to_checksum_address(account) for account in sorted(accounts)]


def known(orders: Sequence[OpenOrder], outcome: VenueOutcome) -> Match | None:
    """By the venue's name of the order."""
    for order in orders:
        if outcome.ref in order.refs.values():
            return Match(order, order.refs.get(MAIN) == outcome.ref)
    return None


def tagged(orders: Sequence[OpenOrder], outcome: VenueOutcome, data: bytes) -> Match | None:
    """By the tag in the calldata that led to it. Before the venue's name: an exit that replaces
    another one has the same."""
    if not isinstance(outcome, PLACING):
        return None
    for order in orders:
        if carries_tag(data, order.tag):
            first = MAIN not in order.refs
            return Match(order, first or order.refs[MAIN] == outcome.ref, first)
    return None


def replaced(orders: Sequence[OpenOrder], match: Match, outcome: VenueOutcome) -> list[Cancelled]:
    """What it does to other orders: at a venue where a position has one exit of a kind, that of
    ``match`` is there instead of theirs. By their ids in ``ref``."""
    if not match.first:
        return []
    at = replace(outcome.place, log_index=-2 - outcome.place.log_index)
    return [
        Cancelled(at, outcome.account, order.id, REPLACED, by_user=True)
        for order in orders
        if order.id != match.order.id and order.refs.get(MAIN) == outcome.ref
    ]


def with_refs(order: OpenOrder, refs: Mapping[str, str]) -> OpenOrder:
    return replace(order, refs={**order.refs, **refs})
