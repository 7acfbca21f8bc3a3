"""Logs: every event that orders use, against what web3 reads; what each means to us."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.gains.economics.position import CancelReason
from connectors.gains.orders import abi, events, logs
from connectors.gains.orders.abi import EVENTS
from connectors.gains.orders.calls import TradeType
from domain.errors import VenueProtocolError
from tests.unit.connectors.gains.orders.chain import BY_NAME, KEEPER, TRADER, log, read_by_web3

NAMES = sorted(event.name for event in EVENTS.values())
SMALL = {"orderType": 4, "cancelReason": 3, "tradeType": 1, "pendingOrderType": 4}
"""Numbers of an enumeration."""


def sample(parameter: dict[str, Any], seed: int) -> Any:
    """A value unlike its neighbours."""
    kind, name = parameter["type"], parameter["name"]
    if kind == "tuple":
        return {
            item["name"]: sample(item, seed * 7 + place)
            for place, item in enumerate(parameter["components"])
        }
    if kind == "address":
        return TRADER if seed % 2 else KEEPER
    if kind == "bool":
        return bool(seed % 2)
    if name in SMALL:
        return SMALL[name]
    return seed % 200 + 1 if kind.startswith("uint") else -seed


def sampled(name: str) -> dict[str, Any]:
    inputs = BY_NAME["event", name]["inputs"]
    return {item["name"]: sample(item, place + 3) for place, item in enumerate(inputs)}


def plain(value: Any) -> Any:
    """Structs of either decoder as dictionaries, addresses in lower case."""
    if isinstance(value, str):
        return value.lower()
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_that_web3_reads(name: str) -> None:
    found = log(name, **sampled(name))
    event = EVENTS[found.topics[0]]
    assert plain(event.decode(found.topics, found.data)) == plain(read_by_web3(name, found))
    assert logs.read(found) is not None


def test_every_pinned_event_is_read() -> None:
    pinned = json.loads((Path(abi.__file__).parents[1] / "abi" / "diamond.json").read_bytes())
    assert sorted(entry["name"] for entry in pinned if entry["type"] == "event") == NAMES


def test_an_event_of_something_else_is_nothing() -> None:
    found = log("MarketOrderInitiated")
    assert logs.read(replace(found, topics=(b"\x00" * 32,))) is None
    assert logs.read(replace(found, topics=())) is None


@pytest.mark.parametrize(
    "broken",
    [
        lambda found: replace(found, data=found.data[:-1]),
        lambda found: replace(found, topics=found.topics[:-1]),
        lambda found: replace(found, topics=(*found.topics[:-1], b"\xff" * 32)),
        lambda found: replace(found, data=b""),
    ],
)
def test_what_the_contract_cannot_have_written(broken: Any) -> None:
    with pytest.raises(VenueProtocolError) as error:
        logs.read(broken(log("TradeTpUpdated", user=TRADER, newTp=5)))
    assert error.value.code == "BAD_EVENT"


def test_a_number_that_no_enumeration_has() -> None:
    with pytest.raises(VenueProtocolError) as error:
        logs.read(log("MarketOpenCanceled", cancelReason=14))
    assert error.value.code == "BAD_EVENT"


def test_a_market_order_is_answered() -> None:
    trade = {
        "user": TRADER,
        "index": 7,
        "pairIndex": 1,
        "leverage": 63_000,
        "long": True,
        "isOpen": True,
        "collateralIndex": 3,
        "collateralAmount": 10_000_000,
        "openPrice": 82_197_710_045_183,
        "tp": 90_000_000_000_000,
    }
    found = log(
        "MarketExecuted",
        orderId={"user": TRADER, "index": 12},
        user=TRADER,
        index=7,
        t=trade,
        open=True,
        oraclePrice=82_190_000_000_000,
        marketPrice=82_197_710_045_183,
        liqPrice=81_000_000_000_000,
        collateralPriceUsd=99_990_000,
    )
    assert logs.read(found) == events.Filled(
        request=events.RequestId(TRADER, 12),
        trader=TRADER,
        index=7,
        type=events.OrderType.MARKET_OPEN,
        trade=events.Traded(
            1, True, 3, TradeType.TRADE, 10_000_000, 63_000, 82_197_710_045_183, 90 * 10**12, 0
        ),
        oracle_e10=82_190_000_000_000,
        price_e10=82_197_710_045_183,
        liquidation_e10=81_000_000_000_000,
        profit_p=0,
        paid=0,
        collateral_price_e8=99_990_000,
    )


def test_refusals_say_what_came_back() -> None:
    opened = logs.read(
        log(
            "MarketOpenCanceled",
            orderId={"user": TRADER, "index": 12},
            trader=TRADER,
            cancelReason=6,
            collateralReturned=9_908_125,
        )
    )
    assert opened == events.MarketRefused(
        events.RequestId(TRADER, 12), TRADER, None, CancelReason.EXPOSURE_LIMITS, 9_908_125
    )
    found = log("MarketCloseCanceled", trader=TRADER, cancelReason=3)
    assert logs.read(found) == events.MarketRefused(
        events.RequestId("0x" + "0" * 40, 0), TRADER, 0, CancelReason.SLIPPAGE, None
    )
