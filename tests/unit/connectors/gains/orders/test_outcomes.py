"""What the diamond's events mean for orders, in words that all venues share."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.orders import ChainLog
from connectors.gains.orders.builder import GainsOrders
from connectors.gains.orders.deployments import DEPLOYMENTS
from connectors.gains.orders.tables import Tables
from domain.errors import VenueProtocolError
from domain.orders import Reason
from domain.outcomes import (
    Cancelled,
    Claimed,
    Costs,
    EventPlace,
    Executed,
    Frozen,
    Resting,
    Updated,
    VenueOutcome,
)
from tests.unit.connectors.gains.economics.vectors import of_kind
from tests.unit.connectors.gains.orders.chain import KEEPER, TRADER, log

ORDERS = GainsOrders(Tables({}, DEPLOYMENTS), lambda market, pool: None)
TX, OTHER_TX = "0x" + "a" * 64, "0x" + "c" * 64
REQUEST = {"user": TRADER, "index": 12}
LONG = {
    "user": TRADER,
    "index": 7,
    "pairIndex": 1,
    "leverage": 10_000,
    "long": True,
    "isOpen": True,
    "collateralIndex": 3,
    "collateralAmount": 100_000_000,
    "openPrice": 2500 * 10**10,
}
FEE = {"collateralIndex": 3, "trader": TRADER, "totalFeesCollateral": 600_000}
E10 = 10**10


def place(at: int = 1, tx: str = TX) -> EventPlace:
    return EventPlace(42161, 300_000_000, "0x" + "b" * 64, tx, at)


def decoded(*logs: ChainLog) -> Sequence[VenueOutcome]:
    return ORDERS.decode(logs)


def test_a_request_waits_and_is_no_fill() -> None:
    opened = log("MarketOrderInitiated", orderId=REQUEST, trader=TRADER, pairIndex=1, open=True)
    assert decoded(opened) == [Resting(place(), TRADER, "request:12", "market", False)]
    closed = log("MarketOrderInitiated", orderId=REQUEST, trader=TRADER, pairIndex=1)
    assert decoded(closed) == [Resting(place(), TRADER, "request:12", "market", True)]


@pytest.mark.parametrize("increase", [True, False])
def test_a_change_of_size_waits(increase: bool) -> None:
    found = log("PositionSizeUpdateInitiated", orderId=REQUEST, trader=TRADER, isIncrease=increase)
    assert decoded(found) == [Resting(place(), TRADER, "request:12", "market", not increase)]


def test_an_opening_is_filled_with_its_fee() -> None:
    """100 USDC x10 at 2500.5 with a dollar of 0.9998; the oracle said 2500."""
    filled = log(
        "MarketExecuted",
        at=9,
        orderId=REQUEST,
        user=TRADER,
        index=7,
        t=LONG | {"openPrice": 25_005 * 10**9},
        open=True,
        oraclePrice=2500 * E10,
        marketPrice=25_005 * 10**9,
        collateralPriceUsd=99_980_000,
    )
    (found,) = decoded(log("FeesProcessed", at=8, **FEE), filled)
    base = Decimal("0.399840031993601279")  # 1000 * 0.9998 / 2500.5
    assert found == Executed(
        place(9),
        TRADER,
        "request:12",
        Decimal("2500.5"),
        base,
        True,
        Costs(fee_usd=Decimal("0.59988"), impact_usd=Decimal("0.199920015996800640")),
        "7",
    )
    assert ORDERS.refs_of(found) == {"request": "12", "position": "7"}


def test_a_close_is_filled_with_what_it_owed_and_made() -> None:
    """Short of 1000 USDC from 2500, closed at 2400: 4 %, of which impact took 0.5."""
    logs = [
        log(
            "HoldingFeesChargedOnTrade",
            at=1,
            collateralIndex=3,
            trader=TRADER,
            index=7,
            tradeHoldingFees={
                "fundingFeeCollateral": -2_000_000,
                "borrowingFeeCollateral": 300_000,
                "borrowingFeeCollateral_old": 50_000,
                "totalFeeCollateral": -1_650_000,
            },
        ),
        log("FeesProcessed", at=2, **FEE),
        log("GovFeeCharged", at=3, trader=TRADER, collateralIndex=3, amountCollateral=1),
        log(
            "MarketExecuted",
            at=4,
            orderId=REQUEST,
            user=TRADER,
            index=7,
            t=LONG | {"long": False},
            oraclePrice=23_995 * 10**9,
            marketPrice=2400 * E10,
            percentProfit=40 * E10,
            amountSentToTrader=139_000_000,
            collateralPriceUsd=10**8,
        ),
    ]
    (found,) = decoded(*logs)
    assert found == Executed(
        place(4),
        TRADER,
        "request:12",
        Decimal(2400),
        Decimal("0.4"),
        True,
        Costs(Decimal("0.6"), Decimal("0.2"), Decimal(-2), Decimal("0.35")),
        "7",
        Decimal(40),
    )


@pytest.mark.parametrize(
    ("order_type", "ref"),
    [(2, "order:3"), (3, "order:3"), (4, "tp:7"), (5, "sl:7"), (6, "liquidation:7")],
)
def test_what_rested_is_filled_under_its_own_name(order_type: int, ref: str) -> None:
    """The request is the keeper's; an entry gets another index when it becomes a position."""
    (found,) = decoded(
        log(
            "LimitExecuted",
            orderId={"user": KEEPER, "index": 99},
            user=TRADER,
            index=7,
            limitIndex=3,
            t=LONG,
            triggerCaller=KEEPER,
            orderType=order_type,
            oraclePrice=2500 * E10,
            marketPrice=2500 * E10,
            collateralPriceUsd=10**8,
        )
    )
    assert isinstance(found, Executed)
    assert (found.account, found.ref, found.position_ref) == (TRADER, ref, "7")
    assert (found.pnl_usd is None) == (order_type in (2, 3))


def test_a_trigger_of_nothing_that_waits_is_no_event_of_the_venue() -> None:
    with pytest.raises(VenueProtocolError):
        decoded(log("LimitExecuted", t=LONG, orderType=7, marketPrice=1, collateralPriceUsd=1))
    with pytest.raises(VenueProtocolError):
        decoded(log("MarketExecuted", t=LONG, open=True, collateralPriceUsd=1))


def test_a_cancelled_opening_says_what_the_venue_kept() -> None:
    logs = [
        log("GovFeeCharged", at=1, trader=KEEPER, collateralIndex=3, amountCollateral=5),
        log("GovFeeCharged", at=2, trader=TRADER, collateralIndex=3, amountCollateral=91_875),
        log(
            "MarketOpenCanceled",
            at=3,
            orderId=REQUEST,
            trader=TRADER,
            cancelReason=6,
            collateralReturned=99_908_125,
        ),
    ]
    reason = Reason("DEPTH", "the pool's open interest is at its limit", "EXPOSURE_LIMITS")
    (found,) = decoded(*logs)
    assert found == Cancelled(place(3), TRADER, "request:12", reason, False, Decimal("0.091875"))
    # A fee of another transaction is not its own.
    elsewhere = log(
        "GovFeeCharged", tx=OTHER_TX, trader=TRADER, collateralIndex=3, amountCollateral=5
    )
    (found,) = decoded(elsewhere, logs[2])
    assert isinstance(found, Cancelled)
    assert found.kept_collateral is None


def test_a_close_that_slips_leaves_the_position() -> None:
    (found,) = decoded(
        log("MarketCloseCanceled", orderId=REQUEST, trader=TRADER, index=7, cancelReason=3)
    )
    assert isinstance(found, Cancelled)
    assert (found.ref, found.reason.code, found.by_user) == ("request:12", "PRICE_GUARD", False)


def test_entries_rest_change_and_go() -> None:
    stored = LONG | {"tradeType": 2, "index": 3, "openPrice": 2600 * E10}
    placed = decoded(
        log("TradeStored", at=1, user=TRADER, index=3, trade=stored),
        log("OpenOrderPlaced", at=2, trader=TRADER, pairIndex=1, index=3),
    )
    assert placed == [Resting(place(2), TRADER, "order:3", "stop", False, Decimal(2600))]
    changed = log("OpenLimitUpdated", trader=TRADER, index=3, newPrice=2610 * E10)
    assert decoded(changed) == [Updated(place(), TRADER, "order:3", trigger_price=Decimal(2610))]
    gone = Reason("CANCELLED", "cancelled by its owner")
    assert decoded(log("OpenLimitCanceled", trader=TRADER, index=3)) == [
        Cancelled(place(), TRADER, "order:3", gone, True)
    ]
    # A trade that is opened is stored too, and rests nowhere.
    assert decoded(log("TradeStored", user=TRADER, index=3, trade=LONG)) == []


def test_a_refused_trigger_still_rests() -> None:
    """Its request is the keeper's; whose order it was is told by the request alone."""
    stored = log(
        "PendingOrderStored",
        at=1,
        pendingOrder={
            "trade": {"user": TRADER, "index": 3},
            "user": KEEPER,
            "index": 99,
            "isOpen": True,
            "orderType": 2,
        },
    )
    refused = log(
        "TriggerOrderCanceled",
        at=2,
        tx=OTHER_TX,
        orderId={"user": KEEPER, "index": 99},
        triggerCaller=KEEPER,
        orderType=2,
        cancelReason=3,
    )
    reason = Reason(
        "PRICE_GUARD", "the fill would have been worse than the order's bound", "SLIPPAGE"
    )
    assert decoded(stored, refused) == [
        Frozen(place(2, OTHER_TX), TRADER, "order:3", reason, needs_update=False)
    ]
    assert decoded(refused) == []


def test_exits_are_set_and_taken_away() -> None:
    assert decoded(
        log("TradeTpUpdated", at=1, user=TRADER, index=7, newTp=2700 * E10),
        log("TradeSlUpdated", at=2, user=TRADER, index=7, newSl=2400 * E10),
    ) == [
        Resting(place(1), TRADER, "tp:7", "take_profit", True, Decimal(2700)),
        Resting(place(2), TRADER, "sl:7", "stop", True, Decimal(2400)),
    ]
    (found,) = decoded(log("TradeSlUpdated", user=TRADER, index=7))
    assert isinstance(found, Cancelled)
    assert (found.ref, found.by_user) == ("sl:7", True)


def test_a_request_that_nobody_answered_is_taken_back() -> None:
    found = decoded(
        log("ChainlinkCallbackTimeout", at=1, pendingOrderId=REQUEST, pairIndex=1),
        log("CollateralReturnedAfterTimeout", at=2, pendingOrderId=REQUEST, trader=TRADER),
    )
    (cancelled,) = found
    assert isinstance(cancelled, Cancelled)
    assert (cancelled.ref, cancelled.reason.code, cancelled.by_user) == (
        "request:12",
        "TIMEOUT",
        True,
    )


@pytest.mark.parametrize(
    "other",
    [
        log("TradeMaxClosingSlippagePUpdated", user=TRADER, index=7, maxClosingSlippageP=5),
        log("MarketOrderInitiated", chain_id=1),
    ],
    ids=lambda item: item.topics[0].hex()[:8],
)
def test_what_trades_nothing_is_no_outcome_of_an_order(other: ChainLog) -> None:
    assert decoded(other) == []


def test_profit_taken_out_waits_and_is_a_claim() -> None:
    asked = log("PositivePnlWithdrawalInitiated", orderId=REQUEST, trader=TRADER, index=7)
    paid = {"orderId": REQUEST, "trader": TRADER, "index": 7, "collateralIndex": 3}
    done = log("TradePositivePnlWithdrawn", at=4, pnlWithdrawnCollateral=12_500_000, **paid)
    assert decoded(asked, done) == [
        Resting(place(), TRADER, "request:12", "market", False),
        Claimed(place(4), TRADER, "request:12", "profit", "USDC", Decimal("12.5")),
    ]
    [nothing] = decoded(log("TradePositivePnlWithdrawn", **paid))
    assert isinstance(nothing, Cancelled)
    assert (nothing.ref, nothing.reason.code, nothing.by_user) == ("request:12", "NOTHING", False)


def test_a_change_of_margin_waits_and_is_a_fill_of_nothing() -> None:
    asked = log("LeverageUpdateInitiated", orderId=REQUEST, trader=TRADER, index=7)
    done = log("LeverageUpdateExecuted", at=1, orderId=REQUEST, trader=TRADER, index=7)
    waits, changed = decoded(asked, done)
    assert isinstance(waits, Resting)
    assert isinstance(changed, Executed)
    assert waits.ref == changed.ref == "request:12"
    assert (changed.size_base, changed.position_ref, changed.completes) == (0, "7", True)
    refused = log(
        "LeverageUpdateExecuted", orderId=REQUEST, trader=TRADER, index=7, cancelReason=12
    )
    [cancelled] = decoded(refused)
    assert isinstance(cancelled, Cancelled)
    assert cancelled.ref == "request:12"


def test_logs_of_other_contracts_are_skipped() -> None:
    found = log("MarketOrderInitiated", orderId=REQUEST, trader=TRADER)
    assert decoded(ChainLog(42161, KEEPER, (), b"", 1, "", "", 1)) == []
    assert ORDERS.decode([found]) != []
    assert ORDERS.log_addresses(42161) == [DEPLOYMENTS[42161].diamond]
    assert found.topics[0] in ORDERS.log_topics(42161)
    assert ORDERS.log_addresses(1) == ORDERS.log_topics(1) == []


# Changes of size, with what the contracts gave ---------------------------------------------------

UPDATES = of_kind(
    "position_update", lambda case: case["in"]["update"]["kind"] in ("increase", "decrease")
)


def _event(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in raw.items()}


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return _event(value)
    return int(value) if isinstance(value, str) else value


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case["id"])
def test_a_size_of_the_contracts(case: dict[str, Any]) -> None:
    """The base of a decrease is its size at the entry, which the event does not have: from the
    profit it is right to a millionth of a base unit of the collateral."""
    given, trade = case["in"], case["in"]["trade"]
    increase = given["update"]["kind"] == "increase"
    name = "PositionSizeIncreaseExecuted" if increase else "PositionSizeDecreaseExecuted"
    event = _event(case["out"]["event"])
    found = decoded(
        log(
            name,
            orderId=REQUEST,
            trader=TRADER,
            index=7,
            collateralIndex=int(given["collateral"]["collateralIndex"]),
            **event,
        )
    )
    (outcome,) = found
    if event["cancelReason"]:
        assert isinstance(outcome, Cancelled)
        return
    assert isinstance(outcome, Executed)
    values = event["values"]
    decimals = int(given["collateral"]["decimals"])
    usd = Decimal(values["positionSizeCollateralDelta"]).scaleb(-decimals) * Decimal(
        given["collateral"]["collateralPriceUsd"]
    ).scaleb(-8)
    entry = Decimal(trade["openPrice"]).scaleb(-10)
    fill = Decimal(values["priceImpact"]["priceAfterImpact"]).scaleb(-10)
    expected = usd / (fill if increase else entry)
    assert outcome.price == fill
    assert abs(outcome.size_base / expected - 1) < Decimal("1e-9")
    assert (outcome.pnl_usd is None) == increase
    if not increase and outcome.pnl_usd is not None:
        gain = (fill - entry) * expected * (1 if trade["long"] else -1)
        assert abs(outcome.pnl_usd - gain) < Decimal("1e-5")


def test_the_contracts_gave_both_changes() -> None:
    kinds = {case["in"]["update"]["kind"] for case in UPDATES}
    assert kinds == {"increase", "decrease"}
    assert len(UPDATES) > 10
