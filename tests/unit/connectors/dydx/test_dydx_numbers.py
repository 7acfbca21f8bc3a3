"""Message ids: holes, late frames, repeats, jumps."""

import json

import pytest

from tests.unit.connectors.dydx.link import (
    BOOK,
    HEIGHT,
    RECORDED,
    SNAPSHOTS,
    TRADES,
    Link,
    deltas,
    heights,
    market,
    snapshots,
)

ETH = market(tick="0.001", step="0.000001")


def recorded_sequence() -> Link:
    """The recorded frames after a prologue with the ids 0 to 3 that the recording lacks."""
    link = Link(ETH, states=())
    link.send("connected")
    assert link.taken() == [
        ("subscribe", HEIGHT, ""),
        ("subscribe", BOOK, "ETH-USD"),
        ("subscribe", TRADES, "ETH-USD"),
    ]
    link.send("subscribed", channel=TRADES, id="ETH-USD", contents={"trades": []})
    link.send("subscribed", channel=HEIGHT, id=HEIGHT, contents={"height": "5", "time": ""})
    link.data(HEIGHT, {"blockHeight": "6", "time": ""})
    for line in (RECORDED / "abacus" / "v4_orderbook_eth_sequence.jsonl").read_bytes().splitlines():
        link.raw(line)
    link.next_id = 14
    return link


def test_the_recorded_hole_is_reported_after_a_second_and_a_half_and_mended() -> None:
    link = recorded_sequence()
    events = link.events()
    (snapshot,) = snapshots(events)
    assert (len(snapshot.bids), len(snapshot.asks), snapshot.stamp) == (335, 355, 4)
    sequence = [json.loads(line) for line in (RECORDED / "abacus").joinpath(
        "v4_orderbook_eth_sequence.jsonl").open()]  # fmt: skip
    sent = [
        level
        for frame in sequence[1:]
        for part in frame["contents"]
        for rows in part.values()
        for level in rows
    ]
    assert len(deltas(events)) == len(sent)
    assert {event[4] for event in events if isinstance(event, tuple)} == {*range(5, 12), 13}
    link.wait(1.49)
    assert link.states() == []
    link.wait(0.02)
    assert link.states() == [("resyncing", "GAP")]
    assert link.taken() == [("unsubscribe", BOOK, "ETH-USD")]
    # What still arrives belongs to a book that nobody trusts.
    link.level("bids", "1500", "1")
    assert deltas(link.events()) == []
    link.send("unsubscribed", channel=BOOK, id="ETH-USD")
    assert link.taken() == [("subscribe", BOOK, "ETH-USD")]
    link.send("subscribed", channel=BOOK, id="ETH-USD", contents=SNAPSHOTS[BOOK])
    assert len(snapshots(link.seen)) == 1
    assert link.states() == [("live", None)]


def test_a_subscribed_that_comes_after_higher_numbers_is_no_hole() -> None:
    link = Link(market("A-USD"), market("B-USD"), states=())
    link.send("connected")
    link.send("subscribed", 2, channel=BOOK, id="A-USD", contents=SNAPSHOTS[BOOK])
    link.send("subscribed", 1, channel=HEIGHT, id=HEIGHT, contents={"height": "5", "time": ""})
    link.next_id = 6
    link.level("bids", "98", "5", symbol="A-USD")
    assert len(deltas(link.events())) == 1
    link.wait(1.9)
    link.send("subscribed", 3, channel=BOOK, id="B-USD", contents=SNAPSHOTS[BOOK])
    assert link.states() == [("live", None)]
    for message_id, symbol in ((4, "A-USD"), (5, "B-USD")):
        link.send("subscribed", message_id, channel=TRADES, id=symbol, contents={"trades": []})
    link.wait(5)
    assert link.states() == []
    assert link.session.healthy
    assert link.kinds() == ["subscribe"] * 5


def test_a_late_frame_of_another_book_is_taken_and_nothing_is_fetched_again() -> None:
    link = Link(market("A-USD"), market("B-USD")).open()
    late = link.next_id
    link.level("bids", "98", "5", symbol="B-USD", message_id=late + 1)
    link.next_id += 2
    link.wait(1.4)
    link.events()
    link.level("asks", "103", "7", symbol="A-USD", message_id=late)
    assert deltas(link.events()) == [(False, 1030, 7000)]
    link.wait(5)
    assert link.doubts() == []
    assert link.kinds() == []


def test_a_late_frame_of_a_book_that_went_on_costs_that_book_only() -> None:
    """It may undo a newer change of the same level: only a snapshot can tell."""
    link = Link(market("A-USD"), market("B-USD")).open()
    late = link.next_id
    link.level("bids", "98", "0", symbol="A-USD", message_id=late + 1)
    link.next_id += 2
    link.events()
    link.level("bids", "98", "5", symbol="A-USD", message_id=late)
    assert link.doubts() == [("A-USD", "OUT_OF_ORDER")]
    link.settle(1.2)
    assert [found.market for found in snapshots(link.events())] == ["A-USD"]


def test_repeated_frames_are_dropped() -> None:
    link = Link().open()
    link.level("bids", "98", "5")
    link.level("bids", "98", "6")
    link.level("bids", "98", "5", message_id=link.next_id - 2)
    link.send("connected", 0)
    link.data(HEIGHT, {"blockHeight": "9999", "time": ""}, message_id=1)
    assert deltas(link.seen) == [(True, 980, 5000), (True, 980, 6000)]
    assert heights(link.events()) == []
    link.wait(3)
    assert link.doubts() == []


@pytest.mark.parametrize(("jump", "code"), [(1_000, None), (1_001, "GAP"), (10**15, "GAP")])
def test_a_counter_that_runs_away_ends_the_connection(jump: int, code: str | None) -> None:
    link = Link().open()
    link.level("bids", "98", "5", message_id=link.next_id + jump)
    assert (link.session.failure and link.session.failure.code) == code


@pytest.mark.parametrize("answered", [True, False])
def test_a_hole_is_not_excused_by_a_subscribe_sent_after_it(answered: bool) -> None:
    """Only a subscribe that was sent before can have kept the number back."""
    link = Link(market("A-USD"), market("B-USD")).open()
    link.wait(1)
    link.next_id += 1
    link.level("bids", "98", "5", symbol="A-USD")
    link.session.resync(market("B-USD").market, link.now_ns)
    link.wait(0.01)
    link.send("unsubscribed", channel=BOOK, id="B-USD")
    assert link.kinds() == ["unsubscribe", "subscribe"]
    if answered:
        link.send("subscribed", channel=BOOK, id="B-USD", contents=SNAPSHOTS[BOOK])
    else:
        link.next_id += 1
    link.wait(1.4)
    link.events()
    link.wait(0.12)
    assert ("resyncing", "GAP") in link.states()


def test_a_lost_answer_is_asked_again_and_accounts_for_its_number() -> None:
    link = Link(market("A-USD"), market("B-USD")).open()
    link.wait(1)
    link.session.resync(market("A-USD").market, link.now_ns)
    link.wait(0.01)
    link.send("unsubscribed", channel=BOOK, id="A-USD")
    assert link.kinds() == ["unsubscribe", "subscribe"]
    link.next_id += 1  # the number of the answer that never comes
    link.wait(0.9)
    assert link.doubts() == []
    link.wait(0.2)
    # The old levels were used for a second and no longer.
    assert link.doubts() == [("A-USD", "NO_SNAPSHOT")]
    link.settle(1.5)
    events = link.events()
    assert [found.market for found in snapshots(events)] == ["A-USD"]
    link.settle(5)
    assert link.states() == []


@pytest.mark.parametrize("case", ["asked for anew", "late", "late and nothing else came"])
def test_the_answer_to_a_subscribe_that_was_given_up_never_leaves_a_dead_book(case: str) -> None:
    """The server subscribed us, then read our unsubscribe: a book kept from that would stand
    still with the connection live."""
    link = Link(states=(), heights=case != "late and nothing else came")
    link.send("connected")
    link.send("subscribed", channel=HEIGHT, id=HEIGHT, contents={"height": "5", "time": ""})
    link.send("subscribed", channel=TRADES, id="ETH-USD", contents={"trades": []})
    reserved, link.next_id = link.next_id, link.next_id + 1
    link.requests.clear()
    if case == "asked for anew":
        link.wait(1.4)
        link.session.resync(market().market, link.now_ns)
        link.wait(0.01)
    else:
        link.wait(2.1)
    assert ("unsubscribe", BOOK, "ETH-USD") in link.taken()
    link.send("subscribed", reserved, channel=BOOK, id="ETH-USD", contents=SNAPSHOTS[BOOK])
    link.send("unsubscribed", channel=BOOK, id="ETH-USD")
    link.wait(1.2)
    assert ("subscribe", BOOK, "ETH-USD") in link.taken()
    link.send("subscribed", channel=BOOK, id="ETH-USD", contents=SNAPSHOTS[BOOK])
    assert link.session.healthy
    assert snapshots(link.events())
    link.level("bids", "98", "5")
    assert deltas(link.events()) == [(True, 980, 5000)]


@pytest.mark.parametrize("renewal", [False, True])
def test_a_snapshot_that_comes_after_changes_made_to_it_is_not_used(renewal: bool) -> None:
    """It would take them back."""
    link = Link(states=())
    if renewal:
        link.open()
        link.wait(1)
        link.session.resync(market().market, link.now_ns)
        link.wait(0.01)
        link.send("unsubscribed", channel=BOOK, id="ETH-USD")
    else:
        link.send("connected")
    number = link.next_id
    link.next_id += 2
    link.requests.clear()
    link.level("bids", "98", "5", message_id=number + 1)
    link.send("subscribed", number, channel=BOOK, id="ETH-USD", contents=SNAPSHOTS[BOOK])
    assert link.doubts() == [("ETH-USD", "OUT_OF_ORDER")]
    link.settle(2.5)
    assert len(snapshots(link.events())) == 1


def test_after_a_resync_no_forgotten_number_hides_the_next_hole() -> None:
    link = Link(market("A-USD"), market("B-USD"), states=(), heights=False).open()
    link.wait(1)
    link.level("bids", "98", "x", symbol="A-USD")
    link.data(TRADES, {"trades": [{}]}, symbol="A-USD")
    link.answer_next()
    link.answer_next()
    link.requests = [item for item in link.requests if item["channel"] != TRADES]
    link.next_id += 2  # the answer about trades is lost, and something else
    link.answer()
    link.block()
    link.wait(1.55)
    assert ("resyncing", "GAP") in link.states()
    link.answer()
    link.next_id += 1  # another loss
    link.block()
    link.settle(1.4)
    assert link.states() == [("live", None)]
    link.settle(0.2)
    assert link.states()[0] == ("resyncing", "GAP")
