"""Faults of the wire and of the feed, without sockets."""

import json
from random import Random

import pytest

from sandbox.dydx.garbage import garble
from sandbox.faults import NO_FAULTS, ActiveFaults, Fault, Kind
from tests.unit.sandbox.offline import ALL, QUIET, Frame, Replica


def _active(kind: Kind, market: str | None = None) -> ActiveFaults:
    return ActiveFaults([Fault("dydx", kind, market, until_ns=1)])


def _ids(frames: list[Frame]) -> list[int]:
    return [frame["message_id"] for frame in frames]


def _best(replica: Replica, ticker: str) -> tuple[float, float]:
    book = json.loads(replica.feed.orderbook(ticker))
    return float(book["bids"][0]["price"]), float(book["asks"][0]["price"])


def test_gap_loses_numbered_frames_and_no_answers(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", "BTC-USD")
    replica.faults = _active("gap")
    replica.run(5)
    ids = _ids(client.frames())
    assert ids[:2] == [0, 1]
    missing = set(range(ids[-1])) - set(ids)
    assert 0.15 < len(missing) / ids[-1] < 0.45


def test_gap_of_one_market_spares_others(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", "BTC-USD")
    client.subscribe("v4_orderbook", "ETH-USD")
    replica.faults = _active("gap", "BTC-USD")
    replica.run(3)
    frames = client.frames()
    assert len(_ids(frames)) < frames[-1]["message_id"]
    other = replica.connect()
    other.subscribe("v4_orderbook", "ETH-USD")
    replica.run(3)
    ids = _ids(other.frames())
    assert ids == list(range(len(ids)))


def test_duplicate_sends_each_data_frame_twice(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_block_height")
    replica.run(0.1)
    replica.faults = _active("duplicate")
    client.frames()
    replica.run(3)
    frames = client.raw()
    assert len(frames) >= 4
    assert frames[::2] == frames[1::2]


def test_slow_delays_in_order(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", "BTC-USD")
    replica.run(0.5)
    client.frames()
    replica.faults = _active("slow")
    replica.run(1.4)
    assert client.frames() == []
    replica.faults = NO_FAULTS
    replica.run(0.05)
    assert client.frames() == []
    replica.run(3)
    ids = _ids(client.frames())
    assert ids == sorted(ids)
    assert len(ids) == ids[-1] - ids[0] + 1


def test_garble_spoils_every_frame_in_many_ways() -> None:
    frame = (
        b'{"type":"channel_data","connection_id":"c","message_id":7,"id":"BTC-USD",'
        b'"channel":"v4_orderbook","version":"1.0.0","contents":{"bids":[["65920","0.1"]]}}'
    )
    rng = Random(1)
    spoiled = [garble(frame, rng) for _ in range(500)]
    assert frame not in spoiled
    unreadable = 0
    for text in spoiled:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            unreadable += 1
    assert 100 < unreadable < 400
    assert len(set(spoiled)) > 50
    assert spoiled == [garble(frame, r) for r in [Random(1)] for _ in range(500)]


def test_freeze_stops_the_chain_and_snapshots(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_block_height")
    client.subscribe("v4_orderbook", "BTC-USD")
    replica.run(2)
    height = replica.feed.height
    client.frames()
    replica.faults = _active("freeze")
    client.subscribe("v4_trades", "BTC-USD")
    replica.run(5)
    assert client.frames() == []
    assert replica.feed.height == height
    replica.run(16)
    (error,) = client.frames()
    assert error["message"] == ("Internal error, could not fetch data for subscription: v4_trades.")
    assert (error["channel"], error["id"]) == ("v4_trades", "BTC-USD")
    replica.faults = NO_FAULTS
    replica.run(1)
    assert replica.feed.height > height
    assert len(client.frames()) > 10


def test_freeze_of_a_market_leaves_others(replica: Replica) -> None:
    client = replica.connect()
    for ticker in ("BTC-USD", "ETH-USD"):
        client.subscribe("v4_orderbook", ticker)
        client.subscribe("v4_trades", ticker)
    replica.run(0.1)
    client.frames()
    replica.faults = _active("freeze", "BTC-USD")
    replica.run(3)
    assert {frame["id"] for frame in client.frames()} == {"ETH-USD"}


def test_spike_moves_the_book_and_not_the_oracle(replica: Replica) -> None:
    replica.run(1)
    before, other = _best(replica, "BTC-USD"), _best(replica, "ETH-USD")
    replica.faults = _active("spike", "BTC-USD")
    replica.run(0.5)
    assert _best(replica, "BTC-USD")[0] == pytest.approx(before[0] * 1.2, rel=0.002)
    assert _best(replica, "ETH-USD")[0] == pytest.approx(other[0], rel=0.002)
    replica.run(25)
    oracle = float(replica.feed.markets["BTC-USD"].oracle_price)
    assert oracle == pytest.approx(before[0], rel=0.01)
    replica.faults = NO_FAULTS
    replica.run(0.1)
    assert _best(replica, "BTC-USD")[0] == pytest.approx(before[0], rel=0.01)


def test_cross_keeps_the_phantom_newest_and_takes_it_back(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", QUIET)
    replica.run(0.1)
    client.frames()
    replica.faults = _active("cross", QUIET)
    replica.run(3)
    frames = client.frames()
    bids = [frame["contents"]["bids"][0] for frame in frames if "bids" in frame["contents"]]
    ask = _best(replica, QUIET)[1]
    phantoms = [price for price, size in bids if float(price) > ask * 1.005 and size != "0"]
    assert len(phantoms) >= 14
    assert len(set(phantoms)) == 1
    assert frames[-1]["contents"]["bids"][0][0] == phantoms[0]
    replica.faults = NO_FAULTS
    replica.run(0.05)
    assert [phantoms[0], "0"] in [f["contents"]["bids"][0] for f in client.frames()]


def test_delist_empties_the_book_and_returns(replica: Replica) -> None:
    client = replica.connect()
    client.subscribe("v4_orderbook", "ETH-USD")
    client.subscribe("v4_markets")
    replica.run(0.1)
    client.frames()
    replica.faults = _active("delist", "ETH-USD")
    replica.run(2)
    frames = client.frames()
    told = [
        frame["contents"]["trading"]["ETH-USD"]["status"]
        for frame in frames
        if "status" in frame["contents"].get("trading", {}).get("ETH-USD", {})
    ]
    assert told == ["FINAL_SETTLEMENT"]
    assert json.loads(replica.feed.orderbook("ETH-USD")) == {"bids": [], "asks": []}
    listed = json.loads(replica.feed.perpetual_markets("ETH-USD", 1))["markets"]["ETH-USD"]
    assert listed["status"] == "FINAL_SETTLEMENT"
    replica.faults = NO_FAULTS
    replica.run(0.1)
    assert len(json.loads(replica.feed.orderbook("ETH-USD"))["bids"]) > 50
    assert replica.feed.markets["ETH-USD"].status == "ACTIVE"


def test_rate_limit_refuses_subscribes(replica: Replica) -> None:
    client = replica.connect()
    replica.faults = _active("rate_limit")
    replica.run(0.01)
    client.subscribe("v4_trades", "BTC-USD")
    assert client.session.closing is not None
    assert client.frames()[-1]["message"].startswith("Too many subscribe attempts")


@pytest.mark.parametrize(
    "kind",
    ["freeze", "garble", "gap", "cross", "spike", "duplicate", "delist", "rate_limit", "slow"],
)
def test_after_any_fault_a_new_snapshot_and_its_updates_are_true(kind: Kind) -> None:
    replica = Replica(ALL[68:74], rate=3)
    replica.run(1)
    replica.faults = _active(kind)
    replica.run(2)
    replica.faults = NO_FAULTS
    replica.run(0.1)
    client = replica.connect()
    client.subscribe("v4_orderbook", QUIET)
    replica.run(10)
    naive: dict[str, dict[str, str]] = {}
    for frame in client.frames()[1:]:
        if frame["type"] == "subscribed":
            for side, levels in frame["contents"].items():
                naive[side] = {level["price"]: level["size"] for level in levels}
            continue
        for side, changes in frame["contents"].items():
            naive[side].update(dict(changes))
    truth = json.loads(replica.feed.orderbook(QUIET))
    for side, levels in truth.items():
        left = {price: size for price, size in naive[side].items() if size != "0"}
        assert left == {level["price"]: level["size"] for level in levels}
