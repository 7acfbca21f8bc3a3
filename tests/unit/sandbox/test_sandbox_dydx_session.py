import json

import pytest

from sandbox.dydx.session import POLICY_VIOLATION, RATE_LIMITED
from tests.unit.sandbox.offline import Client, Frame, Replica


def _errors(frames: list[Frame]) -> list[str]:
    return [frame["message"] for frame in frames if frame["type"] == "error"]


def _tickers(replica: Replica) -> list[str]:
    return list(replica.feed.markets)


@pytest.fixture
def client(replica: Replica) -> Client:
    client = replica.connect()
    client.frames()
    return client


def test_the_number_of_subscribed_is_reserved_on_arrival(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", "BTC-USD")
    replica.run(0.2)
    client.subscribe("v4_trades", "ETH-USD")
    for _ in range(30):
        replica.run(0.2)
        client.send(type="unsubscribe", channel="v4_trades", id="ETH-USD")
        replica.run(1)
        client.subscribe("v4_trades", "ETH-USD")
    replica.run(1)
    frames = client.frames()
    ids = [frame["message_id"] for frame in frames]
    assert sorted(ids) == list(range(len(ids)))
    late = [
        frame for frame, seen in zip(frames[1:], ids, strict=False) if frame["message_id"] < seen
    ]
    assert {frame["type"] for frame in late} == {"subscribed"}
    book = [f["message_id"] for f in frames if f.get("channel") == "v4_orderbook"]
    assert book == sorted(book)


def test_numbers_count_per_connection(replica: Replica) -> None:
    first, second = replica.connect(), replica.connect()
    first.subscribe("v4_orderbook", "BTC-USD")
    replica.run(1)
    second.subscribe("v4_block_height")
    replica.run(2)
    for client in (first, second):
        ids = [frame["message_id"] for frame in client.frames()]
        assert sorted(ids) == list(range(len(ids)))


def test_batches_come_every_quarter_second(replica: Replica, client: Client) -> None:
    client.subscribe("v4_orderbook", "BTC-USD", batched=True)
    replica.run(3)
    frames = client.frames()
    assert {frame["type"] for frame in frames[1:]} == {"channel_batch_data"}
    assert 9 <= len(frames) - 1 <= 12


def test_at_most_32_books_a_connection(replica: Replica, client: Client) -> None:
    for ticker in _tickers(replica)[:33]:
        client.subscribe("v4_orderbook", ticker)
        client.subscribe("v4_trades", ticker)
    assert _errors(client.frames()) == [
        "Per-connection subscription limit reached for v4_orderbook (limit=32).",
        "Per-connection subscription limit reached for v4_trades (limit=32).",
    ]
    replica.run(0.1)
    client.send(type="unsubscribe", channel="v4_orderbook", id=_tickers(replica)[0])
    client.subscribe("v4_orderbook", _tickers(replica)[32])
    replica.run(0.1)
    assert _errors(client.frames()) == []


def test_one_block_height_a_connection(client: Client) -> None:
    client.subscribe("v4_block_height")
    client.subscribe("v4_block_height", "other")
    assert _errors(client.frames()) == [
        "Per-connection subscription limit reached for v4_block_height (limit=1)."
    ]


def test_already_subscribed_names_the_subscription(replica: Replica, client: Client) -> None:
    client.subscribe("v4_trades", "BTC-USD")
    client.subscribe("v4_trades", "BTC-USD", batched=True)
    replica.run(0.1)
    (error,) = [frame for frame in client.frames() if frame["type"] == "error"]
    assert error["message"] == ("Invalid subscribe message: already subscribed (v4_trades-BTC-USD)")
    assert (error["channel"], error["id"]) == ("v4_trades", "BTC-USD")
    assert list(error) == ["type", "message", "connection_id", "message_id", "channel", "id"]


def test_another_id_of_the_markets_channel_stays_silent(replica: Replica, client: Client) -> None:
    client.subscribe("v4_markets", "all")
    replica.run(3)
    assert [frame["type"] for frame in client.frames()] == ["subscribed"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nonsense", "Invalid message: could not parse"),
        ('{"type":', "Invalid message: could not parse"),
        ("[]", "Invalid message: type is required"),
        ("{}", "Invalid message: type is required"),
        ("null", "Internal error"),
        ('{"type":"sub"}', "Invalid message type: sub"),
        ('{"type":"subscribe"}', "Invalid subscribe message: channel is required"),
        ('{"type":"subscribe","channel":"v5"}', "Invalid channel: v5"),
        ('{"type":"subscribe","channel":["v5"]}', 'Invalid channel: ["v5"]'),
        ('{"type":"subscribe","channel":"v4_trades"}', "Invalid id: undefined"),
        ('{"type":"unsubscribe","channel":"v4_trades","id":7}', "Invalid id: 7"),
    ],
)
def test_malformed_requests_repeat_the_current_number(
    client: Client, text: str, error: str
) -> None:
    client.session.receive(text)
    (frame,) = client.frames()
    assert (frame["message"], frame["message_id"]) == (error, 0)
    assert client.session.closing is None


@pytest.mark.parametrize(
    ("channel", "id_"),
    [
        ("v4_orderbook", "FOO"),
        ("v4_trades", "BTC-USD/1MIN"),
        ("v4_candles", "BTC-USD"),
        ("v4_candles", "BTC-USD/2MIN"),
        ("v4_candles", "FOO/1MIN"),
    ],
)
def test_unknown_ids_use_the_reserved_number(client: Client, channel: str, id_: str) -> None:
    client.subscribe(channel, id_)
    (frame,) = client.frames()
    assert frame["message"] == f"Invalid subscription id for channel: ({channel}-{id_})"
    assert frame["message_id"] == 1


def test_ping_is_ignored_and_needless_unsubscribe_is_answered(client: Client) -> None:
    client.send(type="ping")
    assert client.frames() == []
    client.send(type="unsubscribe", channel="v4_trades", id="BTC-USD")
    assert [frame["type"] for frame in client.frames()] == ["unsubscribed"]


def test_a_third_attempt_within_a_second_closes(replica: Replica, client: Client) -> None:
    for _ in range(2):
        client.subscribe("v4_trades", "BTC-USD")
        client.send(type="unsubscribe", channel="v4_trades", id="BTC-USD")
    assert client.session.closing is None
    client.subscribe("v4_trades", "BTC-USD")
    assert client.session.closing == (POLICY_VIOLATION, RATE_LIMITED)
    assert _errors(client.frames()) == [
        "Too many subscribe attempts for channel v4_trades-BTC-USD."
        " Please  reconnect and try again."
    ]


def test_attempts_are_counted_by_subscription_and_second(replica: Replica, client: Client) -> None:
    for _ in range(4):
        for ticker in ("BTC-USD", "ETH-USD"):
            client.subscribe("v4_trades", ticker)
            client.send(type="unsubscribe", channel="v4_trades", id=ticker)
        replica.run(0.6)
    assert client.session.closing is None


def test_a_third_invalid_message_within_a_second_closes(client: Client) -> None:
    for _ in range(3):
        client.session.receive("{")
    assert client.session.closing == (POLICY_VIOLATION, RATE_LIMITED)
    assert _errors(client.frames())[-1] == (
        "Too many invalid messages. Please reconnect and try again."
    )


def test_a_client_that_left_gets_nothing(replica: Replica, client: Client) -> None:
    client.subscribe("v4_trades", "BTC-USD")
    replica.run(0.1)
    client.subscribe("v4_orderbook", "BTC-USD")
    client.frames()
    client.session.leave()
    replica.run(2)
    assert client.raw() == []


def test_batched_takes_any_truth_of_javascript(replica: Replica, client: Client) -> None:
    message = {"type": "subscribe", "channel": "v4_orderbook", "id": "BTC-USD", "batched": "false"}
    client.session.receive(json.dumps(message))
    replica.run(1)
    assert client.frames()[-1]["type"] == "channel_batch_data"
