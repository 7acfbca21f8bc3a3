"""What speaks against signing, and that exits are let out."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.orders import OrderRequest
from connectors.gmx.economics.model import Sided
from connectors.gmx.economics.pricing import GmxInputs
from domain.orders import Brackets
from tests.unit.connectors.gmx.orders import kit as k
from tests.unit.connectors.gmx.orders.test_gmx_builder import HELD


def codes(request: OrderRequest, depth: GmxInputs | None = k.POOL, **answers: Any) -> list[str]:
    found = k.builder(depth).check(request, k.facts(request, **answers))
    assert all(refusal.message for refusal in found)
    return [refusal.code for refusal in found]


def test_nothing_speaks_against_a_sound_order() -> None:
    assert codes(k.place()) == []
    assert codes(k.place(collateral_symbol="ETH", collateral_amount=Decimal("0.1"))) == []
    brackets = Brackets(take_profit=Decimal(3001), stop_loss=Decimal(2999))
    assert codes(k.place(k.intent(brackets=brackets))) == []
    waits = k.intent(type="limit", limit_price=Decimal(3100))
    assert codes(k.place(waits)) == []


@pytest.mark.parametrize(
    ("request_", "answers", "code"),
    [
        (k.place(), {"IS_MARKET_DISABLED": 1}, "MARKET_CLOSED"),
        (k.place(), {"CREATE_ORDER_FEATURE_DISABLED": 1}, "MARKET_CLOSED"),
        (k.place(), {"MIN_POSITION_SIZE_USD": 1000 * k.USD + 1}, "MIN_SIZE"),
        (k.place(), {"MIN_COLLATERAL_USD": 200 * k.USD}, "COLLATERAL"),
        (k.place(), {"MIN_COLLATERAL_FACTOR": 2 * 10**29}, "LEVERAGE"),
        (k.place(), {"MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER": 10**27}, "LEVERAGE"),
        (k.place(collateral_amount=Decimal("0.5")), {}, "COLLATERAL"),
        (k.place(), {"balance": 199_999_999}, "BALANCE"),
        (k.place(guard_price=Decimal(3000)), {}, "PRICE_GUARD"),
        (
            k.place(notional_usd=Decimal(10**9), collateral_amount=Decimal(10**9)),
            {"balance": 10**16},
            "DEPTH",
        ),
        (k.place(k.exit_intent()), {}, "POSITION_GONE"),
        (k.cancel(), {}, "ORDER_GONE"),
    ],
)
def test_what_is_refused(request_: OrderRequest, answers: dict[str, Any], code: str) -> None:
    assert codes(request_, **answers) == [code]


def test_an_opening_without_known_depth_is_refused() -> None:
    assert codes(k.place(), None) == ["UNKNOWN_DEPTH"]
    assert codes(k.place(k.intent(type="stop", trigger_price=Decimal(1))), None) == [
        "UNKNOWN_DEPTH"
    ]


def test_what_waits_is_not_refused_for_what_the_pool_takes_now() -> None:
    config = replace(k.POOL.terms.config, max_open_interest_usd_e30=Sided(0, 0))
    full = replace(k.POOL, terms=replace(k.POOL.terms, config=config))
    assert codes(k.place(), full) == ["DEPTH"]
    assert codes(k.place(k.intent(type="limit", limit_price=Decimal(2000))), full) == []


def test_a_position_that_is_there_already_counts() -> None:
    held = k.position(100_000, 10**20 // 3, 190_000_000)
    assert codes(k.place(), position=held) == ["LEVERAGE"]
    assert codes(k.place(collateral_amount=Decimal(2000)), position=held) == []


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "refused"),
    [
        ("BUY", "stop", 2999, True),
        ("BUY", "stop", 3001, False),
        ("SELL", "stop", 3001, True),
        ("SELL", "stop", 2999, False),
        ("BUY", "take_profit", 3001, True),
        ("BUY", "take_profit", 2999, False),
    ],
)
def test_an_entry_beyond_its_trigger_is_refused(
    side: str, kind: str, trigger: int, refused: bool
) -> None:
    wanted = k.intent(side=side, type=kind, trigger_price=Decimal(trigger))
    found = codes(k.place(wanted, guard_price=None))
    assert found == (["TRIGGER_SIDE"] if refused else [])


@pytest.mark.parametrize(
    ("kind", "trigger", "refused"),
    [
        ("stop", 3001, True),
        ("stop", 2999, False),
        ("take_profit", 2999, True),
        ("take_profit", 3001, False),
    ],
)
def test_an_exit_beyond_its_trigger_is_refused(kind: str, trigger: int, refused: bool) -> None:
    wanted = k.exit_intent(type=kind, trigger_price=Decimal(trigger))
    found = codes(k.place(wanted, guard_price=None), position=HELD)
    assert found == (["TRIGGER_SIDE"] if refused else [])


def test_brackets_on_the_wrong_side_of_the_entry_are_refused() -> None:
    turned = Brackets(take_profit=Decimal(2999), stop_loss=Decimal(3001))
    assert codes(k.place(k.intent(brackets=turned))) == ["TRIGGER_SIDE", "TRIGGER_SIDE"]
    # Of an entry that waits, that is the price it waits for.
    fitting = k.intent(
        type="stop",
        trigger_price=Decimal(3200),
        brackets=Brackets(take_profit=Decimal(3300), stop_loss=Decimal(3100)),
    )
    assert codes(k.place(fitting, guard_price=None)) == []


def test_exits_are_let_out_without_a_quote_and_at_any_price() -> None:
    request = k.place(k.exit_intent(), guard_price=Decimal(9999))
    assert codes(request, None, position=HELD) == []
    assert codes(request, position=HELD) == []
    assert codes(k.cancel(), None, order_key=k.order(3)) == []


def test_ether_has_to_suffice_for_gas_fee_and_collateral() -> None:
    request = k.place()
    found = k.facts(request, allowance=2**256 - 1)
    needed = k.FEE_WEI + 3_000_000 * k.GAS_PRICE_WEI
    assert k.builder().check(request, k.poorer(found, needed)) == []
    (refusal,) = k.builder().check(request, k.poorer(found, needed - 1))
    assert refusal.code == "GAS"
    (refusal,) = k.builder().check(request, k.poorer(k.facts(request), needed))
    assert refusal.code == "GAS"


def test_a_market_order_is_cancelled_after_its_time() -> None:
    request = k.cancel()
    early = k.facts(request, order_key=k.order(2, updated_at_s=1_795_000_001))
    (refusal,) = k.builder().check(request, early)
    assert refusal.code == "TOO_EARLY"
    assert "from 1795000301 on" in refusal.message
    assert refusal.from_s == 1_795_000_301
    assert codes(request, order_key=k.order(2, updated_at_s=1_795_000_000)) == []
    assert codes(request, order_key=k.order(3, updated_at_s=1_795_000_299)) == []


def test_an_update_is_checked_too() -> None:
    wanted = k.intent(type="limit", limit_price=Decimal(2900))
    assert codes(k.update(wanted), order_key=k.order(3)) == []
    assert codes(k.update(wanted), order_key=k.order(2)) == ["NOT_UPDATABLE"]
    turned = k.exit_intent(type="stop", trigger_price=Decimal(3001))
    update = k.update(turned)
    assert codes(update, stop_loss_key=k.order(6), position=HELD) == ["TRIGGER_SIDE"]
    assert codes(update, None, stop_loss_key=k.order(6), position=HELD) == []
