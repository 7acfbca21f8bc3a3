"""Bodies of routes, guarded quotes and orders that are refused for what stands in them."""

from typing import Any

import pytest

from api.endpoints import _checked
from api.problems import Invalid
from api.routing.request import RouteRequest, request_of
from api.schemas.orders import OrderBody, SubmissionBody
from api.schemas.routing import QuoteBody

BODY: dict[str, Any] = {
    "market": "BTC-USD", "side": "BUY", "intent": "open", "type": "market",
    "notional_usd": "1000", "leverage": "10",
}  # fmt: skip
ORDER: dict[str, Any] = {"quote_id": "5f0c7f6e-0000-4000-8000-000000000001"}
STEP: dict[str, Any] = {"step_id": "order", "step_version": 1}
NO_AMOUNTS = (
    "1_000", "\u0661000", "\uff11", " 1", "1 ", "1\n", "+1", "-1", "-0", "1E+999999", "1e3", "NaN",
    "sNaN", "Infinity", "0x10", "01", ".5", "5.", "", "1\0", "\u202e1", "\ud800", "1" * 19,
    "1." + "1" * 19, 1, 1.5, True, ["1"], {},
)  # fmt: skip


def asked(**more: Any) -> RouteRequest:
    body = _checked(QuoteBody, BODY | more, "body")
    assert isinstance(body, QuoteBody)
    return request_of(body)


def issues(**more: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        asked(**more)
    return [(issue.path, issue.code) for issue in refused.value.issues]


@pytest.mark.parametrize(
    "name",
    ["size_base", "notional_usd", "leverage", "limit_price", "trigger_price", "take_profit",
     "stop_loss", "slippage_bps"],
)  # fmt: skip
def test_amounts_have_one_spelling(name: str) -> None:
    for text in NO_AMOUNTS:
        [(path, code)] = issues(**{name: text})
        assert path == f"body.{name}"
        assert code == ("BAD_AMOUNT" if isinstance(text, str) else "WRONG_TYPE"), text


@pytest.mark.parametrize(
    ("more", "path", "code"),
    [
        ({"leverage": "0"}, "body", "BAD_AMOUNT"),
        ({"notional_usd": "0"}, "body", "BAD_AMOUNT"),
        ({"notional_usd": "100000000.1"}, "body.notional_usd", "OUT_OF_RANGE"),
        ({"size_base": "1"}, "body", "BAD_SIZE"),
        ({"slippage_bps": "10000"}, "body", "BAD_SLIPPAGE"),
        ({"side": "buy"}, "body.side", "UNKNOWN_SIDE"),
        ({"side": "__proto__"}, "body.side", "UNKNOWN_SIDE"),
        ({"side": ["BUY"]}, "body.side", "UNKNOWN_SIDE"),
        ({"intent": "hasOwnProperty"}, "body.intent", "UNKNOWN_INTENT"),
        ({"type": None}, "body.type", "UNKNOWN_TYPE"),
        ({"time_in_force": "gtc"}, "body.time_in_force", "UNKNOWN_TIME_IN_FORCE"),
        ({"market": "BTC-USD\0"}, "body.market", "BAD_NAME"),
        ({"market": "\u202eBTC-USD"}, "body.market", "BAD_NAME"),
        ({"market": "\ud800"}, "body.market", "BAD_NAME"),
        ({"market": "../etc"}, "body.market", "BAD_NAME"),
        ({"market": "A" * 81}, "body.market", "BAD_NAME"),
        ({"venues": []}, "body.venues", "BAD_LIST"),
        ({"venues": ["dydx"] * 17}, "body.venues", "BAD_LIST"),
        ({"venues": ["dy\0dx"]}, "body.venues", "BAD_NAME"),
        ({"chain_ids": [0]}, "body.chain_ids", "WRONG_TYPE"),
        ({"chain_ids": [2**256]}, "body.chain_ids", "WRONG_TYPE"),
        ({"chain_ids": [True]}, "body.chain_ids", "WRONG_TYPE"),
        ({"max_legs": True}, "body.max_legs", "WRONG_TYPE"),
        ({"max_legs": 1.0}, "body.max_legs", "WRONG_TYPE"),
        ({"max_legs": 10**6}, "body.max_legs", "OUT_OF_RANGE"),
        ({"good_til": 253_402_300_799}, "body.good_til", "OUT_OF_RANGE"),
        ({"good_til": -1}, "body.good_til", "OUT_OF_RANGE"),
        ({"post_only": 1}, "body.post_only", "WRONG_TYPE"),
        ({"__proto__": {}}, "body.__proto__", "UNKNOWN_FIELD"),
        ({"collateral": {"constructor": 1}}, "body.collateral.constructor", "UNKNOWN_FIELD"),
        ({"collateral": {"amount": True}}, "body.collateral.amount", "WRONG_TYPE"),
    ],
)
def test_what_is_no_order(more: dict[str, Any], path: str, code: str) -> None:
    assert issues(**more) == [(path, code)]


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        (OrderBody, ORDER | {"quote_id": "__proto__"}, "body.quote_id"),
        (OrderBody, ORDER | {"quote_id": ORDER["quote_id"] + "\0"}, "body.quote_id"),
        (OrderBody, ORDER | {"leg": -1}, "body.leg"),
        (OrderBody, ORDER | {"deadline": "9999-12-31T23:59:59Z"}, "body.deadline"),
        (OrderBody, ORDER | {"deadline": "-0001-01-01T00:00:00Z"}, "body.deadline"),
        (OrderBody, ORDER | {"client_order_id": "\u202eid"}, "body.client_order_id"),
        (SubmissionBody, STEP | {"tx_hash": "0x" + "1" * 63}, "body.tx_hash"),
        (SubmissionBody, STEP | {"step_id": "constructor"}, "body.step_id"),
        (SubmissionBody, STEP | {"step_version": 2**63}, "body.step_version"),
    ],
)
def test_what_is_nothing_of_an_order(model: Any, body: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        _checked(model, body, "body")
    assert [issue.path for issue in refused.value.issues] == [path]
