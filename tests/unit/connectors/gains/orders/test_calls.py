"""Calldata: the vectors to the byte, an independent encoder for what they leave out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from connectors.base.order_tag import order_tag, untagged, with_tag
from connectors.gains.orders import abi
from connectors.gains.orders import calls as c
from connectors.gains.orders.abi import ERRORS, EVENTS, FUNCTIONS
from domain.errors import InputError
from tests.unit.connectors.gains.orders.chain import ABI, calldata
from tests.unit.connectors.gains.world import RECORDED

VECTORS = json.loads((RECORDED / "calldata.json").read_bytes())["cases"]
PINNED = json.loads((Path(abi.__file__).parents[1] / "abi" / "diamond.json").read_bytes())
TRADER = "0x" + "1" * 40
DELEGATE = "0x" + "3" * 40
OPENING = c.OpenTrade(
    TRADER, 1, 63_000, True, 3, c.TradeType.TRADE, 10_000_000, 82_197_710_045_183, 1000
)
CLOSING = c.CloseTrade(c.TradeIndex(7), 25_100_000_000_000)
SLIPPAGE = c.UpdateClosingSlippage(c.TradeIndex(7), 800)
EXPECTED: dict[str, c.Call] = {
    "market long ETH/USD, 10 USDC x63, 1 % slippage": OPENING,
    "limit short BTC/USD at 105000, tp 90000, sl 110000": c.OpenTrade(
        trader=TRADER,
        pair_index=0,
        leverage_e3=10_000,
        long=False,
        collateral_index=3,
        trade_type=c.TradeType.LIMIT,
        collateral=250_000_000,
        price_e10=1_050_000_000_000_000,
        max_slippage_e3=500,
        tp_e10=900_000_000_000_000,
        sl_e10=1_100_000_000_000_000,
        referrer="0x" + "2" * 40,
    ),
    "native open (WETH collateral), send value = 0.1 ETH": c.OpenTrade(
        TRADER, 1, 5000, True, 2, c.TradeType.TRADE, 10**17, 25 * 10**12, 1000, native=True
    ),
    "close at market, expected 2510": CLOSING,
    "update limit order": c.UpdateOpenOrder(
        c.TradeIndex(3), 1_040_000_000_000_000, 900_000_000_000_000, 1_100_000_000_000_000, 750
    ),
    "cancel limit order": c.CancelOpenOrder(c.TradeIndex(3)),
    "tp": c.UpdateTakeProfit(c.TradeIndex(7), 27_000_000_000_000),
    "sl off": c.UpdateStopLoss(c.TradeIndex(7), 0),
    "leverage to 20x": c.UpdateLeverage(c.TradeIndex(7), 20_000),
    "add 50 USDC at 10x": c.IncreasePosition(
        c.TradeIndex(7), 50_000_000, 10_000, 25_100_000_000_000, 1000
    ),
    "partial close: remove 25 USDC collateral": c.DecreasePosition(
        c.TradeIndex(7), 25_000_000, 0, 25_100_000_000_000
    ),
    "partial close by leverage: -5x": c.DecreasePosition(
        c.TradeIndex(7), 0, 5000, 25_100_000_000_000
    ),
    "closing slippage 0.8 %": SLIPPAGE,
    "reclaim timed-out order (PENDING-ORDER index)": c.CancelAfterTimeout(c.PendingIndex(12)),
    "set delegate": c.SetDelegate(DELEGATE),
    "remove delegate": c.RemoveDelegate(),
    "delegated openTrade": c.Delegated(TRADER, OPENING),
    "slippage + close in one tx": c.Batch((SLIPPAGE, CLOSING)),
    "withdraw profit": c.WithdrawProfit(c.TradeIndex(7), 1_000_000),
}


def test_every_vector_is_expected() -> None:
    assert {case["name"] for case in VECTORS} == set(EXPECTED)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_calldata_to_the_byte_and_back(case: dict[str, Any]) -> None:
    data, call = bytes.fromhex(case["calldata"][2:]), EXPECTED[case["name"]]
    assert c.encode(call) == data
    assert c.decode(data) == call
    assert data[:4] == bytes.fromhex(case["selector"][2:]) == keccak(text=case["function"])[:4]


def test_the_vectors_reach_every_call() -> None:
    used = {case["function"].partition("(")[0] for case in VECTORS}
    assert used == {
        entry["name"]
        for entry in PINNED
        if entry["type"] == "function" and entry["stateMutability"] != "view"
    }


@pytest.mark.parametrize("call", [SLIPPAGE, c.Batch((SLIPPAGE, CLOSING)), OPENING])
def test_a_delegate_sends_the_whole_call_of_the_trader(call: c.Single | c.Batch) -> None:
    data = c.encode(c.Delegated(TRADER, call))
    assert data == calldata("delegatedTradingAction", TRADER, c.encode(call))
    assert c.decode(data) == c.Delegated(TRADER, call)


def _cut(value: Any) -> Any:
    """Without what compilers and libraries add for themselves."""
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if not isinstance(value, dict):
        return value
    extra = ("internalType", "signature")
    return {key: _cut(item) for key, item in value.items() if key not in extra}


def test_the_cut_abi_is_part_of_the_whole() -> None:
    solidity = [entry for entry in PINNED if entry["name"] in ("Error", "Panic")]
    whole = [_cut(entry) for entry in ABI]
    assert [entry for entry in PINNED if entry not in whole] == solidity
    assert len(ERRORS) == sum(entry["type"] == "error" for entry in ABI) + len(solidity)
    assert len(FUNCTIONS) + len(ERRORS) + len(EVENTS) == len(PINNED)


def test_a_tag_is_not_part_of_the_call() -> None:
    tag = order_tag("an order")
    for call in (OPENING, c.Batch((SLIPPAGE, CLOSING))):
        tagged = with_tag(c.encode(call), tag)
        assert c.decode(untagged(tagged)) == call
        with pytest.raises(InputError):
            c.decode(tagged)


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("BAD_ARGUMENT", replace(OPENING, price_e10=2**64)),
        ("BAD_ARGUMENT", replace(OPENING, leverage_e3=2**24)),
        ("BAD_ARGUMENT", replace(OPENING, max_slippage_e3=2**16)),
        ("BAD_ARGUMENT", replace(OPENING, collateral=-1)),
        ("BAD_ARGUMENT", replace(OPENING, trader="0x12")),
        ("BAD_ARGUMENT", c.CloseTrade(c.TradeIndex(2**32), 1)),
        ("NATIVE_INSIDE", c.Delegated(TRADER, replace(OPENING, native=True))),
        ("NATIVE_INSIDE", c.Batch((SLIPPAGE, replace(OPENING, native=True)))),
        ("BATCH_SIZE", c.Batch(())),
        ("BATCH_SIZE", c.Batch((CLOSING,) * 21)),
    ],
)
def test_what_does_not_fit_is_refused(code: str, call: c.Call) -> None:
    with pytest.raises(InputError) as error:
        c.encode(call)
    assert error.value.code == code


def _word(data: bytes, place: int, value: int) -> bytes:
    at = 4 + 32 * place
    return data[:at] + value.to_bytes(32, "big") + data[at + 32 :]


OPENED, BATCH = c.encode(OPENING), c.encode(c.Batch((SLIPPAGE, CLOSING)))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("UNKNOWN_CALL", b""),
        ("UNKNOWN_CALL", bytes.fromhex("a9059cbb") + bytes(64)),
        ("UNKNOWN_CALL", calldata("multicall", [BATCH])),
        ("UNKNOWN_CALL", calldata("multicall", [calldata("getTrades", TRADER)])),
        ("UNKNOWN_CALL", calldata("getTradingActivated")),
        ("BAD_CALLDATA", OPENED[:-1]),
        ("BAD_CALLDATA", _word(OPENED, 1, 5)),
        ("BAD_CALLDATA", _word(OPENED, 5, 0)),
        ("BAD_CALLDATA", _word(OPENED, 7, 3)),
        ("BAD_CALLDATA", _word(OPENED, 13, 1)),
        ("BAD_CALLDATA", _word(OPENED, 14, 1)),
        ("BAD_CALLDATA", _word(OPENED, 4, 2)),
        ("BAD_CALLDATA", _word(BATCH, 0, 64)),
        ("BAD_CALLDATA", calldata("multicall", [c.encode(CLOSING) + b"\x01"])),
        ("BATCH_SIZE", calldata("multicall", [])),
        ("BAD_CALLDATA", calldata("delegatedTradingAction", TRADER, BATCH + bytes(32))),
        ("UNKNOWN_CALL", calldata("delegatedTradingAction", TRADER, b"")),
    ],
    ids=range(17),
)
def test_what_is_not_ours_to_send_is_no_call(code: str, data: bytes) -> None:
    with pytest.raises(InputError) as error:
        c.decode(data)
    assert error.value.code == code
