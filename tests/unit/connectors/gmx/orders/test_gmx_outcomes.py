"""Events to outcomes: recorded and contract-made values, fees beside their fill, places."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from connectors.base.orders import ChainLog
from connectors.gmx import constants as c
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import outcomes
from connectors.gmx.orders.events import (
    Claimable,
    Claimed,
    FeesCollected,
    KeeperPaid,
    OrderCreated,
    OrderEvent,
    OrderExecuted,
    OrderResized,
    PositionChanged,
    Refunded,
)
from domain import outcomes as domain
from domain.errors import VenueProtocolError
from domain.outcomes import Cancelled, EventPlace, Executed, Frozen, Resting, Updated
from tests.unit.connectors.gmx.economics.vectors import LIFECYCLES
from tests.unit.connectors.gmx.kit import recorded
from tests.unit.connectors.gmx.orders.kit import ETH_USDC, KEY, OWNER, USD, USDC, builder, tables
from tests.unit.connectors.gmx.orders.logs import EMITTER, chain_log

TABLES = tables()
LIFECYCLE: dict[str, dict[str, Any]] = {
    row["eventName"]: row["decoded"]["items"]
    for row in recorded("synthetic-order-lifecycle-logs.json")["logs"]
}
PLACE = EventPlace(42161, 500_000_000, "0x" + "b" * 64, "0x" + "c" * 64, 0)


def raw_log(row: dict[str, Any]) -> ChainLog:
    log = row["log"]
    return ChainLog(
        42161,
        log["address"],
        tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
        bytes.fromhex(log["data"][2:]),
        int(log["blockNumber"], 16),
        "0x" + "b" * 64,
        log["transactionHash"],
        int(log["logIndex"], 16),
    )


def event(name: str, **values: Any) -> OrderEvent:
    (found,) = outcomes.events(TABLES, [chain_log(name, values)])
    return found


def test_the_life_of_an_order_as_recorded() -> None:
    rows = recorded("synthetic-order-lifecycle-logs.json")["logs"]
    found = outcomes.decode(TABLES, [raw_log(row) for row in rows])
    resting, opened, cancelled, frozen, closed = found
    assert isinstance(resting, Resting)
    assert (resting.type, resting.reduces, resting.ref) == ("market", False, KEY)
    assert (resting.account, resting.trigger_price) == (OWNER, None)
    assert resting.place.block_number == 500_000_000
    assert isinstance(opened, Executed)
    assert (opened.price, opened.size_base) == (
        Decimal("1885.698887580477"),
        Decimal("5.303076418477042133"),
    )
    assert (opened.ref, opened.completes, opened.pnl_usd) == (KEY, True, None)
    # Its fees were not recorded with it.
    assert (opened.costs.fee_usd, opened.costs.impact_usd) == (None, Decimal("0.05"))
    assert isinstance(cancelled, Cancelled)
    assert isinstance(frozen, Frozen)
    for ended in (cancelled, frozen):
        assert ended.reason.code == "PRICE_GUARD"
        assert ended.reason.venue_code == "OrderNotFulfillableAtAcceptablePrice"
    assert not cancelled.by_user
    assert frozen.needs_update
    assert isinstance(closed, Executed)
    assert closed.pnl_usd == 0
    assert [outcome.place.log_index for outcome in found] == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("row", LIFECYCLES, ids=lambda row: f"{row['market']}-{row['leverage']}")
def test_fills_of_the_contracts_have_the_costs_that_the_contracts_took(row: dict[str, Any]) -> None:
    opened = row["open"]
    values, fees = opened["position_increase"], opened["fees"]
    logs = [chain_log("PositionFeesCollected", fees), chain_log("PositionIncrease", values, 1)]
    (fill,) = outcomes.decode(TABLES, logs)
    assert isinstance(fill, Executed)
    decimals = {"ETH": 18, "BTC": 8}[row["market"]]
    assert Fraction(fill.price) * 10 ** (30 - decimals) == int(values["executionPrice"])
    assert Fraction(fill.size_base) * 10**decimals == int(values["sizeDeltaInTokens"])
    assert fill.position_ref == values["positionKey"]
    costs, price = fill.costs, int(fees["collateralTokenPrice.min"])
    parts = (costs.fee_usd, costs.funding_usd, costs.borrowing_usd, costs.impact_usd)
    fee, funding, borrowing, impact = [Fraction(part) * USD for part in parts if part is not None]
    assert fee + funding + borrowing == int(fees["totalCostAmount"]) * price
    assert impact == -int(values["pendingPriceImpactUsd"])


def test_a_fee_belongs_to_the_fill_of_its_order_and_transaction() -> None:
    row = LIFECYCLES[0]["open"]
    fill = chain_log("PositionIncrease", row["position_increase"], 1)
    for other in (
        chain_log("PositionFeesCollected", row["fees"], tx_hash="0x" + "d" * 64),
        chain_log("PositionFeesCollected", row["fees"], block_hash="0x" + "d" * 64),
        chain_log("PositionFeesCollected", row["fees"] | {"orderKey": "0x" + "d" * 64}),
    ):
        (found,) = outcomes.decode(TABLES, [other, fill])
        assert isinstance(found, Executed)
        assert found.costs.fee_usd is None


def test_discounts_and_fees_that_are_seldom_there() -> None:
    fees = LIFECYCLES[0]["open"]["fees"] | {
        "traderDiscountAmount": 100,
        "pro.traderDiscountAmount": 60_000,
        "liquidationFeeAmount": 7,
        "uiFeeAmount": 5,
    }
    found = event("PositionFeesCollected", **fees)
    assert isinstance(found, FeesCollected)
    assert (found.position_units, found.discount_units) == (540_000, 60_000)
    assert (found.liquidation_units, found.ui_units) == (7, 5)
    assert found.usd_e30(found.position_units) == 54 * USD // 100


def test_a_close_tells_its_profit_and_its_impact_apart() -> None:
    values = LIFECYCLE["PositionDecrease"] | {
        "basePnlUsd": str(25 * USD),
        "priceImpactUsd": str(-3 * USD),
        "totalImpactUsd": str(-4 * USD),
        "values.priceImpactDiffUsd": str(USD),
        "orderType": "7",
    }
    found = event("PositionDecrease", **values)
    assert isinstance(found, PositionChanged)
    assert (found.pnl_usd_e30, found.impact_usd_e30) == (25 * USD, -3 * USD)
    assert (found.settled_impact_usd_e30, found.kept_usd_e30) == (-4 * USD, USD)
    assert found.collateral_delta_units == -994_000_000
    assert found.liquidated
    (fill,) = outcomes.decode(TABLES, [chain_log("PositionDecrease", values)])
    assert isinstance(fill, Executed)
    assert (fill.pnl_usd, fill.costs.impact_usd) == (25, 3)


def test_what_the_cap_on_impact_keeps_back_belongs_to_the_order_that_closed() -> None:
    decrease = LIFECYCLE["PositionDecrease"]
    place = {name: decrease[name] for name in ("account", "market")}
    amounts = {"timeKey": 498_611, "delta": 5, "nextValue": 9, "nextPoolValue": 99}
    kept = chain_log("ClaimableCollateralUpdated", place | {"token": USDC} | amounts)
    fill = chain_log("PositionDecrease", decrease, 1)
    found, executed = outcomes.decode(TABLES, [kept, fill])
    assert isinstance(executed, Executed)
    assert found == domain.Kept(
        PLACE, executed.account, executed.ref, f"{USDC}:498611", "USDC", Decimal("0.000005")
    )
    # Of a liquidation, or another transaction, it is nobody's order; funding is read off the chain.
    for other in (
        [kept],
        [kept, chain_log("PositionDecrease", decrease, 1, tx_hash="0x" + "d" * 64)],
        [chain_log("ClaimableFundingUpdated", place | {"token": USDC} | amounts), fill],
    ):
        assert not any(isinstance(item, domain.Kept) for item in outcomes.decode(TABLES, other))


@pytest.mark.parametrize(
    ("kind", "told", "name"),
    [
        (OrderType.LIMIT_INCREASE, ("limit", False), "order_key"),
        (OrderType.STOP_INCREASE, ("stop", False), "order_key"),
        (OrderType.MARKET_DECREASE, ("market", True), "order_key"),
        (OrderType.LIMIT_DECREASE, ("take_profit", True), "take_profit_key"),
        (OrderType.STOP_LOSS_DECREASE, ("stop", True), "stop_loss_key"),
    ],
)
def test_requests_by_kind_and_what_is_kept_of_them(
    kind: OrderType, told: tuple[str, bool], name: str
) -> None:
    values = LIFECYCLE["OrderCreated"] | {"orderType": int(kind), "triggerPrice": 19 * 10**14}
    (found,) = outcomes.decode(TABLES, [chain_log("OrderCreated", values | {"uiFeeFactor": 1})])
    assert isinstance(found, Resting)
    assert (found.type, found.reduces) == told
    assert found.trigger_price == Decimal(1900)
    assert builder().refs_of(found) == {name: KEY}


def test_what_is_kept_of_a_fill_is_the_position() -> None:
    (fill,) = outcomes.decode(
        TABLES, [chain_log("PositionIncrease", LIFECYCLE["PositionIncrease"])]
    )
    position = LIFECYCLE["PositionIncrease"]["positionKey"]
    assert builder().refs_of(fill) == {"position_key": position}
    cancelled = chain_log("OrderCancelled", LIFECYCLE["OrderCancelled"])
    (other,) = outcomes.decode(TABLES, [cancelled])
    assert builder().refs_of(other) == {}


def test_swaps_and_unknown_pools_are_none_of_ours() -> None:
    swap = chain_log("OrderCreated", LIFECYCLE["OrderCreated"] | {"orderType": 0})
    elsewhere = LIFECYCLE["PositionIncrease"] | {"market": "0x" + "7" * 40}
    assert outcomes.decode(TABLES, [swap, chain_log("PositionIncrease", elsewhere)]) == []


def test_what_the_user_cancelled() -> None:
    values = {"key": KEY, "account": OWNER, "reason": "USER_INITIATED_CANCEL", "reasonBytes": "0x"}
    (found,) = outcomes.decode(TABLES, [chain_log("OrderCancelled", values)])
    assert isinstance(found, Cancelled)
    assert found.by_user
    assert found.reason.code == "CANCELLED"
    (other,) = outcomes.decode(
        TABLES, [chain_log("OrderCancelled", values | {"reason": "AUTO_CANCEL"})]
    )
    assert isinstance(other, Cancelled)
    assert not other.by_user
    assert other.reason.code == "POSITION_CLOSED"


def test_an_update() -> None:
    values = dict.fromkeys(("sizeDeltaUsd", "acceptablePrice", "triggerPrice"), 5)
    log = chain_log("OrderUpdated", values | {"key": KEY, "account": OWNER})
    assert outcomes.decode(TABLES, [log]) == [Updated(PLACE, OWNER, KEY)]


def test_events_beside_the_orders_own() -> None:
    pair = {"market": ETH_USDC, "token": USDC, "account": OWNER}
    claims = {"delta": 4, "nextValue": 9, "nextPoolValue": 99}
    market = ETH_USDC.lower()
    found = event("ClaimableFundingUpdated", **pair, **claims)
    assert found == Claimable(PLACE, OWNER, market, USDC, None, 4, 9)
    found = event("ClaimableCollateralUpdated", **pair, **claims, timeKey=498_611)
    assert found == Claimable(PLACE, OWNER, market, USDC, 498_611, 4, 9)
    paid = {"receiver": OWNER, "amount": 9, "nextPoolValue": 1}
    found = event("FundingFeesClaimed", **pair, **paid)
    assert found == Claimed(PLACE, OWNER, market, USDC, OWNER, None, 9)
    found = event("CollateralClaimed", **pair, **paid, timeKey=3)
    assert found == Claimed(PLACE, OWNER, market, USDC, OWNER, 3, 9)
    logs = [chain_log("CollateralClaimed", pair | paid | {"timeKey": 3}, 5)]
    logs.append(chain_log("FundingFeesClaimed", pair | paid, 6))
    ref = f"claim:{PLACE.tx_hash}"
    nine = Decimal("0.000009")
    assert outcomes.decode(TABLES, logs) == [
        domain.Claimed(replace(PLACE, log_index=5), OWNER, ref, "impact", "USDC", nine),
        domain.Claimed(replace(PLACE, log_index=6), OWNER, ref, "funding", "USDC", nine),
    ]
    strange = chain_log("FundingFeesClaimed", pair | paid | {"token": "0x" + "7" * 40})
    assert outcomes.decode(TABLES, [strange]) == []
    resized = {"key": KEY, "sizeDeltaUsd": 5, "nextSizeDeltaUsd": 6}
    assert event("OrderSizeDeltaAutoUpdated", **resized) == OrderResized(PLACE, KEY, 5, 6)
    executed = {"key": KEY, "account": OWNER, "secondaryOrderType": 1}
    assert event("OrderExecuted", **executed) == OrderExecuted(PLACE, KEY, OWNER, by_adl=True)
    created = event("OrderCreated", **LIFECYCLE["OrderCreated"])
    assert isinstance(created, OrderCreated)
    assert (created.acceptable_usd_e30, created.valid_from_s) == (1891354981243218, 0)


def test_keepers_and_refunds_as_recorded_on_chain() -> None:
    rows = recorded("eventemitter-logs.42161.json")
    logs = [raw_log(row) for row in (rows["logs"] if isinstance(rows, dict) else rows)]
    found = list(outcomes.events(TABLES, logs))
    assert {type(item) for item in found} == {KeeperPaid, Refunded}
    paid = [item.amount_wei for item in found if isinstance(item, KeeperPaid)]
    assert paid == [519378450000000, 567049922101000]
    assert {item.receiver for item in found if isinstance(item, Refunded)} == {
        "0x6f9f3106f0209dc560a53c6808f8bf32e38468c3",
        "0x8918f029ce357837294d71b2270ed403aac0eec8",
    }
    assert outcomes.decode(TABLES, logs) == []


def test_logs_of_others_are_skipped() -> None:
    log = chain_log("OrderCancelled", LIFECYCLE["OrderCancelled"])
    assert len(outcomes.decode(TABLES, [log])) == 1
    others = [
        replace(log, chain_id=10),
        replace(log, address="0x" + "1" * 40),
        replace(log, topics=()),
        replace(log, topics=log.topics[:1]),
        replace(log, topics=(b"\0" * 32, *log.topics[1:])),
        replace(log, topics=(log.topics[0], b"\0" * 32)),
        replace(log, data=b"", topics=(log.topics[0], b"\0" * 32)),
    ]
    assert outcomes.decode(TABLES, others) == []


@pytest.mark.parametrize(
    "values",
    [
        {"key": None},
        {"account": 5},
        {"reasonBytes": None},
    ],
)
def test_one_of_ours_that_cannot_be_read_is_told(values: dict[str, Any]) -> None:
    kept = LIFECYCLE["OrderCancelled"] | values
    log = chain_log("OrderCancelled", {key: v for key, v in kept.items() if v is not None})
    with pytest.raises(VenueProtocolError) as told:
        outcomes.decode(TABLES, [log])
    assert told.value.code == "BAD_EVENT"


def test_bytes_that_are_no_event_and_names_under_anothers_topic_are_told() -> None:
    log = chain_log("OrderCancelled", LIFECYCLE["OrderCancelled"])
    frozen = chain_log("OrderFrozen", LIFECYCLE["OrderFrozen"])
    for bad in (replace(log, data=log.data[:-40]), replace(log, topics=frozen.topics)):
        with pytest.raises(VenueProtocolError):
            outcomes.decode(TABLES, [bad])


def test_kinds_of_orders_that_the_contracts_do_not_have_are_told() -> None:
    log = chain_log("OrderCreated", LIFECYCLE["OrderCreated"] | {"orderType": 77})
    with pytest.raises(VenueProtocolError):
        outcomes.decode(TABLES, [log])


def test_nodes_are_asked_for_the_emitters_events() -> None:
    made = builder()
    assert made.log_addresses(42161) == [EMITTER]
    assert made.log_addresses(1) == made.log_topics(1) == []
    asked = {topic.hex() for topic in made.log_topics(42161)}
    ours = ("OrderCreated", "OrderExecuted", "OrderCancelled", "OrderFrozen", "OrderUpdated")
    assert {c.EVENTS[name][2:] for name in ours} <= asked
