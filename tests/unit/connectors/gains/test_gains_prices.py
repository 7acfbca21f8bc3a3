"""The price stream on a virtual clock: what is shown, what no longer is, and why."""

import json
from typing import Any

import pytest

from connectors.base.protocol import HttpReply
from connectors.gains import constants as c
from domain.events import PoolQuote
from tests.unit.connectors.gains.world import (
    DAI,
    SERVER_MS,
    USDC,
    World,
    body,
    connected,
    kinds,
    lively,
    marks,
)

E10 = 10**10
BID, ASK = 99_980 * E10, 100_020 * E10
BTC_QUOTES = [("BTC-USD", USDC, BID, ASK), ("BTC-USD", DAI, BID, ASK)]
BOTH_DOUBTED = {"BTC-USD", "EUR-USD"}


def doubted(world: World, reason: str) -> set[str]:
    states = world.states()
    assert {(kind, why) for _, kind, why in states} <= {("doubt", reason)}
    return {market for market, _, _ in states}


@pytest.mark.parametrize(
    "frame", [{"m": [0, 100000.0], "i": [0, 99999.5], "t": 1724244390036}, [0, 100000.0]], ids=str
)
def test_a_print_is_a_touch_in_every_pool(frame: Any) -> None:
    world = World().open()
    world.send(frame)
    events = world.events()
    assert kinds(events) == ["OraclePrice", "PoolQuote", "PoolQuote", "Liveness"]
    assert marks(events) == [("BTC-USD", 100_000 * E10)]
    at_ms = 1724244390036 if isinstance(frame, dict) else None
    assert [
        (item.pool, item.bid_e18, item.ask_e18, item.bid_size, item.venue_time_ms)
        for item in events
        if isinstance(item, PoolQuote)
    ] == [(pool, BID * 10**8, ASK * 10**8, None, at_ms) for pool in (USDC, DAI)]


def test_a_new_connection_is_live_with_its_first_frame_and_knows_no_price() -> None:
    world = World()
    assert doubted(world, "NO_PRICE") == BOTH_DOUBTED
    assert not world.prices.healthy
    world.load()
    world.beat()
    events = world.events()
    assert world.prices.healthy
    assert connected(events) == ["live"]
    assert lively(events) == 1
    assert not [event for event in events if isinstance(event, PoolQuote)]


@pytest.mark.parametrize("frame", [[1724244390036], {"t": 1724244390036}, {"m": []}, [], {}])
def test_keep_alives_are_all_a_quiet_market_needs(frame: Any) -> None:
    world = World().open()
    world.send([2, 1.0922896117])
    assert len(world.quotes()) == 2
    for _ in range(60):
        world.wait(1, beats=False)
        world.send(frame)
        assert lively(world.events()) == 1
    assert world.prices.failure is None


def test_silence_ends_the_connection() -> None:
    world = World().open()
    world.wait(2.9, beats=False)
    assert world.prices.failure is None
    world.wait(0.2, beats=False)
    assert str(world.prices.failure).startswith("SILENT")


def test_a_connection_that_never_speaks_ends_too() -> None:
    world = World()
    assert world.prices.next_deadline_ns() == world.now_ns + 3_000_000_000
    world.wait(3.1, beats=False)
    assert world.prices.failure is not None


def test_the_last_of_a_pair_named_twice_counts_and_unknown_pairs_are_passed_over() -> None:
    world = World().open()
    world.send([0, 1.0, 481, 5.0, 1, 7.0, 0, 100000.0])
    assert world.quotes()[-2:] == BTC_QUOTES


def test_an_index_price_alone_moves_no_touch() -> None:
    world = World().open()
    world.send({"m": [0, 100000.0], "i": [0, 99000.0], "t": SERVER_MS + 1})
    world.events()
    world.send({"i": [0, 50.0, 2, None], "t": SERVER_MS + 2})
    assert kinds(world.events()) == ["Liveness"]


# What cannot be read ----------------------------------------------------------------------------

GARBAGE = [
    b"", b"{", b"null", b"7", b'"x"', b"[0,100000,2]", b'["0",1]', b"[1.5,1]", b'{"m":[0]}',
    b'{"m":{},"t":1}', b'{"t":"x"}', b"[" * 100_000, b'{"a":' * 5000, b"[0,NaN]", b"[0,1e999]",
    b"\xff\xfe", b'{"m":[0,1],"i":[0],"t":1}', b"[true]", b'"' + b"x" * 9_000_000 + b'"',
]  # fmt: skip


@pytest.mark.parametrize("frame", GARBAGE, ids=lambda frame: repr(frame[:20]))
def test_a_frame_that_cannot_be_read_may_have_changed_any_price(frame: bytes) -> None:
    world = World().open()
    world.send([0, 100000.0])
    world.seed_asked()
    world.events()
    world.raw(frame)
    events = world.events()
    assert lively(events) == 0
    world.seen = events
    assert doubted(world, "GARBAGE") == BOTH_DOUBTED
    # Whoever does not print again is found in the charts.
    world.wait(2.1)
    assert world.seed_asked()
    world.send([2, 1.5])
    assert {item[0] for item in world.quotes()} == {"EUR-USD"}
    world.seed(100000.0, None, 1.0)
    assert world.quotes() == BTC_QUOTES
    assert world.prices.failure is None


def test_an_http_reply_is_no_frame() -> None:
    world = World().open()
    world.prices.receive(HttpReply("/", b"[0,1]"), world.wall_us, world.now_ns)
    world.seen += world.prices.events()
    assert doubted(world, "GARBAGE") == BOTH_DOUBTED


@pytest.mark.parametrize("value", ["0", "-5", '"100000"', "true", "null", "[]", "1e300", "1e-300"])
def test_a_price_that_cannot_be_read_casts_doubt_on_its_pair_only(value: str) -> None:
    world = World().open()
    world.send([0, 99000.0, 2, 1.5])
    world.events()
    world.raw(f"[0,{value},2,1.6]")
    events = world.events()
    assert marks(events) == [("EUR-USD", 16 * 10**9)]
    world.seen = events
    assert doubted(world, "BAD_PRICE") == {"BTC-USD"}
    world.send([0, 100000.0])
    assert world.quotes() == BTC_QUOTES


def test_too_much_garbage_ends_the_connection() -> None:
    world = World().open()
    for _ in range(c.GARBAGE_BUDGET):
        assert world.prices.failure is None
        world.wait(0.2)
        world.raw("{")
    assert str(world.prices.failure).startswith("GARBAGE")


def test_a_pair_without_a_price_does_not_end_the_connection_of_the_others() -> None:
    world = World().open()
    for _ in range(2 * c.GARBAGE_BUDGET):
        world.wait(0.2)
        world.send([0, 0, 2, 1.5])
    assert world.prices.failure is None


def test_rare_garbage_does_not() -> None:
    world = World().open()
    for _ in range(3 * c.GARBAGE_BUDGET):
        world.wait(1)
        world.raw("{")
    assert world.prices.failure is None


# The seed ---------------------------------------------------------------------------------------


def test_every_connection_asks_once_for_the_charts() -> None:
    world = World().open()
    assert world.seed_asked()
    assert not world.seed_asked()
    world.seed(100000.0, None, 1.5)
    assert {item[0] for item in world.quotes()} == BOTH_DOUBTED
    world.wait(5)
    assert not world.seed_asked()
    world.reconnect()
    world.wait(0.1)
    assert world.seed_asked()


def test_the_seed_never_replaces_what_was_streamed() -> None:
    world = World().open()
    assert world.seed_asked()
    world.send([0, 100000.0])
    world.events()
    world.seed(50.0, None, 1.5)
    assert [item[0] for item in world.quotes()] == ["EUR-USD"] * 2


def test_a_seed_asked_for_before_the_doubt_is_not_used() -> None:
    world = World().open()
    assert world.seed_asked()
    world.raw("{")
    world.events()
    world.seed(100000.0, None, 1.5)
    assert world.quotes() == []
    world.wait(2.1)
    assert world.seed_asked()
    world.seed(100000.0)
    assert world.quotes() == BTC_QUOTES


def test_a_seed_of_the_last_connection_is_not_used() -> None:
    world = World().open()
    assert world.seed_asked()
    world.reconnect()
    world.beat()
    world.events()
    world.seed(100000.0)
    assert world.quotes() == []


def test_the_seed_does_not_make_up_for_a_print_that_cannot_be_read() -> None:
    world = World().open()
    assert world.seed_asked()
    world.send([0, 0])
    world.events()
    world.seed(100000.0)
    assert world.quotes() == []


@pytest.mark.parametrize("reply", [b"", b"null", b"[]", b"{}", b'{"closes":[]}', b"[" * 5000])
def test_unreadable_charts_end_the_poll(reply: bytes) -> None:
    world = World().open()
    assert world.seed_asked()
    world.seeder.receive(HttpReply("/charts", reply), world.wall_us, world.now_ns)
    assert str(world.seeder.failure).startswith("GARBAGE")
    assert not world.seeder.healthy
    assert world.board.seed_wanted


def test_prices_of_a_lost_connection_are_forgotten() -> None:
    world = World().open()
    world.send([0, 100000.0])
    world.events()
    world.reconnect()
    assert doubted(world, "NO_PRICE") == BOTH_DOUBTED
    world.window(0, long=1)
    world.beat()
    assert world.quotes() == []


def test_a_price_that_cannot_be_read_is_fetched() -> None:
    world = World().open()
    assert world.seed_asked()
    world.seed(100000.0, None, 1.5)
    world.wait(3)
    world.send([0, "x"])
    assert world.seed_asked()
    world.seed(100000.0, None, 1.5)
    assert world.quotes()[-2:] == BTC_QUOTES
    world.send([0, "x"])
    assert not world.seed_asked()
    world.wait(31)
    world.send([0, "x"])
    assert world.seed_asked()


# Age of prints ----------------------------------------------------------------------------------


def test_a_crypto_price_that_stands_still_is_not_trusted() -> None:
    world = World().open()
    world.send([0, 100000.0, 2, 1.5])
    world.events()
    world.wait(60)
    world.load()
    world.wait(30)
    assert world.states() == []
    world.wait(0.2)
    assert world.states() == [("BTC-USD", "doubt", "PRINT_OLD")]
    world.wait(30)
    assert world.states() == []
    world.send([0, 100000.0])
    assert world.quotes() == BTC_QUOTES


# Hours and trading states -----------------------------------------------------------------------


def test_a_market_closes_and_opens_by_the_flag_of_the_backend() -> None:
    world = World().open()
    world.send([2, 1.5])
    world.events()
    world.wait(30)
    world.load(body(isForexOpen=False))
    events = world.events()
    world.seen = events
    assert world.quotes() == [("EUR-USD", USDC, None, None), ("EUR-USD", DAI, None, None)]
    world.seen = events
    assert world.states() == [("EUR-USD", "closed", "HOURS")]
    # Nothing is shown while it is closed.
    world.send([2, 1.6])
    assert kinds(world.events()) == ["Liveness"]
    world.wait(30)
    world.events()
    world.load(body())
    assert world.states() == [("EUR-USD", "doubt", "NO_PRICE"), ("EUR-USD", "open", None)]
    world.send([2, 1.7])
    assert marks(world.events()) == [("EUR-USD", 17 * 10**9)]


def test_a_print_just_before_the_flag_is_of_the_open_market() -> None:
    world = World().open(body(isForexOpen=False))
    world.wait(29)
    world.send([2, 1.7])
    world.wait(1)
    world.events()
    world.load(body())
    assert [item[0] for item in world.quotes()] == ["EUR-USD"] * 2


def test_the_seed_of_a_closed_market_is_its_last_close() -> None:
    world = World()
    world.beat()
    assert world.seed_asked()
    world.seed(None, None, 1.5)
    world.load(body(isForexOpen=False))
    assert ("EUR-USD", "closed", "HOURS") in world.states()
    world.tell({"name": "tradingVariables", "value": body()})
    assert world.quotes() == []


@pytest.mark.parametrize(("state", "reason"), [(1, "CLOSE_ONLY"), (2, "PAUSED")])
def test_nobody_can_open_on_a_halted_chain(state: int, reason: str) -> None:
    world = World().open()
    world.send([0, 100000.0])
    world.events()
    world.tell({"name": "tradingVariables", "value": body(tradingState=state)})
    events = world.events()
    world.seen = events
    assert world.quotes() == [("BTC-USD", USDC, None, None), ("BTC-USD", DAI, None, None)]
    world.seen = events
    assert set(world.states()) == {
        ("BTC-USD", "halted", reason),
        ("EUR-USD", "halted", reason),
    }


def test_one_halted_chain_takes_out_its_own_pools_only() -> None:
    world = World((42161, 8453)).open()
    world.wait(30)
    world.send([0, 100000.0])
    assert len(world.quotes()) == 4
    world.load(body(tradingState=2), 1)
    events = world.events()
    world.seen = events
    assert world.quotes() == [
        ("BTC-USD", "8453:USDC", None, None),
        ("BTC-USD", "8453:DAI", None, None),
    ]
    world.seen = events
    assert world.states() == []


def test_a_delisted_pair_is_halted() -> None:
    world = World().open()
    world.send([0, 100000.0])
    world.events()
    raw = json.loads(json.dumps(body()))
    raw["pairInfos"]["maxLeverages"] = [1]
    world.tell({"name": "tradingVariables", "value": raw})
    events = world.events()
    world.seen = events
    assert world.states() == [("BTC-USD", "halted", "NOT_LISTED")]
    world.seen = events
    assert world.quotes() == [("BTC-USD", USDC, None, None), ("BTC-USD", DAI, None, None)]


def test_another_pair_in_the_slot_is_not_ours() -> None:
    world = World().open()
    world.send([0, 100000.0])
    world.events()
    raw = json.loads(json.dumps(body()))
    raw["pairs"][0]["from"] = "WBTC"
    world.tell({"name": "tradingVariables", "value": raw})
    assert ("BTC-USD", "halted", "NOT_LISTED") in world.states()
    world.send([0, 5.0])
    assert world.quotes() == []
