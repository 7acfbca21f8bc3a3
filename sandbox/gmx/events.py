"""Orders -> what the contracts say of them: calls of the EventEmitter, with the keys and types of
release v2.2c. Pure.

Source: gmx-synthetics ``contracts/order/OrderEventUtils.sol``,
``contracts/position/PositionEventUtils.sol``, ``contracts/market/MarketEventUtils.sol`` and
``contracts/oracle/Oracle.sol``.
"""

from collections.abc import Mapping
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.gmx.emitter import call, oracle_price, padded, position_key
from sandbox.gmx.traders import Order

_NOBODY: Final = "0x" + "0" * 40
_MARKET_INCREASE: Final = 2
_MARKET_DECREASE: Final = 4
_EXECUTION_FEE_WEI: Final = 100_000_000_000_000
_SLIPPAGE_BPS: Final = 30
# OrderNotFulfillableAtAcceptablePrice(uint256,uint256)
_NOT_FULFILLABLE: Final = bytes.fromhex("e09ad0e9")


def created(order: Order) -> list[bytes]:
    """What the transaction of the trader says."""
    values: dict[str, Mapping[str, Any]] = {
        "address": {
            "account": order.account,
            "receiver": order.account,
            "callbackContract": _NOBODY,
            "uiFeeReceiver": _NOBODY,
            "market": order.market,
            "initialCollateralToken": order.collateral,
            "cancellationReceiver": _NOBODY,
            "swapPath[]": (),
        },
        "uint256": {
            "orderType": _type(order),
            "decreasePositionSwapType": 0,
            "sizeDeltaUsd": order.size_usd,
            "initialCollateralDeltaAmount": order.collateral_amount,
            "triggerPrice": 0,
            "acceptablePrice": _acceptable(order),
            "executionFee": _EXECUTION_FEE_WEI,
            "callbackGasLimit": 0,
            "minOutputAmount": 0,
            "updatedAtTime": order.time_s,
            "validFromTime": 0,
            "srcChainId": 0,
        },
        "bool": {"isLong": order.is_long, "shouldUnwrapNativeToken": False, "autoCancel": False},
        "bytes32": {"key": _key(order), "dataList[]": ()},
    }
    return [call("OrderCreated", values, _key(order), padded(order.account))]


def settled(order: Order) -> list[bytes]:
    """What the transaction of the keeper says."""
    calls = [
        oracle_price(seen.token, (seen.min_price, seen.max_price), seen.timestamp_s)
        for seen in order.seen
    ]
    if order.cancelled:
        return [*calls, _cancelled(order)]
    sign = 1 if order.is_increase else -1
    interest: dict[str, Mapping[str, Any]] = {
        "address": {"market": order.market, "collateralToken": order.collateral}
    }
    for name, delta, value in (
        ("OpenInterestInTokensUpdated", order.size_tokens, order.interest_tokens),
        ("OpenInterestUpdated", order.size_usd, order.interest_usd),
    ):
        amounts: dict[str, Mapping[str, Any]] = {
            "uint256": {"nextValue": value},
            "int256": {"delta": sign * delta},
            "bool": {"isLong": order.is_long},
        }
        calls.append(call(name, interest | amounts, padded(order.market)))
    calls.append(_position(order))
    executed: dict[str, Mapping[str, Any]] = {
        "address": {"account": order.account},
        "uint256": {"secondaryOrderType": 0},
        "bytes32": {"key": _key(order)},
    }
    calls.append(call("OrderExecuted", executed, _key(order), padded(order.account)))
    return calls


def say(emitter: str, calls: list[bytes]) -> bytes:
    """One transaction that makes the emitter say it all."""
    return keccak(text="say(address,bytes[])")[:4] + encode(
        ["address", "bytes[]"], [emitter, calls]
    )


def _type(order: Order) -> int:
    return _MARKET_INCREASE if order.is_increase else _MARKET_DECREASE


def _acceptable(order: Order) -> int:
    worse = _SLIPPAGE_BPS if order.is_long == order.is_increase else -_SLIPPAGE_BPS
    return order.price * (10_000 + worse) // 10_000


def _key(order: Order) -> bytes:
    return keccak(text=f"order {order.number} of {order.account} at {order.time_s}")


def _cancelled(order: Order) -> bytes:
    reason = _NOT_FULFILLABLE + encode(["uint256", "uint256"], [order.price, _acceptable(order)])
    values: dict[str, Mapping[str, Any]] = {
        "address": {"account": order.account},
        "bytes32": {"key": _key(order)},
        "bytes": {"reasonBytes": reason},
        "string": {"reason": ""},
    }
    return call("OrderCancelled", values, _key(order), padded(order.account))


def _position(order: Order) -> bytes:
    name = "PositionIncrease" if order.is_increase else "PositionDecrease"
    position = position_key(order.account, order.market, order.collateral, order.is_long)
    index, paid = order.seen[0], order.seen[-1]
    amounts = {
        "sizeInUsd": order.size_usd if order.is_increase else 0,
        "sizeInTokens": order.size_tokens if order.is_increase else 0,
        "collateralAmount": order.collateral_amount if order.is_increase else 0,
        "borrowingFactor": 10**28,
        "fundingFeeAmountPerSize": 0,
        "longTokenClaimableFundingAmountPerSize": 0,
        "shortTokenClaimableFundingAmountPerSize": 0,
        "executionPrice": order.price,
        "indexTokenPrice.max": index.max_price,
        "indexTokenPrice.min": index.min_price,
        "collateralTokenPrice.max": paid.max_price,
        "collateralTokenPrice.min": paid.min_price,
        "sizeDeltaUsd": order.size_usd,
        "sizeDeltaInTokens": order.size_tokens,
    }
    if order.is_increase:
        amounts |= {"orderType": _type(order), "increasedAtTime": order.time_s}
        signed = {
            "collateralDeltaAmount": order.collateral_amount,
            "pendingPriceImpactUsd": 0,
            "pendingPriceImpactAmount": 0,
        }
    else:
        amounts |= {
            "collateralDeltaAmount": order.collateral_amount,
            "values.priceImpactDiffUsd": 0,
            "orderType": _type(order),
            "decreasedAtTime": order.time_s,
        }
        signed = dict.fromkeys(
            (
                "priceImpactUsd",
                "basePnlUsd",
                "uncappedBasePnlUsd",
                "proportionalPendingImpactUsd",
                "totalImpactUsd",
            ),
            0,
        )
    values: dict[str, Mapping[str, Any]] = {
        "address": {
            "account": order.account,
            "market": order.market,
            "collateralToken": order.collateral,
        },
        "uint256": amounts,
        "int256": signed,
        "bool": {"isLong": order.is_long},
        "bytes32": {"orderKey": _key(order), "positionKey": position},
    }
    return call(name, values, padded(order.account))
