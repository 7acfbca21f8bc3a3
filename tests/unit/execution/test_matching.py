"""Whose an outcome is: by the tag first, then by the venue's name."""

from decimal import Decimal

from connectors.base.order_tag import order_tag, with_tag
from domain.ids import VenueId
from domain.orders import OpenOrder
from domain.outcomes import Claimed, EventPlace, Executed, Resting
from execution.matching import MAIN, concerned, known, replaced, tagged, with_refs

OWNER = "0x52908400098527886E0F7030069857D2E4169EE7"
PLACE = EventPlace(42161, 5, "0xb", "0xt", 3)
DATA = with_tag(b"\x01\x02\x03\x04" + b"\x00" * 32, order_tag("one"))


def order(name: str, **refs: str) -> OpenOrder:
    return OpenOrder(name, VenueId("gmx"), OWNER.lower(), order_tag(name), "submitted", refs)


def resting(ref: str) -> Resting:
    return Resting(PLACE, OWNER, ref, "market", reduces=False)


def filled(ref: str) -> Executed:
    return Executed(PLACE, OWNER, ref, Decimal(1), Decimal(1), completes=True)


def test_only_orders_of_the_account_at_the_venue_are_concerned() -> None:
    mine = [order("one"), order("two")]
    assert concerned(mine, "gmx", resting("a")) == mine
    assert concerned(mine, "gains", resting("a")) == []
    other = Resting(PLACE, "0x" + "1" * 40, "a", "market", reduces=False)
    assert concerned(mine, "gmx", other) == []


def test_the_first_that_rests_of_a_transaction_is_the_order_and_the_next_its_brackets() -> None:
    mine = [order("two"), order("one")]
    first = tagged(mine, resting("key"), DATA)
    assert first is not None
    assert (first.order.id, first.is_main, first.first) == ("one", True, True)
    mine[1] = with_refs(mine[1], {MAIN: "key", "order_key": "key"})
    bracket = tagged(mine, resting("stop"), DATA)
    assert bracket is not None
    assert (bracket.order.id, bracket.is_main, bracket.first) == ("one", False, False)


def test_what_is_paid_out_at_once_is_known_by_the_tag() -> None:
    mine = [order("two"), order("one")]
    paid = Claimed(PLACE, OWNER, "claim:0xt", "funding", "USDC", Decimal(1))
    first = tagged(mine, paid, DATA)
    assert first is not None
    assert (first.order.id, first.is_main, first.first) == ("one", True, True)
    mine[1] = with_refs(mine[1], {MAIN: "claim:0xt"})
    second = tagged(mine, paid, DATA)
    assert second is not None
    assert (second.order.id, second.is_main, second.first) == ("one", True, False)


def test_what_follows_is_known_by_its_name() -> None:
    mine = [order("one", main="key", stop_loss_key="stop"), order("two", main="other")]
    found = known(mine, filled("key"))
    assert found is not None
    assert (found.order.id, found.is_main) == ("one", True)
    found = known(mine, filled("stop"))
    assert found is not None
    assert (found.order.id, found.is_main) == ("one", False)
    assert known(mine, filled("strange")) is None


def test_a_stranger_with_no_tag_is_nobodys() -> None:
    assert tagged([order("one")], resting("key"), DATA[:-32]) is None
    assert tagged([order("two")], resting("key"), DATA) is None
    assert tagged([order("one")], filled("key"), DATA) is None


def test_what_is_told_again_is_about_the_order_itself_again() -> None:
    mine = [order("one", main="key", stop_loss_key="stop")]
    again = tagged(mine, resting("key"), DATA)
    assert again is not None
    assert (again.is_main, again.first) == (True, False)


def test_an_exit_of_the_same_name_takes_the_place_of_another() -> None:
    """Its own transaction says whose it is, not the name that both have."""
    mine = [order("two", main="sl:7"), order("one"), order("three", main="tp:7")]
    match = tagged(mine, resting("sl:7"), DATA)
    assert match is not None
    assert (match.order.id, match.first) == ("one", True)
    [gone] = replaced(mine, match, resting("sl:7"))
    assert (gone.ref, gone.reason.code, gone.by_user) == ("two", "REPLACED", True)
    # A place of its own: the log itself is of the other order.
    assert gone.place == EventPlace(42161, 5, "0xb", "0xt", -5)
    mine[1] = with_refs(mine[1], {MAIN: "sl:7"})
    told_again = tagged(mine, resting("sl:7"), DATA)
    assert told_again is not None
    assert replaced(mine, told_again, resting("sl:7")) == []
