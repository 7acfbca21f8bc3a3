"""Orders of GMX -> what the keeper tells the chain of them. Pure.

Source of keys: gmx-synthetics ``OrderEventUtils.sol``, ``PositionEventUtils.sol`` and
``GasUtils.sol`` of release v2.2c.
"""

from typing import Any, Final

from sandbox.chain.places import KEEPER
from sandbox.gmx.emitter import Values, call, oracle_price, padded, position_key
from sandbox.gmx.execution import WNT, Fill
from sandbox.gmx.orders import MARKETS, Order, Payment, Settlement
from sandbox.gmx.refusals import Refusal

AUTO_CANCEL: Final = "AUTO_CANCEL"
_NOBODY: Final = "0x" + "0" * 40
# Of what an execution takes there.
_GAS: Final = 2_000_000


def executed(order: Order, version: int, fill: Fill, now_s: int, gas_price_wei: int) -> Settlement:
    """``version``: of the account, at that moment."""
    payments, fee_says = _fees(order, gas_price_wei)
    position = _increased(order, fill) if order.is_increase else _decreased(order, fill)
    done: Values = {
        "address": {"account": order.account},
        "uint256": {"secondaryOrderType": 0},
        "bytes32": {"key": order.key},
    }
    says = (
        *(oracle_price(token, prices, now_s) for token, prices in fill.used.items()),
        _collected(order, fill),
        position,
        call("OrderExecuted", done, order.key, padded(order.account)),
        *fee_says,
    )
    return Settlement(order, version, False, fill.position, (*fill.payments, *payments), says)


def cancelled(
    order: Order, version: int, reason: str, refusal: Refusal | None, gas_price_wei: int
) -> Settlement:
    """What was paid in goes back."""
    payments, fee_says = _fees(order, gas_price_wei)
    if order.is_increase and order.collateral:
        receiver = (
            order.account
            if int(order.cancellation_receiver, 16) == 0
            else (order.cancellation_receiver)
        )
        unwraps = order.unwraps and order.token == WNT
        back = Payment(order.token, receiver, order.collateral, True, unwraps)
        payments = (back, *payments)
    says = (_gone("OrderCancelled", order, reason, refusal), *fee_says)
    return Settlement(order, version, False, None, payments, says)


def frozen(order: Order, version: int, refusal: Refusal, gas_price_wei: int) -> Settlement:
    payments, fee_says = _fees(order, gas_price_wei)
    says = (_gone("OrderFrozen", order, "", refusal), *fee_says)
    return Settlement(order, version, True, None, payments, says)


def refused(order: Order, version: int, refusal: Refusal, gas_price_wei: int) -> Settlement:
    """Market orders are given back, others wait for their owner, save for those that can never be
    right."""
    never = refusal.name in ("InvalidPositionMarket", "InvalidCollateralTokenForMarket")
    if order.order_type in MARKETS or never:
        return cancelled(order, version, "", refusal, gas_price_wei)
    return frozen(order, version, refusal, gas_price_wei)


def _gone(name: str, order: Order, reason: str, refusal: Refusal | None) -> bytes:
    values: Values = {
        "address": {"account": order.account},
        "bytes32": {"key": order.key},
        "bytes": {"reasonBytes": b"" if refusal is None else refusal.data},
        "string": {"reason": reason},
    }
    return call(name, values, order.key, padded(order.account))


def _fees(order: Order, gas_price_wei: int) -> tuple[tuple[Payment, ...], tuple[bytes, ...]]:
    """The keeper takes its gas, the rest goes back as ether."""
    taken = min(order.fee_wei, _GAS * gas_price_wei)
    payments, says = [], []
    for name, key, who, amount in (
        ("KeeperExecutionFee", "executionFeeAmount", KEEPER, taken),
        ("ExecutionFeeRefund", "refundFeeAmount", order.receiver, order.fee_wei - taken),
    ):
        if amount:
            payments.append(Payment(WNT, who, amount, True, True))
            role = "keeper" if who == KEEPER else "receiver"
            values: Values = {"address": {role: who}, "uint256": {key: amount}}
            says.append(call(name, values, padded(who)))
    return tuple(payments), tuple(says)


def _amounts(fill: Fill) -> dict[str, Any]:
    return {
        "sizeInUsd": fill.position.size_usd,
        "sizeInTokens": fill.position.size_tokens,
        "collateralAmount": fill.position.collateral,
        "borrowingFactor": 0,
        "fundingFeeAmountPerSize": 0,
        "longTokenClaimableFundingAmountPerSize": 0,
        "shortTokenClaimableFundingAmountPerSize": 0,
        "executionPrice": fill.price,
        "indexTokenPrice.max": fill.index.max,
        "indexTokenPrice.min": fill.index.min,
        "collateralTokenPrice.max": fill.collateral.max,
        "collateralTokenPrice.min": fill.collateral.min,
        "sizeDeltaUsd": fill.size_usd,
        "sizeDeltaInTokens": fill.size_tokens,
    }


def _increased(order: Order, fill: Fill) -> bytes:
    amounts = _amounts(fill) | {
        "orderType": order.order_type,
        "increasedAtTime": fill.position.increased_s,
    }
    signed = {
        "collateralDeltaAmount": fill.collateral_delta,
        "pendingPriceImpactUsd": 0,
        "pendingPriceImpactAmount": 0,
    }
    return _position("PositionIncrease", order, fill, amounts, signed)


def _decreased(order: Order, fill: Fill) -> bytes:
    amounts = _amounts(fill) | {
        "collateralDeltaAmount": fill.collateral_delta,
        "values.priceImpactDiffUsd": 0,
        "orderType": order.order_type,
        "decreasedAtTime": fill.position.decreased_s,
    }
    signed = {
        "priceImpactUsd": 0,
        "basePnlUsd": fill.pnl_usd,
        "uncappedBasePnlUsd": fill.pnl_usd,
        "proportionalPendingImpactUsd": 0,
        "totalImpactUsd": 0,
    }
    return _position("PositionDecrease", order, fill, amounts, signed)


def _position(
    name: str, order: Order, fill: Fill, amounts: dict[str, Any], signed: dict[str, int]
) -> bytes:
    values: Values = {
        "address": {
            "account": order.account,
            "market": order.market,
            "collateralToken": fill.position.collateral_token,
        },
        "uint256": amounts,
        "int256": signed,
        "bool": {"isLong": order.is_long},
        "bytes32": {"orderKey": order.key, "positionKey": _key(fill)},
    }
    return call(name, values, padded(order.account))


def _collected(order: Order, fill: Fill) -> bytes:
    nothing = (
        "fundingFeeAmount",
        "claimableLongTokenAmount",
        "claimableShortTokenAmount",
        "latestFundingFeeAmountPerSize",
        "latestLongTokenClaimableFundingAmountPerSize",
        "latestShortTokenClaimableFundingAmountPerSize",
        "borrowingFeeUsd",
        "borrowingFeeAmount",
        "borrowingFeeReceiverFactor",
        "borrowingFeeAmountForFeeReceiver",
        "protocolFeeAmount",
        "positionFeeReceiverFactor",
        "feeReceiverAmount",
        "uiFeeReceiverFactor",
        "uiFeeAmount",
    )
    amounts = {
        "collateralTokenPrice.min": fill.collateral.min,
        "collateralTokenPrice.max": fill.collateral.max,
        "tradeSizeUsd": fill.size_usd,
        "positionFeeFactor": fill.fee_factor,
        "feeAmountForPool": fill.fee,
        "positionFeeAmountForPool": fill.fee,
        "positionFeeAmount": fill.fee,
        "totalCostAmount": fill.fee,
    }
    values: Values = {
        "address": {
            "market": order.market,
            "collateralToken": fill.position.collateral_token,
            "affiliate": _NOBODY,
            "trader": order.account,
            "uiFeeReceiver": _NOBODY,
        },
        "uint256": amounts | dict.fromkeys(nothing, 0),
        "bool": {"isIncrease": order.is_increase},
        "bytes32": {
            "orderKey": order.key,
            "positionKey": _key(fill),
            "referralCode": bytes(32),
        },
    }
    return call("PositionFeesCollected", values, padded(order.market))


def _key(fill: Fill) -> bytes:
    held = fill.position
    return position_key(held.account, held.market, held.collateral_token, held.is_long)
