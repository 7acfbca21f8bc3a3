"""Candle rooms of the gateway."""

from typing import Any

import orjson
import pytest

from api.tape.board import Board
from api.tape.candles import CandlesRoom
from domain.errors import InputError
from runtime.channels import candles_tape_room
from runtime.wire import Envelope, encode_envelope

EPOCH = 1_790_000_000


def row(close: str, **more: Any) -> dict[str, Any]:
    return {"t": "2026-01-02T03:04:00.000Z", "open": "1", "high": "9", "low": "1",
            "close": close, "ticks": 2, "closed": False, **more}  # fmt: skip


def told(seq: int, **candles: Any) -> Envelope:
    name = candles_tape_room("BTC-USD")
    data = {{"s1": "1s", "m1": "1m"}[key]: candle for key, candle in candles.items()}
    return Envelope(name, seq, encode_envelope("update", name, seq, EPOCH, "timer", 5, 6, data))


@pytest.fixture
def board() -> Board:
    board = Board()
    board.take_markets(b'[{"market":"BTC-USD"}]')
    return board


def test_a_room_of_one_period_is_cut_out_of_the_market(board: Board) -> None:
    board.accept_all(told(7, m1=row("5"), s1=row("6")))
    room = board.find("candles:BTC-USD:1m")
    assert orjson.loads(room.snapshot(EPOCH, 9)) == {
        "type": "snapshot", "room": "candles:BTC-USD:1m", "seq": 7, "epoch": EPOCH,
        "cause": "timer", "received_us": 5, "published_us": 6, "data": row("5"),
    }  # fmt: skip
    assert board.accept_all(told(8, m1=row("7", closed=True))) == [room]
    shown = orjson.loads(room.shown)
    assert (shown["type"], shown["seq"], shown["data"]) == ("update", 8, row("7", closed=True))


def test_old_news_changes_nothing(board: Board) -> None:
    room = board.find("candles:BTC-USD:1m")
    board.accept_all(told(7, m1=row("5")))
    assert board.accept_all(told(7, m1=row("6"))) == []
    assert board.accept_all(told(6, m1=row("6"))) == []
    assert room.version == 1


def test_silence_of_the_feed_is_said_and_takes_no_candle_back(board: Board) -> None:
    minute = board.find("candles:BTC-USD:1m")
    board.accept_all(told(7, m1=row("5"), s1=row("6")))
    assert minute in board.go_stale(99)
    assert minute not in board.go_stale(100)
    for room, close in ((minute, "5"), (board.find("candles:BTC-USD:1s"), "6")):
        shown = orjson.loads(room.shown)
        assert (shown["cause"], shown["received_us"], shown["seq"]) == ("status", 99, 7)
        assert shown["data"] == row(close)
        assert orjson.loads(room.snapshot(EPOCH, 200))["cause"] == "status"
    board.accept_all(told(8, m1=row("7")))
    assert orjson.loads(minute.shown)["cause"] == "timer"
    assert minute in board.go_stale(300)


def test_before_anything_is_known_there_is_an_empty_candle(board: Board) -> None:
    room = board.find("candles:BTC-USD:1d")
    assert isinstance(room, CandlesRoom)
    snapshot = orjson.loads(room.snapshot(EPOCH, 9))
    assert (snapshot["seq"], snapshot["epoch"], snapshot["data"]["t"]) == (0, EPOCH, None)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("candles", "UNKNOWN_ROOM"),
        ("candles:", "UNKNOWN_ROOM"),
        ("candles:BTC-USD", "UNKNOWN_ROOM"),
        ("candles:BTC-USD:", "UNKNOWN_ROOM"),
        ("candles:BTC-USD:2m", "UNKNOWN_ROOM"),
        ("candles:BTC-USD:1M", "UNKNOWN_ROOM"),
        ("candles::1m", "UNKNOWN_ROOM"),
        ("candles:NOPE-USD:1m", "UNKNOWN_MARKET"),
        ("candles:BTC-USD:1m:1m", "UNKNOWN_MARKET"),
    ],
)
def test_rooms_that_do_not_exist(board: Board, name: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        board.find(name)
    assert error.value.code == code
