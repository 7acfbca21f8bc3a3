"""Intents, legs and a chain that answers, for a desk on Arbitrum with a pool of 1 M USD a side."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from connectors.base.markets import AssetClass
from connectors.base.order_tag import order_tag
from connectors.base.orders import (
    Cancel,
    ChainFacts,
    OrderRequest,
    Place,
    Refusal,
    Step,
    Update,
)
from connectors.gains.economics.inputs import Pool
from connectors.gains.orders import reads
from connectors.gains.orders.builder import GainsOrders
from connectors.gains.orders.deployments import DEPLOYMENTS
from connectors.gains.orders.tables import PairRef, Tables
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from tests.unit.connectors.gains.economics.pools import POOL
from tests.unit.connectors.gains.orders.chain import TRADER, answer, units

BTC, TSLA = MarketId("BTC-USD"), MarketId("TSLA-USD")
TABLES: Final = Tables(
    {BTC: PairRef(0, AssetClass.CRYPTO), TSLA: PairRef(85, AssetClass.EQUITY)}, DEPLOYMENTS
)
TAG: Final = order_tag("an order")
USDC: Final = DEPLOYMENTS[42161].collaterals[2]
E10: Final = 10**10
NOON: Final = 1_763_996_400
"""Monday, 24 November 2025, 10:00 in New York."""

TRADE: Final = {
    "user": TRADER,
    "index": 7,
    "pairIndex": 0,
    "leverage": 10_000,
    "long": True,
    "isOpen": True,
    "collateralIndex": 3,
    "collateralAmount": 1_000_000_000,
    "openPrice": 100_000 * E10,
}
"""A long of 0.1 BTC, 1000 USDC x10."""

ANSWERS: Final[Mapping[str, Any]] = {
    "activated": 0,
    "collateral": {
        "collateral": USDC.address,
        "isActive": True,
        "precision": 10**6,
        "precisionDelta": 10**12,
    },
    "collateral_price": 10**8,
    "min_leverage": 1_100,
    "max_leverage": 200_000,
    "trade": TRADE,
    "info": {},
    "requests": [],
    "request": {
        "trade": {"index": 7},
        "user": TRADER,
        "index": 12,
        "isOpen": True,
        "orderType": 0,
        "createdBlock": 1_000,
    },
    "timeout": 200,
    "block": None,
    "balance": 10**12,
    "allowance": 0,
}


def intent(**changed: Any) -> OrderIntent:
    """A market long of 0.1 BTC at 10x."""
    values: dict[str, Any] = {
        "market": BTC,
        "side": "BUY",
        "intent": "open",
        "type": "market",
        "size_base": Decimal("0.1"),
        "leverage": Decimal(10),
    }
    values |= changed
    if values["intent"] in ("decrease", "close"):
        values["leverage"] = None
    return OrderIntent(**values)


def leg(**changed: Any) -> OrderLeg:
    values: dict[str, Any] = {
        "venue": VenueId("gains"),
        "chain_id": 42161,
        "pool": "42161:USDC",
        "collateral_symbol": "USDC",
        "collateral_amount": Decimal(1_000),
        "size_base": Decimal("0.1"),
        "notional_usd": Decimal(10_000),
        "expected_price": Decimal(100_020),
        "guard_price": Decimal(100_500),
    }
    return OrderLeg(**(values | changed))


def opened(leg_changes: Mapping[str, Any] | None = None, **changed: Any) -> Place:
    return Place(TAG, TRADER, intent(**changed), leg(**(leg_changes or {})))


def exited(leg_changes: Mapping[str, Any] | None = None, **changed: Any) -> Place:
    """An exit of the long."""
    values: dict[str, Any] = {"side": "SELL", "intent": "close", "size_base": None} | changed
    mine = {
        "collateral_amount": None,
        "expected_price": Decimal(99_980),
        "guard_price": Decimal(99_500),
        "position_ref": "7",
    }
    return Place(TAG, TRADER, intent(**values), leg(**(mine | dict(leg_changes or {}))))


def cancelled(**refs: str) -> Cancel:
    return Cancel(TAG, TRADER, intent(), leg(), refs)


def updated(place: Place, **refs: str) -> Update:
    return Update(TAG, TRADER, place.intent, place.leg, refs)


class Desk:
    """A builder beside a chain. ``changed``: answers by name, None for a call that reverted."""

    def __init__(self, pool: Pool | None = POOL, **changed: Any) -> None:
        self.orders = GainsOrders(TABLES, lambda market, name: pool)
        self.answers = {**ANSWERS, **changed}

    def facts(
        self, request: OrderRequest, *, now_s: int = NOON, block: int = 1_200, wei: int = 10**18
    ) -> ChainFacts:
        names = reads.calls(TABLES, request)
        return ChainFacts(
            chain_id=42161,
            block_number=block,
            block_time_s=now_s,
            fee_per_gas_wei=10**8,
            native_balance_wei=wei,
            answers=tuple(self._answer(name) for name in names),
        )

    def _answer(self, name: str) -> bytes | None:
        value = self.answers[name]
        if value is None or isinstance(value, bytes):
            return value
        if name in ("balance", "allowance", "block"):
            return units(value)
        return answer(reads.VIEWS[name], value)

    def steps(self, request: OrderRequest) -> Sequence[Step]:
        return self.orders.build(request, self.facts(request))

    def step(self, request: OrderRequest) -> Step:
        """The one that is not the approval."""
        return self.steps(request)[-1]

    def refusals(self, request: OrderRequest, **facts: Any) -> Sequence[Refusal]:
        return self.orders.check(request, self.facts(request, **facts))

    def codes(self, request: OrderRequest, **facts: Any) -> list[str]:
        return [refusal.code for refusal in self.refusals(request, **facts)]
