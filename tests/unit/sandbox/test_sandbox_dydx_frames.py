"""Every kind of frame, key by key, against a recorded one."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.sandbox.offline import ALL, Frame, Replica

Load = Callable[[str], Frame]

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

# The indexer's own order; captures of 2024 were saved with sorted keys.
_DATA_KEYS = ["type", "connection_id", "message_id", "id", "channel", "version", "contents"]


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: type(item) for key, item in value.items()}
    return type(value)


def _first(frames: list[Frame], **wanted: Any) -> Frame:
    for frame in frames:
        if all(frame.get(key) == value for key, value in wanted.items()):
            return frame
    raise AssertionError(f"no frame with {wanted}")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """One connection that sees every kind of frame."""
    replica = Replica(ALL, rate=3)
    client = replica.connect()
    client.subscribe("v4_orderbook", "ETH-USD")
    client.subscribe("v4_orderbook", "BTC-USD", batched=True)
    client.subscribe("v4_trades", "ETH-USD")
    client.subscribe("v4_candles", "ETH-USD/1MIN")
    client.subscribe("v4_candles", "BTC-USD/1MIN", batched=True)
    client.subscribe("v4_markets")
    client.subscribe("v4_block_height")
    client.subscribe("v4_orderbook", "FOO-USD")
    replica.run(31, turn_us=50_000)
    client.subscribe("v4_trades", "BTC-USD")
    client.send(type="unsubscribe", channel="v4_trades", id="ETH-USD")
    client.send(type="unsubscribe", channel="v4_markets")
    client.send(type="unsubscribe", channel="v4_block_height")
    replica.run(0.1)
    return client.frames()


def test_connected(frames: list[Frame], recorded: Load) -> None:
    assert list(frames[0]) == list(recorded("abacus/connected.json"))
    assert (frames[0]["type"], frames[0]["message_id"]) == ("connected", 0)


def test_error(frames: list[Frame], recorded: Load) -> None:
    frame = _first(frames, type="error")
    assert _types(frame) == _types(recorded("nautilus_2024/websocket/error.json"))
    assert frame["message"] == "Invalid subscription id for channel: (v4_orderbook-FOO-USD)"


def test_unsubscribed(frames: list[Frame], recorded: Load) -> None:
    frame = _first(frames, type="unsubscribed", channel="v4_trades")
    assert _types(frame) == _types(recorded("nautilus_2024/websocket/unsubscribed.json"))
    for channel in ("v4_markets", "v4_block_height"):
        assert "id" not in _first(frames, type="unsubscribed", channel=channel)


def test_orderbook(frames: list[Frame], recorded: Load) -> None:
    snapshot = _first(frames, type="subscribed", channel="v4_orderbook", id="ETH-USD")
    ape = recorded("abacus/v4_orderbook_ape_subscribed.json")
    assert list(snapshot) == list(ape)
    assert list(snapshot["contents"]) == ["bids", "asks"]
    full = recorded("nautilus_2024/websocket/v4_orderbook_snapshot.json")["contents"]
    for side, falls in (("bids", True), ("asks", False)):
        levels = snapshot["contents"][side]
        assert _types(levels[0]) == _types(full[side][0])
        assert list(levels[0]) == ["price", "size"]
        assert 80 <= len(levels) <= 100
        prices = [float(level["price"]) for level in levels]
        assert all((a > b) == falls for a, b in pairwise(prices))
    update = _first(frames, type="channel_data", channel="v4_orderbook")
    one = recorded("nautilus_2024/websocket/v4_orderbook.json")
    assert list(update) == _DATA_KEYS
    assert _types(update) == _types(one)
    ((side, levels),) = update["contents"].items()
    assert side in ("bids", "asks")
    assert [type(item) for item in levels[0]] == [type(i) for i in one["contents"]["bids"][0]]
    batch = _first(frames, type="channel_batch_data", channel="v4_orderbook")
    many = recorded("nautilus_2024/websocket/v4_orderbook_batched_data.json")
    assert list(batch) == _DATA_KEYS
    assert _types(batch) == _types(many)
    assert all(len(contents) == 1 for contents in batch["contents"])


def test_every_level_is_a_minimal_multiple_of_tick_and_step(frames: list[Frame]) -> None:
    updates = [
        frame
        for frame in frames
        if frame["type"] == "channel_data" and frame["channel"] == "v4_orderbook"
    ]
    assert len(updates) > 500
    for frame in updates:
        for levels in frame["contents"].values():
            assert len(levels) == 1
            for price, size in levels:
                assert _DECIMAL.fullmatch(price)
                assert _DECIMAL.fullmatch(size)
                assert len(price.partition(".")[2]) <= 1
                assert len(size.partition(".")[2]) <= 3
    assert any(
        size == "0" for f in updates for levels in f["contents"].values() for _, size in levels
    )


def test_trades(frames: list[Frame], recorded: Load) -> None:
    snapshot = _first(frames, type="subscribed", channel="v4_trades", id="BTC-USD")
    rest = recorded("ccxt_testnet/trades_btc.json")
    assert list(snapshot["contents"]["trades"][0]) == list(rest["trades"][0])
    times = [trade["createdAt"] for trade in snapshot["contents"]["trades"]]
    assert times == sorted(times, reverse=True)
    update = _first(frames, type="channel_data", channel="v4_trades")
    one = recorded("nautilus_2024/websocket/v4_trades.json")
    assert list(update) == _DATA_KEYS
    assert _types(update) == _types(one)
    assert update["version"] == one["version"]
    trade = update["contents"]["trades"][0]
    assert _types(trade) == _types(one["contents"]["trades"][0])
    assert list(trade) == ["id", "side", "size", "price", "type", "createdAt"]
    assert re.fullmatch("[0-9a-f]{24}", trade["id"])
    assert _ISO.fullmatch(trade["createdAt"])


def test_markets_snapshot(frames: list[Frame], recorded: Load) -> None:
    snapshot = _first(frames, type="subscribed", channel="v4_markets")
    assert list(snapshot) == ["type", "connection_id", "message_id", "channel", "contents"]
    assert set(snapshot) == set(recorded("nautilus_2024/websocket/v4_markets_subscribed.json"))
    markets = snapshot["contents"]["markets"]
    listed = recorded("nautilus_2024/http/list_perpetual_markets.json")["markets"]
    assert markets.keys() == listed.keys()
    newest = recorded("ccxt_testnet/perpetual_markets_btc.json")["markets"]["BTC-USD"]
    for ticker, market in markets.items():
        assert list(market) == list(newest)
        assert _types(market) == _types(newest)
        for name in ("tickSize", "stepSize", "status", "clobPairId", "stepBaseQuantums"):
            assert market[name] == listed[ticker][name]


def test_market_updates(frames: list[Frame], recorded: Load) -> None:
    updates = [
        frame
        for frame in frames
        if frame["type"] == "channel_data" and frame["channel"] == "v4_markets"
    ]
    one = recorded("nautilus_2024/websocket/v4_markets_oracle_price.json")
    oracle = next(frame for frame in updates if "oraclePrices" in frame["contents"])
    assert list(oracle) == [key for key in _DATA_KEYS if key != "id"]
    assert _types(oracle) == _types(one)
    ((_, price),) = oracle["contents"]["oraclePrices"].items()
    assert _types(price) == _types(one["contents"]["oraclePrices"]["FTM-USD"])
    assert _ISO.fullmatch(price["effectiveAt"])
    trading = [frame["contents"]["trading"] for frame in updates if "trading" in frame["contents"]]
    small = recorded("nautilus_2024/websocket/v4_markets_trading_data.json")
    interest = next(item for item in trading if len(item) == 1)
    (values,) = interest.values()
    assert _types(values) == _types(small["contents"]["trading"]["CRO-USD"])
    known = recorded("nautilus_2024/websocket/v4_markets_channel_data_v8.json")
    full = known["contents"]["trading"]["TRY-USD"]
    statistics = next(item for item in trading if len(item) > 100)
    assert set(statistics["BTC-USD"]) == {
        "priceChange24H",
        "volume24H",
        "trades24H",
        "nextFundingRate",
        "openInterest",
    }
    for name, value in statistics["BTC-USD"].items():
        assert type(value) is type(full[name])


def test_candles(frames: list[Frame], recorded: Load) -> None:
    snapshot = _first(frames, type="subscribed", channel="v4_candles", id="ETH-USD/1MIN")
    rest = recorded("ccxt_testnet/candles_btc_1min.json")
    assert list(snapshot["contents"]["candles"][0]) == list(rest["candles"][0])
    update = _first(frames, type="channel_data", channel="v4_candles")
    one = recorded("nautilus_2024/websocket/v4_candles_channel_data.json")
    assert _types(update) == _types(one)
    assert _types(update["contents"]) == _types(one["contents"])
    batch = _first(frames, type="channel_batch_data", channel="v4_candles")
    many = recorded("abacus/v4_candles_channel_batch_data.json")
    assert list(batch) == list(many)
    candle = update["contents"]
    assert float(candle["low"]) <= float(candle["open"]) <= float(candle["high"])
    assert float(candle["low"]) <= float(candle["close"]) <= float(candle["high"])


def test_block_height(frames: list[Frame], recorded: Load) -> None:
    snapshot = _first(frames, type="subscribed", channel="v4_block_height")
    first = recorded("nautilus_2024/websocket/v4_block_height_subscribed.json")
    assert list(snapshot) == list(first)
    assert list(snapshot["contents"]) == list(first["contents"])
    assert snapshot["id"] == "v4_block_height"
    update = _first(frames, type="channel_data", channel="v4_block_height")
    one = recorded("nautilus_2024/websocket/v4_block_height_channel_data.json")
    assert list(update) == list(one)
    assert list(update["contents"]) == list(one["contents"])
    heights = [
        int(frame["contents"]["blockHeight"])
        for frame in frames
        if frame["type"] == "channel_data" and frame["channel"] == "v4_block_height"
    ]
    assert heights == list(range(heights[0], heights[0] + len(heights)))
    assert 31 <= len(heights) <= 53


def test_delisting_sends_the_full_trading_object(replica: Replica, recorded: Load) -> None:
    market = replica.feed.markets["SOL-USD"]
    market.status = "FINAL_SETTLEMENT"
    sent = market.trading(replica.now_us)
    one = recorded("nautilus_2024/websocket/v4_markets_channel_data_v8.json")
    full = one["contents"]["trading"]["TRY-USD"]
    assert list(sent) == list(full)
    assert _types(sent) == _types(full)
