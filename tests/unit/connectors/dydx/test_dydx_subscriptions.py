"""What is asked for and when: errors, limits, renewals."""

import itertools
import json

import pytest

from connectors.dydx import constants as c
from connectors.dydx.subscriptions import SubscriptionTable
from tests.unit.connectors.dydx.link import (
    BOOK,
    HEIGHT,
    MARKETS,
    SNAPSHOTS,
    TRADES,
    Link,
    S,
    deltas,
    market,
    snapshots,
)

MANY = [market(f"M{number}-USD") for number in range(c.SUBSCRIPTIONS_PER_CHANNEL)]


def test_what_is_asked_for_and_in_which_words() -> None:
    link = Link(market("A-USD"))
    assert link.requests == []
    link.raw('{"type":"connected","connection_id":"c","message_id":0}')
    for request in link.requests:
        del request["at_ns"]
    assert [json.dumps(request) for request in link.requests] == [
        '{"type": "subscribe", "channel": "v4_block_height", "batched": false}',
        '{"type": "subscribe", "channel": "v4_markets", "batched": false}',
        '{"type": "subscribe", "channel": "v4_orderbook", "id": "A-USD", "batched": false}',
        '{"type": "subscribe", "channel": "v4_trades", "id": "A-USD", "batched": false}',
    ]


def test_no_more_than_twelve_requests_are_unanswered_and_books_come_first() -> None:
    link = Link(*MANY)
    link.send("connected")
    order = []
    while link.requests:
        assert len(link.requests) <= c.SUBSCRIBES_IN_FLIGHT
        first = link.requests[0]
        order.append((first["channel"], first.get("id", "")))
        link.answer_next()
    symbols = [item.symbol for item in MANY]
    assert order == [
        (HEIGHT, ""),
        (MARKETS, ""),
        *((BOOK, symbol) for symbol in symbols),
        *((TRADES, symbol) for symbol in symbols),
    ]
    assert link.session.healthy


def test_more_books_than_the_venue_allows_are_a_bug() -> None:
    with pytest.raises(ValueError, match="more than 32"):
        SubscriptionTable([item.symbol for item in (*MANY, market("X-USD"))], 0, with_markets=False)


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("Invalid subscription id for channel: (v4_orderbook-A-USD)", {}, "NOT_LISTED"),
        (
            "Internal error, could not fetch data for subscription: v4_orderbook.",
            {"channel": BOOK, "id": "A-USD"},
            "NO_SNAPSHOT",
        ),
        (
            "Per-connection subscription limit reached for v4_orderbook (limit=32).",
            {"channel": BOOK, "id": "A-USD"},
            "NO_SNAPSHOT",
        ),
    ],
)
def test_a_refused_book_is_asked_for_again_later_and_later(
    text: str, fields: dict[str, str], reason: str
) -> None:
    link = Link(market("A-USD"), market("B-USD")).open()
    link.wait(1)
    link.session.resync(market("A-USD").market, link.now_ns)
    link.wait(0.01)
    link.send("unsubscribed", channel=BOOK, id="A-USD")
    assert link.kinds() == ["unsubscribe", "subscribe"]
    link.events()
    gaps = []
    for _ in range(6):
        link.error(text, **fields)
        assert link.doubts() == [("A-USD", reason)]
        refused_ns = link.now_ns
        while not any(item.get("id") == "A-USD" for item in link.requests):
            link.answer()
            link.wait(0.05)
        gaps.append((link.now_ns - refused_ns) / S)
        assert link.taken() == [("subscribe", BOOK, "A-USD")]
        link.level("bids", "98", "5", symbol="B-USD")
        assert deltas(link.events()) == [(True, 980, 5000)]
    assert gaps == pytest.approx([2, 4, 8, 16, 20, 20], abs=0.11)
    assert link.session.failure is None


def test_a_refusal_without_a_name_is_found_by_its_time() -> None:
    link = Link(market("A-USD"), market("B-USD"), states=())
    link.send("connected")
    link.requests = [item for item in link.requests if item.get("id") != "A-USD"]
    link.error("Internal error, could not fetch data for subscription: v4_orderbook.")
    link.answer()
    assert not link.session.healthy
    link.settle(3.5)
    assert link.session.healthy
    assert link.session.failure is None


@pytest.mark.parametrize(
    ("lost", "gaps"), [(True, [2, 2, 2, 2]), (False, [2, 4, 8, 16])], ids=["lost", "slow"]
)
def test_an_answer_that_is_slow_is_waited_for_longer_and_one_that_was_lost_is_not(
    lost: bool, gaps: list[float]
) -> None:
    link = Link(market("A-USD"), states=())
    link.send("connected")
    asked = []
    for _ in range(5):
        while not any(item["channel"] == BOOK for item in link.requests):
            link.wait(0.05)
            link.requests = [item for item in link.requests if item["channel"] != TRADES]
            if link.requests and link.requests[0]["type"] == "unsubscribe":
                link.answer_next()
        (request,) = (item for item in link.requests if item["channel"] == BOOK)
        link.requests.remove(request)
        link.answer()
        if request["type"] == "unsubscribe":
            link.send("unsubscribed", channel=BOOK, id="A-USD")
            (request,) = (item for item in link.requests if item["channel"] == BOOK)
            link.requests.remove(request)
        asked.append(request["at_ns"] / S)
        link.next_id += lost
    found = [b - a for a, b in itertools.pairwise(asked)]
    assert found == pytest.approx(gaps, abs=0.2)
    assert link.session.failure is None


def test_a_book_that_was_refused_once_counts_again_when_it_came() -> None:
    link = Link(market("A-USD"), market("B-USD"))
    link.send("connected")
    link.answer_next()
    link.answer_next()
    link.answer_next()
    link.requests.pop(0)
    link.error("Invalid subscription id for channel: (v4_orderbook-B-USD)")
    link.answer()
    link.settle(2.5)
    assert link.states() == [("live", None)]
    link.next_id += 1
    link.wait(3)
    assert link.states() == [("resyncing", "GAP")]
    link.send("unsubscribed", channel=BOOK, id="A-USD")
    link.requests.clear()
    link.send("subscribed", channel=BOOK, id="A-USD", contents=SNAPSHOTS[BOOK])
    assert link.states() == []


def test_a_refusal_without_a_name_excuses_no_hole() -> None:
    """Its number came with the error: the next one that is missing is a loss."""
    link = Link(market("A-USD"), market("B-USD")).open()
    link.wait(1)
    link.session.resync(market("B-USD").market, link.now_ns)
    link.wait(0.01)
    link.send("unsubscribed", channel=BOOK, id="B-USD")
    assert link.kinds() == ["unsubscribe", "subscribe"]
    link.error("Internal error, could not fetch data for subscription: v4_orderbook.")
    link.next_id += 1
    link.level("bids", "98", "5", symbol="A-USD")
    link.settle(5)
    assert ("resyncing", "GAP") in link.states()


def test_already_subscribed_is_left_and_asked_for_again() -> None:
    link = Link(market("A-USD")).open()
    link.wait(1)
    link.taken()
    link.error("Invalid subscribe message: already subscribed (v4_orderbook-A-USD)")
    assert link.taken() == [("unsubscribe", BOOK, "A-USD")]
    link.send("unsubscribed", channel=BOOK, id="A-USD")
    link.answer()
    assert len(snapshots(link.events())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Too many subscribe attempts for channel v4_orderbook-A-USD. Please  reconnect and try "
        "again.",
        "Rate limited",
    ],
)
def test_a_rate_limit_ends_the_connection(text: str) -> None:
    link = Link(market("A-USD")).open()
    link.error(text)
    assert link.session.failure is not None
    assert link.session.failure.code == "RATE_LIMITED"


@pytest.mark.parametrize("message", ["Invalid channel: x", "", None, 7, {}, "(v4_orderbook-Z-USD)"])
def test_other_errors_change_nothing(message: object) -> None:
    link = Link(market("A-USD")).open()
    link.send("error", link.next_id - 1, message=message)
    link.send("error", message=message, channel=[], id={})
    link.wait(1)
    assert link.doubts() == []
    assert link.kinds() == []
    assert link.session.failure is None


def answer_all_but_trades(link: Link) -> None:
    while link.requests:
        if link.requests[0]["channel"] == TRADES and link.requests[0]["type"] == "subscribe":
            link.requests.pop(0)
        else:
            link.answer_next()


@pytest.mark.parametrize("case", ["all answer", "trades never do", "one book is refused"])
def test_every_book_is_fetched_anew_within_a_minute_one_at_a_time(case: str) -> None:
    link = Link(*MANY[:10])
    link.send("connected")
    refused = MANY[0].symbol if case == "one book is refused" else ""
    if case == "trades never do":
        answer_all_but_trades(link)
    else:
        link.answer()
    link.events()
    link.log.clear()
    start_ns = link.now_ns
    for _ in range(1_300):
        link.wait(0.1)
        while refused and any(item.get("id") == refused for item in link.requests[:1]):
            if link.requests.pop(0)["type"] == "subscribe":
                link.error(f"Invalid subscription id for channel: (v4_orderbook-{refused})")
            else:
                link.send("unsubscribed", channel=BOOK, id=refused)
        if case == "trades never do":
            answer_all_but_trades(link)
        else:
            link.answer()
        assert link.session.failure is None
    times: dict[str, list[float]] = {}
    for request in link.log:
        if request["type"] == "subscribe" and request["channel"] == BOOK:
            at_s = (request["at_ns"] - start_ns) / S
            times.setdefault(request["id"], []).append(at_s)
    assert set(times) == {item.symbol for item in MANY[:10]}
    times.pop(refused, None)
    for symbol, found in times.items():
        assert all(b - a < 62 for a, b in itertools.pairwise([0.0, *found, 130.0])), symbol
    starts = sorted(at_s for found in times.values() for at_s in found)
    assert all(a < b for a, b in itertools.pairwise(starts))
    # The old book stays in use meanwhile: nobody is told to distrust it.
    assert set(link.doubts()) <= {(refused, "NOT_LISTED")}


def test_the_old_book_is_used_while_it_is_replaced_but_no_longer_than_a_second() -> None:
    link = Link(market("A-USD")).open()
    link.wait(1)
    link.taken()
    link.session.resync(market("A-USD").market, link.now_ns)
    link.level("bids", "98", "5", symbol="A-USD")
    assert deltas(link.events()) == [(True, 980, 5000)]
    link.wait(0.95)
    assert link.doubts() == []
    link.wait(0.1)
    assert link.doubts() == [("A-USD", "NO_SNAPSHOT")]
    link.level("bids", "98", "6", symbol="A-USD")
    assert deltas(link.events()) == []


def test_asking_again_while_that_is_under_way_changes_nothing() -> None:
    link = Link(market("A-USD")).open()
    link.wait(1)
    link.taken()
    for _ in range(5):
        link.session.resync(market("A-USD").market, link.now_ns)
        link.session.resync(market("Z-USD").market, link.now_ns)
        link.wait(0.01)
    assert link.taken() == [("unsubscribe", BOOK, "A-USD")]
    fresh = Link(market("A-USD"))
    fresh.session.resync(market("A-USD").market, fresh.now_ns)
    assert fresh.session.outgoing() == []
