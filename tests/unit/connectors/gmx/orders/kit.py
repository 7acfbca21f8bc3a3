"""A builder for two pools, requests, and what the chain answers."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from connectors.base.order_tag import order_tag
from connectors.base.orders import Cancel, ChainFacts, OrderRequest, Place, Update
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.orders import reads
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.builder import GmxOrders
from connectors.gmx.orders.tables import PoolToken, Tables, TradedPool
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from tests.unit.connectors.gmx.economics import openings

FOLDER = Path(__file__).parents[4] / "data" / "gmx" / "calldata"
VIEM: dict[str, Any] = json.loads((FOLDER / "viem.json").read_bytes())

OWNER = "0x1111111111111111111111111111111111111111"
ETH_USDC = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
BTC_USDC = "0x47c031236e19d024b42f8AE6780E44A573170703"
USDC = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
WETH = "0x82af49447d8a07e3bd95bd0d56f35241523fbab1"
WBTC = "0x2f2a2543b76a4166549f7aab2e75bef0aefc5b0f"
KEY = "0x69d633259c6db7bfae5d4f6ce3273ea9ce14aee779bc008c5d1cbe8131c67422"
EXIT_KEY = "0x" + "e" * 64
NOBODY = "0x" + "0" * 40
TAG = order_tag("ord_1")
USD = 10**30

_USDC = PoolToken(USDC, "USDC", 6)
POOLS = {
    ETH_USDC.lower(): TradedPool(ETH_USDC.lower(), 18, PoolToken(WETH, "ETH", 18), _USDC),
    BTC_USDC.lower(): TradedPool(BTC_USDC.lower(), 8, PoolToken(WBTC, "WBTC.b", 8), _USDC),
}
POOL: GmxInputs = openings.STATES[0]
"""ETH at 3000 USD, nothing open, 30 M of each token: 1000 USD move it by 0.9e-7."""

GAS_PRICE_WEI = 10_000_000
ANSWERS: dict[str, Any] = {
    "REQUEST_EXPIRATION_TIME": 300,
    "INCREASE_ORDER_GAS_LIMIT": 3_000_000,
    "DECREASE_ORDER_GAS_LIMIT": 3_000_000,
    "SWAP_ORDER_GAS_LIMIT": 2_500_000,
    "SINGLE_SWAP_GAS_LIMIT": 1_000_000,
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1": 600_000,
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE": 250_000,
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR": 10**30,
    "MIN_COLLATERAL_USD": USD,
    "MIN_POSITION_SIZE_USD": USD,
    "MIN_COLLATERAL_FACTOR": 10**28,
    "MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER": 0,
    "IS_MARKET_DISABLED": 0,
    "CREATE_ORDER_FEATURE_DISABLED": 0,
    "balance": 10**12,
    "allowance": 0,
}
FEE_WEI = 43_500_000_000_000 * 11 // 10
"""4.35 M gas at GAS_PRICE_WEI, as the contract demands, and the head room."""


def tables(version: Version = "v2.2c") -> Tables:
    return Tables(42161, version, contracts(42161, version, {}), WETH, POOLS)


def builder(depth: GmxInputs | None = POOL, version: Version = "v2.2c") -> GmxOrders:
    return GmxOrders(tables(version), lambda pool: depth)


def intent(**changes: Any) -> OrderIntent:
    """Opens a long of 1000 USD with 200 USDC at the market."""
    wanted: dict[str, Any] = {
        "market": MarketId("ETH-USD"),
        "side": "BUY",
        "intent": "open",
        "type": "market",
        "notional_usd": Decimal(1000),
        "collateral_amount": Decimal(200),
        "collateral_symbol": "USDC",
    }
    return OrderIntent(**wanted | changes)


def leg(**changes: Any) -> OrderLeg:
    found: dict[str, Any] = {
        "venue": VenueId("gmx"),
        "chain_id": 42161,
        "pool": ETH_USDC,
        "collateral_symbol": "USDC",
        "collateral_amount": Decimal(200),
        "size_base": Decimal("0.333333333333333333"),
        "notional_usd": Decimal(1000),
        "expected_price": Decimal(3000),
        "guard_price": Decimal(3015),
    }
    return OrderLeg(**found | changes)


def exit_intent(**changes: Any) -> OrderIntent:
    """Closes that long."""
    nothing = {"notional_usd": None, "collateral_amount": None}
    return intent(**{"side": "SELL", "intent": "close", **nothing} | changes)


def claim_intent() -> OrderIntent:
    nothing = {"notional_usd": None, "collateral_amount": None, "collateral_symbol": None}
    return intent(**{"side": "SELL", "intent": "claim", **nothing})


def place(wanted: OrderIntent | None = None, **leg_changes: Any) -> Place:
    return Place(TAG, OWNER, wanted or intent(), leg(**leg_changes))


def cancel(**refs: str) -> Cancel:
    return Cancel(TAG, OWNER, intent(), leg(), refs or {"order_key": KEY})


def update(wanted: OrderIntent, **leg_changes: Any) -> Update:
    name = "order_key" if not wanted.reduces else "stop_loss_key"
    return Update(TAG, OWNER, wanted, leg(**leg_changes), {name: KEY})


def facts(request: OrderRequest, version: Version = "v2.2c", **changes: Any) -> ChainFacts:
    """Answers by name: numbers, bytes, or None for a call that reverted."""
    known = ANSWERS | {"position": position(), "order_key": order()} | changes
    names = reads.calls(tables(version), request)
    answers = tuple(_answer(known.get(name)) for name in names)
    return ChainFacts(42161, 100, 1_795_000_300, GAS_PRICE_WEI, 10**18, answers)


def _answer(value: Any) -> bytes | None:
    return encode(["uint256"], [value]) if isinstance(value, int) else value


def position(size_usd: int = 0, size_units: int = 0, collateral: int = 0) -> bytes:
    """Of OWNER's long in ETH_USDC with USDC; none where it has no size."""
    kind = (
        "((address,address,address),(uint256,uint256,uint256,int256,uint256,uint256,uint256,"
        "uint256,uint256,uint256),(bool))"
    )
    account = OWNER if size_units else NOBODY
    numbers = (size_usd * USD, size_units, collateral, 0, 0, 0, 0, 0, 0, 0)
    return encode([kind], [((account, ETH_USDC, USDC), numbers, (True,))])


def order(
    kind: int | None = None,
    *,
    account: str = OWNER,
    market: str = ETH_USDC,
    is_long: bool = True,
    fee_wei: int = FEE_WEI,
    frozen: bool = False,
    updated_at_s: int = 1_795_000_000,
    version: Version = "v2.2c",
) -> bytes:
    """A waiting order; none where it has no kind."""
    ui_fee = () if version == "v2.2b" else (0,)
    numbers = (kind or 0, 0, 1000 * USD, 200_000_000, 0, 0, fee_wei, 0, 0, *ui_fee)
    numbers += (updated_at_s, 0, 0)
    who = NOBODY if kind is None else account
    addresses = (who, who, NOBODY, NOBODY, NOBODY, market, USDC, [])
    words = ",".join(["uint8", "uint8"] + ["uint256"] * (len(numbers) - 2))
    kinds = "address,address,address,address,address,address,address,address[]"
    types = f"(({kinds}),({words}),(bool,bool,bool,bool),bytes32[])"
    return encode([types], [(addresses, numbers, (is_long, False, frozen, False), [])])


def poorer(found: ChainFacts, native_wei: int) -> ChainFacts:
    return replace(found, native_balance_wei=native_wei)
