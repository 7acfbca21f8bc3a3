"""What proves a connection current, and when it is given up."""

import pytest

from domain.events import Liveness, VenueStatus
from tests.unit.connectors.dydx.link import BOOK, HEIGHT, SNAPSHOTS, Link, heights, market


def failure(link: Link) -> str | None:
    found = link.session.failure
    return None if found is None else found.code


def test_the_height_has_one_name_in_the_snapshot_and_another_in_updates() -> None:
    """The one in the snapshot may be as old as the indexer's standstill: it proves nothing."""
    link = Link()
    link.send("connected")
    link.send("subscribed", channel=HEIGHT, id=HEIGHT, contents={"height": "26543048", "time": ""})
    link.data(HEIGHT, {"blockHeight": "26543049", "time": ""})
    link.send(
        "channel_batch_data", channel=HEIGHT, id=HEIGHT, contents=[{"blockHeight": "26543051"}]
    )
    assert heights(link.events()) == [26543049, 26543051]


def test_only_a_new_height_is_a_proof() -> None:
    link = Link(heights=False).open()
    for text in ("1001", "1001", "1000", "5", "0", "1002"):
        link.data(HEIGHT, {"blockHeight": text, "time": ""})
    assert heights(link.events()) == [1001, 1002]


def test_after_a_stall_the_height_is_taken_and_every_book_fetched_again() -> None:
    link = Link(market("A-USD"), market("B-USD"), heights=False).open()
    for _ in range(2):
        link.wait(5)
        link.block()
        assert link.states() == []
    link.wait(4.9)
    link.level("bids", "98", "5", symbol="A-USD")
    link.wait(0.2)
    link.block()
    kinds = [event for event in link.events() if isinstance(event, Liveness | VenueStatus)]
    assert isinstance(kinds[0], Liveness)
    assert kinds[1] == VenueStatus("resyncing", "STALL: the connection stood still")
    assert link.taken() == [("unsubscribe", BOOK, "A-USD"), ("unsubscribe", BOOK, "B-USD")]


def test_a_stall_that_ends_with_the_snapshot_of_the_height_keeps_its_channel() -> None:
    link = Link(market("A-USD"), heights=False).open()
    link.wait(4)
    link.data(HEIGHT, {"blockHeight": "x"})
    link.answer_next()
    link.wait(1.2)
    link.height += 1
    link.answer_next()
    assert link.states() == [("resyncing", "STALL")]
    assert link.taken() == [("unsubscribe", BOOK, "A-USD")]
    link.block()
    assert heights(link.events()) == [link.height]


@pytest.mark.parametrize(("seconds", "code"), [(5.9, None), (6.0, "SILENT")])
def test_a_silent_connection_is_given_up(seconds: float, code: str | None) -> None:
    link = Link(heights=False).open()
    link.wait(seconds)
    assert failure(link) == code


@pytest.mark.parametrize(("seconds", "code"), [(19.9, None), (20.0, "NO_HEIGHT")])
def test_a_connection_that_talks_without_blocks_is_given_up(
    seconds: float, code: str | None
) -> None:
    link = Link(heights=False).open()
    opened_ns = link.now_ns
    while link.now_ns - opened_ns < (seconds - 0.1) * 1e9 and not failure(link):
        link.level("bids", "98", "5")
        link.wait(0.1)
        link.answer()
    link.wait(0.1)
    assert failure(link) == code


@pytest.mark.parametrize(("seconds", "code"), [(2.9, None), (3.0, "NO_GREETING")])
def test_without_a_greeting_the_connection_is_given_up(seconds: float, code: str | None) -> None:
    link = Link(heights=False)
    link.wait(seconds)
    assert failure(link) == code
    assert link.taken() == []


def test_an_unreadable_greeting_is_not_waited_out() -> None:
    link = Link(heights=False)
    link.raw(b"HTTP/1.1 400 Bad Request")
    assert failure(link) == "GARBAGE"
    assert link.taken() == []


def test_live_once_every_book_has_its_snapshot() -> None:
    link = Link(market("A-USD"), market("B-USD"))
    link.send("connected")
    assert not link.session.healthy
    for symbol in ("A-USD", "B-USD"):
        assert link.states() == []
        link.send("subscribed", channel=BOOK, id=symbol, contents=SNAPSHOTS[BOOK])
    assert link.states() == [("live", None)]
    # A connection whose blocks were never seen has proved nothing.
    assert not link.session.healthy
    link.block()
    assert link.session.healthy


def test_a_refused_book_does_not_keep_the_others_from_being_live() -> None:
    link = Link(market("A-USD"), market("B-USD"))
    link.send("connected")
    link.send("subscribed", channel=BOOK, id="A-USD", contents=SNAPSHOTS[BOOK])
    link.error("Invalid subscription id for channel: (v4_orderbook-B-USD)")
    assert link.states() == [("live", None)]


def test_deadlines_are_never_passed_over() -> None:
    """With nothing due the session asks for a time ahead, so that the driver can sleep."""
    link = Link(market("A-USD"), market("B-USD")).open()
    for _ in range(200):
        link.wait(0.25)
        link.answer()
        assert link.session.next_deadline_ns() > link.now_ns
