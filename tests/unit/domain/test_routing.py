"""The prices an order is expected at and guarded by."""

from decimal import Decimal
from typing import Any

import pytest

from domain.ids import MarketId
from domain.orders import OrderIntent
from domain.routing import expected_price, guard_price, rests


def intent(**fields: Any) -> OrderIntent:
    exits = fields.get("intent") in ("close", "decrease")
    given: dict[str, Any] = {
        "market": MarketId("BTC-USD"),
        "side": "BUY",
        "intent": "open",
        "type": "market",
        "notional_usd": Decimal(1000),
        "leverage": None if exits else Decimal(5),
    }
    return OrderIntent(**(given | fields))


NOW = Decimal(100)
CASES: list[tuple[dict[str, Any], Decimal, Decimal | None]] = [
    ({}, NOW, Decimal("100.5")),
    ({"side": "SELL"}, NOW, Decimal("99.5")),
    ({"slippage_bps": Decimal(0)}, NOW, NOW),
    # A market order that also has a limit is never worse than either.
    ({"limit_price": Decimal("100.2")}, NOW, Decimal("100.2")),
    ({"limit_price": Decimal(101)}, NOW, Decimal("100.5")),
    ({"side": "SELL", "limit_price": Decimal("99.9")}, NOW, Decimal("99.9")),
    # A limit that is met already is filled now, one that is not rests.
    ({"type": "limit", "limit_price": Decimal(101)}, NOW, Decimal(101)),
    ({"type": "limit", "limit_price": Decimal(99)}, Decimal(99), Decimal(99)),
    ({"type": "limit", "side": "SELL", "limit_price": Decimal(101)}, Decimal(101), Decimal(101)),
    # A breakout is expected at its trigger, and slips from there.
    ({"type": "stop", "trigger_price": Decimal(200)}, Decimal(200), Decimal(201)),
    # A stop loss gets out at any price, unless its owner said otherwise.
    ({"type": "stop", "trigger_price": Decimal(90), "intent": "close", "side": "SELL"},
     Decimal(90), None),
    ({"type": "stop", "trigger_price": Decimal(90), "intent": "close", "side": "SELL",
      "limit_price": Decimal(89)}, Decimal(90), Decimal(89)),
    ({"type": "take_profit", "trigger_price": Decimal(200), "intent": "close", "side": "SELL"},
     Decimal(200), Decimal(199)),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected", "guard"), CASES)
def test_prices(fields: dict[str, Any], expected: Decimal, guard: Decimal | None) -> None:
    wanted = intent(**fields)
    assert expected_price(wanted, NOW) == expected
    assert guard_price(wanted, NOW) == guard
    assert rests(wanted, NOW) == (expected != NOW)


def test_a_guard_is_rounded_to_the_advantage_of_who_trades() -> None:
    third = Decimal("33.333333333333333333")
    bound = guard_price(intent(slippage_bps=Decimal("33.3")), third)
    assert bound is not None
    assert bound <= third * Decimal("1.00333")
    bound = guard_price(intent(side="SELL", slippage_bps=Decimal("33.3")), third)
    assert bound is not None
    assert bound >= third * Decimal("0.99667")
