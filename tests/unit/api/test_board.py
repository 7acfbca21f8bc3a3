"""The rooms without any I/O: what is held, shown, marked stale and taken back."""

from typing import Any

import orjson
import pytest

from api.tape.board import Board
from api.tape.rooms import TRADE_ENVELOPES_KEPT, TRADES_KEPT
from domain.errors import InputError
from runtime.wire import Batch, Envelope, encode_envelope

EPOCH = 1_790_000_000
NOW_US = EPOCH * 1_000_000


def price_data(bid: str | None, ask: str | None) -> dict[str, Any]:
    venue = None if bid is None else "dydx"
    return {
        "bid": bid,
        "bid_venue": venue,
        "bid_size": None,
        "ask": ask,
        "ask_venue": venue,
        "ask_size": None,
        "mid": bid,
        "spread_bps": 0.1,
        "crossed": False,
        "quality": {"venues": 1, "excluded": []},
        "venues": {"dydx": {"bid": bid, "ask": ask, "kind": "book", "state": "live"}},
    }


def row(bid: str) -> dict[str, Any]:
    return {
        "bid": bid,
        "ask": bid,
        "bid_venue": "dydx",
        "ask_venue": "dydx",
        "spread_bps": 0.0,
        "crossed": False,
        "change_24h": 0.5,
    }


def envelope(room: str, seq: int, data: Any, epoch: int = EPOCH) -> Envelope:
    body = encode_envelope("update", room, seq, epoch, "frame", NOW_US, NOW_US + 1, data)
    return Envelope(room, seq, body)


def markets(*names: str) -> bytes:
    return orjson.dumps([{"market": name} for name in names])


@pytest.fixture
def board() -> Board:
    filled = Board()
    filled.epoch = EPOCH
    filled.silent = False
    filled.take_markets(markets("BTC-USD", "ETH-USD"))
    filled.accept(envelope("price:BTC-USD", 10, price_data("100", "101")))
    filled.accept(envelope("prices", 20, {"BTC-USD": row("100"), "ETH-USD": row("5")}))
    return filled


def snapshot(board: Board, room: str) -> dict[str, Any]:
    parsed: dict[str, Any] = orjson.loads(board.find(room).snapshot(EPOCH, NOW_US))
    return parsed


def test_older_envelopes_are_ignored(board: Board) -> None:
    assert board.accept(envelope("price:BTC-USD", 10, price_data("1", "2"))) is None
    assert board.accept(envelope("price:BTC-USD", 9, price_data("1", "2"))) is None
    assert board.accept(envelope("prices", 20, {"BTC-USD": row("1")})) is None
    assert snapshot(board, "price:BTC-USD")["data"]["bid"] == "100"


def test_envelopes_are_shown_as_they_came(board: Board) -> None:
    sent = envelope("price:BTC-USD", 11, price_data("102", "103"))
    room = board.accept(sent)
    assert room is not None
    assert room.shown == sent.body
    assert room.snapshot(0, 0) == sent.body.replace(b'"update"', b'"snapshot"', 1)


def test_rooms_of_a_newer_feed_are_ignored(board: Board) -> None:
    assert board.accept(envelope("depth:BTC-USD", 1, {})) is None
    assert board.accept(envelope("prices:BTC-USD", 1, {})) is None


def test_the_board_is_merged(board: Board) -> None:
    version = board.prices.version
    board.accept(envelope("prices", 21, {"ETH-USD": row("6")}))
    board.accept(envelope("prices", 22, {"SOL-USD": row("7")}))
    whole = snapshot(board, "prices")
    assert (whole["type"], whole["seq"]) == ("snapshot", 22)
    assert {name: item["bid"] for name, item in whole["data"].items()} == {
        "BTC-USD": "100",
        "ETH-USD": "6",
        "SOL-USD": "7",
    }
    since = orjson.loads(board.prices.since(version))
    assert (since["type"], since["seq"]) == ("update", 22)
    assert set(since["data"]) == {"ETH-USD", "SOL-USD"}


def test_going_stale_takes_every_price_away_and_repeats_the_seq(board: Board) -> None:
    changed = board.go_stale(NOW_US + 5)
    assert {room.name for room in changed} == {"price:BTC-USD", "prices"}
    status = orjson.loads(board.quote("BTC-USD").shown)
    assert (status["seq"], status["cause"], status["received_us"]) == (10, "status", NOW_US + 5)
    assert status["data"]["venues"]["dydx"]["state"] == "stale"
    assert status["data"]["quality"] == {
        "venues": 0,
        "excluded": [{"venue": "dydx", "reason": "FEED_SILENT"}],
        "disagree": False,
        "confidence_bps": None,
        "age_ms": {},
    }
    assert b"100" not in board.quote("BTC-USD").shown
    prices = orjson.loads(board.prices.shown)
    assert (prices["type"], prices["seq"], prices["cause"]) == ("update", 20, "status")
    assert {item["bid"] for item in prices["data"].values()} == {None}
    assert {item["change_24h"] for item in prices["data"].values()} == {0.5}
    assert board.go_stale(NOW_US + 6) == []


def test_going_stale_takes_the_prices_of_pools_away(board: Board) -> None:
    data = price_data("200", "201")
    pool = {"pool": "0x1", "bid": "200", "ask": "201", "bid_size": "7", "ask_size": "7"}
    data["venues"] = {
        "gmx": {
            "bid": "200",
            "ask": "201",
            "kind": "oracle",
            "pool": "0x1",
            "state": "live",
            "pools": [pool, {**pool, "pool": "0x2"}],
        }
    }
    board.accept(envelope("price:BTC-USD", 11, data))
    board.go_stale(NOW_US + 5)
    assert orjson.loads(board.quote("BTC-USD").shown)["data"]["venues"] == {
        "gmx": {
            "bid": None,
            "ask": None,
            "kind": "oracle",
            "pool": None,
            "state": "stale",
            "pools": [],
        }
    }


def test_the_tape_brings_a_stale_room_back(board: Board) -> None:
    board.go_stale(NOW_US)
    board.accept(envelope("price:BTC-USD", 11, price_data("102", "103")))
    assert snapshot(board, "price:BTC-USD")["data"]["bid"] == "102"
    board.accept(envelope("prices", 21, {"BTC-USD": row("102")}))
    data = snapshot(board, "prices")["data"]
    assert (data["BTC-USD"]["bid"], data["ETH-USD"]["bid"]) == ("102", None)


def restore(
    board: Board,
    quotes: dict[str, bytes | None],
    *unpriced: Envelope,
    missed: bool = False,
    epoch: int = EPOCH,
) -> set[str]:
    why = Batch(epoch, NOW_US, unpriced)
    changed = board.restore(quotes, None, why, missed=missed, now_us=NOW_US)
    return {room.name for room in changed}


def test_a_key_with_the_same_seq_brings_a_stale_room_back(board: Board) -> None:
    board.go_stale(NOW_US)
    same = envelope("price:BTC-USD", 10, price_data("100", "101")).body
    assert restore(board, {"BTC-USD": same, "ETH-USD": None}) == {"price:BTC-USD", "prices"}
    assert board.quote("BTC-USD").shown == same
    data = orjson.loads(board.prices.shown)["data"]
    assert (data["BTC-USD"]["bid"], data["BTC-USD"]["change_24h"]) == ("100", 0.5)
    assert data["ETH-USD"]["bid"] is None
    assert restore(board, {"BTC-USD": same}) == set()


def test_keys_are_taken_only_where_they_are_newer(board: Board) -> None:
    older = envelope("price:BTC-USD", 9, price_data("1", "2")).body
    newer = envelope("price:BTC-USD", 11, price_data("3", "4")).body
    assert restore(board, {"BTC-USD": older}) == set()
    assert restore(board, {"BTC-USD": newer}) == {"price:BTC-USD", "prices"}


def test_keys_of_an_epoch_that_is_over_are_not_taken(board: Board) -> None:
    board.go_stale(NOW_US)
    board.epoch = EPOCH + 1
    assert restore(board, {"BTC-USD": envelope("price:BTC-USD", 10, {}).body}) == set()


def test_after_a_gap_a_price_without_its_key_is_stale(board: Board) -> None:
    assert restore(board, {"BTC-USD": None}) == set()
    assert restore(board, {"BTC-USD": None}, missed=True) == {"price:BTC-USD", "prices"}
    assert snapshot(board, "price:BTC-USD")["data"]["bid"] is None
    data = snapshot(board, "prices")["data"]
    assert (data["BTC-USD"]["bid"], data["ETH-USD"]["bid"]) == (None, "5")


def test_a_room_that_shows_no_price_keeps_its_reasons_after_a_gap(board: Board) -> None:
    board.accept(envelope("price:BTC-USD", 11, price_data(None, None)))
    assert restore(board, {"BTC-USD": None}, missed=True) == set()
    assert snapshot(board, "price:BTC-USD")["cause"] == "frame"


def test_after_a_silence_a_room_without_a_price_has_its_reasons_back(board: Board) -> None:
    closed = price_data(None, None)
    closed["quality"]["excluded"] = [{"venue": "dydx", "reason": "HOURS"}]
    told = envelope("price:BTC-USD", 11, closed)
    board.accept(told)
    board.go_stale(NOW_US)
    assert b"FEED_SILENT" in board.quote("BTC-USD").shown
    version = board.quote("BTC-USD").version
    assert board.has_stale
    assert restore(board, {"BTC-USD": None}) == set()
    assert restore(board, {"BTC-USD": None}, told) == {"price:BTC-USD"}
    assert board.quote("BTC-USD").shown == told.body
    assert board.quote("BTC-USD").version == version + 1
    assert not board.has_stale
    assert restore(board, {"BTC-USD": None}, told) == set()


def test_why_a_market_has_no_price_is_taken_only_where_it_is_news(board: Board) -> None:
    older, newer = (envelope("price:BTC-USD", seq, price_data(None, None)) for seq in (9, 11))
    assert restore(board, {"BTC-USD": None}, older) == set()
    assert restore(board, {"BTC-USD": None}, newer, epoch=EPOCH - 1) == set()
    assert restore(board, {"BTC-USD": None}, newer) == {"price:BTC-USD"}
    assert board.quote("BTC-USD").shown == newer.body


def test_a_board_that_heard_nothing_is_told_why_a_market_has_no_price() -> None:
    fresh = Board()
    told = envelope("price:TSLA-USD", 5, price_data(None, None))
    assert restore(fresh, {}, told) == {"price:TSLA-USD"}
    assert fresh.quote("TSLA-USD").shown == told.body


def test_a_quote_that_is_gone_tells_when_there_was_one(board: Board) -> None:
    room = board.quote("BTC-USD")
    assert room.priced_us == NOW_US + 1
    assert orjson.loads(room.unpriced(EPOCH, NOW_US))["data"]["bid"] is None
    board.accept(envelope("price:BTC-USD", 11, price_data(None, None)))
    assert room.priced_us == NOW_US + 1
    assert orjson.loads(room.unpriced(EPOCH, NOW_US))["cause"] == "frame"
    assert board.quote("ETH-USD").priced_us is None


def test_a_room_without_data_says_so(board: Board) -> None:
    for room in ("price:ETH-USD", "trades:ETH-USD", "ladder:ETH-USD", "funding", "venues"):
        empty = snapshot(board, room)
        assert (empty["type"], empty["seq"], empty["cause"]) == ("snapshot", 0, "status")
    quality = snapshot(board, "price:ETH-USD")["data"]["quality"]
    assert (quality["venues"], quality["excluded"]) == (0, [])
    assert snapshot(board, "trades:ETH-USD")["data"] == []
    assert snapshot(board, "funding")["data"] == {}
    assert snapshot(board, "ladder:ETH-USD")["data"] == {
        "sizes": ["1000", "10000", "100000", "1000000"],
        "mid": None,
        "buy": [],
        "sell": [],
        "splits": {"buy": [None] * 4, "sell": [None] * 4},
        "excluded": [],
    }


def test_trades_are_kept_to_a_bound() -> None:
    board = Board()
    board.take_markets(markets("BTC-USD"))
    room = board.trades("BTC-USD")
    for number in range(TRADE_ENVELOPES_KEPT + 10):
        board.accept(envelope("trades:BTC-USD", number + 1, [{"id": number}]))
    held = snapshot(board, "trades:BTC-USD")
    assert held["seq"] == TRADE_ENVELOPES_KEPT + 10
    assert [item["id"] for item in held["data"]] == list(range(138))[-TRADES_KEPT:]
    since = orjson.loads(room.since(room.version - 2))
    assert (since["type"], [item["id"] for item in since["data"]]) == ("update", [136, 137])


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("", "UNKNOWN_ROOM"),
        ("price", "UNKNOWN_ROOM"),
        ("trades", "UNKNOWN_ROOM"),
        ("ladder", "UNKNOWN_ROOM"),
        ("depth:BTC-USD", "UNKNOWN_ROOM"),
        ("funding:BTC-USD", "UNKNOWN_ROOM"),
        ("prices:", "UNKNOWN_ROOM"),
        ("heartbeat", "UNKNOWN_ROOM"),
        ("price:", "UNKNOWN_MARKET"),
        ("price:btc-usd", "UNKNOWN_MARKET"),
        ("price:BTC-USD ", "UNKNOWN_MARKET"),
        ("trades:\x00", "UNKNOWN_MARKET"),
        ("ladder:NONE-USD", "UNKNOWN_MARKET"),
    ],
)
def test_rooms_that_do_not_exist(board: Board, room: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        board.find(room)
    assert error.value.code == code


def test_before_any_market_is_known_nobody_can_tell() -> None:
    with pytest.raises(InputError) as error:
        Board().find("price:BTC-USD")
    assert error.value.code == "FEED_UNAVAILABLE"


@pytest.mark.parametrize("raw", [b"", b"{}x", b"[1]", b'[{"name":"x"}]', b"3"])
def test_bad_market_rows_are_refused_and_the_old_ones_kept(board: Board, raw: bytes) -> None:
    with pytest.raises(InputError):
        board.take_markets(raw)
    assert board.known_markets() == ["BTC-USD", "ETH-USD"]


def test_a_key_that_is_no_envelope_is_refused(board: Board) -> None:
    with pytest.raises(InputError):
        restore(board, {"BTC-USD": b'{"seq":1}'})


def test_rows_found_before_the_tape_was_heard_get_its_first_seq_as_a_whole() -> None:
    board = Board()
    board.epoch = EPOCH
    board.silent = False
    keys = {
        name: envelope(f"price:{name}", 5, price_data("10", "11")).body
        for name in ("BTC-USD", "ETH-USD")
    }
    board.restore(keys, None, None, missed=False, now_us=NOW_US)
    assert board.prices.seq == 0
    board.accept(envelope("prices", 9, {"BTC-USD": row("12")}))
    first = orjson.loads(board.prices.shown)
    assert (first["type"], first["seq"], set(first["data"])) == ("snapshot", 9, set(keys))
    board.accept(envelope("prices", 10, {"BTC-USD": row("13")}))
    assert orjson.loads(board.prices.shown)["type"] == "update"


# Ladders and funding ------------------------------------------------------------------------------

LADDER = {
    "sizes": ["1000", "2000"],
    "mid": "100",
    "buy": [{"venue": "dydx", "pool": None, "all_in": ["100", "101"]}],
    "sell": [],
    "splits": {"buy": [None, None], "sell": [None, None]},
    "excluded": [{"venue": "gmx", "reason": "STALE"}],
}


def test_a_silent_feed_has_no_ladders_until_their_keys_say_so(board: Board) -> None:
    told = envelope("ladder:BTC-USD", 5, LADDER)
    board.accept(told)
    assert snapshot(board, "ladder:BTC-USD")["data"] == LADDER
    assert board.unknown_ladders() == ["ETH-USD"]
    assert "ladder:BTC-USD" in {room.name for room in board.go_stale(NOW_US)}
    blank = snapshot(board, "ladder:BTC-USD")
    assert (blank["cause"], blank["seq"]) == ("status", 5)
    assert blank["data"] == LADDER | {
        "mid": None,
        "buy": [],
        "excluded": [
            {"venue": "dydx", "reason": "FEED_SILENT"},
            {"venue": "gmx", "reason": "FEED_SILENT"},
        ],
    }
    assert board.unknown_ladders() == ["BTC-USD", "ETH-USD"]
    older = envelope("ladder:BTC-USD", 5, LADDER, EPOCH - 1)
    assert board.restore_later({"BTC-USD": older.body}, []) == []
    (room,) = board.restore_later({"BTC-USD": told.body}, [])
    assert (room.name, room.shown) == ("ladder:BTC-USD", told.body)
    assert board.restore_later({"BTC-USD": told.body}, []) == []


def test_funding_is_merged_and_taken_from_its_keys(board: Board) -> None:
    board.accept(envelope("funding", 7, {"BTC-USD": {"dydx": 1}}))
    board.accept(envelope("funding", 8, {"ETH-USD": {"gmx": 2}, "SOL-USD": {}}))
    assert snapshot(board, "funding")["data"] == {
        "BTC-USD": {"dydx": 1}, "ETH-USD": {"gmx": 2}, "SOL-USD": {},
    }  # fmt: skip
    assert board.funding.rows() == {"BTC-USD": {"dydx": 1}, "ETH-USD": {"gmx": 2}}
    assert board.funding.is_known
    board.go_stale(NOW_US)
    assert not board.funding.is_known
    assert board.funding.rows() == {}
    assert set(map(str, snapshot(board, "funding")["data"].values())) == {"{}"}
    shares = [
        envelope("funding", 7, {"BTC-USD": {"dydx": 1}}).body,
        envelope("funding", 9, {"ETH-USD": {"gmx": 3}}).body,
    ]
    assert {room.name for room in board.restore_later({}, shares)} == {"funding"}
    assert board.funding.rows() == {"BTC-USD": {"dydx": 1}, "ETH-USD": {"gmx": 3}}
    # The tape goes on where it was; a key that is older than a row changes nothing.
    assert board.accept(envelope("funding", 9, {"BTC-USD": {"dydx": 4}})) is not None
    assert board.restore_later({}, shares[:1]) == []
    assert board.funding.rows()["BTC-USD"] == {"dydx": 4}


def test_funding_found_in_keys_is_enough_to_begin_with() -> None:
    board = Board()
    board.epoch = EPOCH
    shares = [envelope("funding", 9, {"BTC-USD": {"dydx": 1}}).body]
    board.restore_later({}, shares)
    assert snapshot(board, "funding")["data"] == {"BTC-USD": {"dydx": 1}}
    # Another share was said before that one, and is heard after it.
    assert board.accept(envelope("funding", 8, {"ETH-USD": {"dydx": 2}})) is not None
    assert set(board.funding.rows()) == {"BTC-USD", "ETH-USD"}
