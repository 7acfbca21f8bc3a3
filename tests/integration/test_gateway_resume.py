"""``resume``: what a client missed that lost its connection."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from api.tape.rooms import TRADE_ENVELOPES_KEPT
from tests.integration.gateway_kit import Client, Rig, running_gateway

TRADES = "trades:BTC-USD"
PRICE = "price:BTC-USD"


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url) as running:
        yield running


def ids(envelope: dict[str, Any]) -> list[str]:
    return [trade["id"] for trade in envelope["data"]]


def names(numbers: Iterable[int]) -> list[str]:
    return [f"t{number:06d}" for number in numbers]


async def lost_after(rig: Rig, *numbers: int) -> int:
    """The seq of the last trades of a client that has gone since."""
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(TRADES)
        await rig.feed.trades(*numbers)
        seq: int = (await client.next("trades"))["seq"]
    return seq


async def test_missed_trades_are_given_once_and_then_the_next(rig: Rig) -> None:
    seq = await lost_after(rig, 1, 2)
    async with Client(rig.url, ["websocket"]) as witness:
        await witness.subscribe(TRADES)
        for number in (3, 4, 5):
            await rig.feed.trades(number)
        await witness.until("trades", lambda item: ids(item) == names([5]))
    async with Client(rig.url, ["polling"]) as client:
        answer = await client.call("resume", {"room": TRADES, "last_seq": seq})
        assert answer["ok"]
        envelope = answer["rooms"][TRADES]
        assert (envelope["type"], envelope["seq"]) == ("update", seq + 3)
        assert ids(envelope) == names([3, 4, 5])
        again = await client.call("resume", {"room": TRADES, "last_seq": seq + 3})
        assert again["ok"]
        assert ids(again["rooms"][TRADES]) == []
        await rig.feed.trades(6)
        assert ids(await client.next("trades")) == names([6])


@pytest.mark.parametrize("behind", [TRADE_ENVELOPES_KEPT + 1, -5])
async def test_trades_that_are_not_kept_are_a_gap_with_a_snapshot(rig: Rig, behind: int) -> None:
    first = await lost_after(rig, 1)
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(TRADES)
        last = TRADE_ENVELOPES_KEPT + 10
        for number in range(2, last + 1):
            await rig.feed.trades(number)
        await client.until("trades", lambda item: ids(item) == names([last]))
        newest = first + last - 1
        answer = await client.call("resume", {"room": TRADES, "last_seq": newest - behind})
        assert not answer["ok"]
        assert [error["code"] for error in answer["errors"]] == ["GAP"]
        assert answer["rooms"][TRADES]["type"] == "snapshot"
        assert ids(answer["rooms"][TRADES])[-1] == names([last])[0]
        # It is in the room all the same.
        await rig.feed.trades(last + 1)
        assert ids(await client.next("trades")) == names([last + 1])


async def test_a_state_room_answers_with_the_newest(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        seq = (await client.subscribe(PRICE))[PRICE]["seq"]
        sent = await rig.feed.price("97010", "97011")
        await client.until("price", lambda item: item["seq"] == sent)
        answer = await client.call("resume", {"room": PRICE, "last_seq": seq})
        assert answer["ok"]
        assert (answer["rooms"][PRICE]["type"], answer["rooms"][PRICE]["seq"]) == ("snapshot", sent)


async def test_resuming_keeps_the_rate_that_was_asked_for(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(TRADES, rate=1)
        await client.call("resume", {"room": TRADES, "last_seq": 0})
        for number in (1, 2, 3):
            await rig.feed.trades(number)
        await client.until("trades", lambda item: names([3])[0] in ids(item))
        # One envelope, two where a second ends between.
        assert len(client.history["trades"]) <= 2


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "BAD_REQUEST"),
        ({"room": PRICE}, "BAD_REQUEST"),
        ({"room": 1, "last_seq": 1}, "BAD_REQUEST"),
        ({"room": PRICE, "last_seq": "1"}, "BAD_REQUEST"),
        ({"room": PRICE, "last_seq": True}, "BAD_REQUEST"),
        ({"room": PRICE, "last_seq": -1}, "BAD_REQUEST"),
        ({"room": PRICE, "last_seq": 2**53}, "BAD_REQUEST"),
        ({"room": PRICE, "last_seq": 1, "more": 1}, "BAD_REQUEST"),
        ({"room": "nothing", "last_seq": 1}, "UNKNOWN_ROOM"),
        ({"room": "price:NO-USD", "last_seq": 1}, "UNKNOWN_MARKET"),
    ],
)
async def test_what_cannot_be_resumed(rig: Rig, request_: dict[str, Any], code: str) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        answer = await client.call("resume", request_)
        assert not answer["ok"]
        assert [error["code"] for error in answer["errors"]] == [code]
