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

from sandbox.gmx.traders import Order

_GROUPS: Final = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
_DATA: Final = "(" + ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in _GROUPS) + ")"
_TOPICS: Final = {1: ",bytes32", 2: ",bytes32,bytes32"}
_PROVIDER: Final = "0x38b8db61b724b51e42a88cb8ec564cd685a0f53b"
_NOBODY: Final = "0x" + "0" * 40
_MARKET_INCREASE: Final = 2
_MARKET_DECREASE: Final = 4
_EXECUTION_FEE_WEI: Final = 100_000_000_000_000
_SLIPPAGE_BPS: Final = 30
# OrderNotFulfillableAtAcceptablePrice(uint256,uint256)
_NOT_FULFILLABLE: Final = bytes.fromhex("e09ad0e9")

_Values = Mapping[str, Any]


def created(order: Order) -> list[bytes]:
    """What the transaction of the trader says."""
    values: dict[str, _Values] = {
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
    return [_call("OrderCreated", values, _key(order), _padded(order.account))]


def settled(order: Order) -> list[bytes]:
    """What the transaction of the keeper says."""
    calls = [_oracle_price(seen) for seen in order.seen]
    if order.cancelled:
        return [*calls, _cancelled(order)]
    sign = 1 if order.is_increase else -1
    interest: dict[str, _Values] = {
        "address": {"market": order.market, "collateralToken": order.collateral}
    }
    for name, delta, value in (
        ("OpenInterestInTokensUpdated", order.size_tokens, order.interest_tokens),
        ("OpenInterestUpdated", order.size_usd, order.interest_usd),
    ):
        amounts: dict[str, _Values] = {
            "uint256": {"nextValue": value},
            "int256": {"delta": sign * delta},
            "bool": {"isLong": order.is_long},
        }
        calls.append(_call(name, interest | amounts, _padded(order.market)))
    calls.append(_position(order))
    executed: dict[str, _Values] = {
        "address": {"account": order.account},
        "uint256": {"secondaryOrderType": 0},
        "bytes32": {"key": _key(order)},
    }
    calls.append(_call("OrderExecuted", executed, _key(order), _padded(order.account)))
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


def _oracle_price(seen: Any) -> bytes:
    values: dict[str, _Values] = {
        "address": {"token": seen.token, "provider": _PROVIDER},
        "uint256": {
            "minPrice": seen.min_price,
            "maxPrice": seen.max_price,
            "timestamp": seen.timestamp_s,
        },
    }
    return _call("OraclePriceUpdate", values, _padded(seen.token))


def _cancelled(order: Order) -> bytes:
    reason = _NOT_FULFILLABLE + encode(["uint256", "uint256"], [order.price, _acceptable(order)])
    values: dict[str, _Values] = {
        "address": {"account": order.account},
        "bytes32": {"key": _key(order)},
        "bytes": {"reasonBytes": reason},
        "string": {"reason": ""},
    }
    return _call("OrderCancelled", values, _key(order), _padded(order.account))


def _position(order: Order) -> bytes:
    name = "PositionIncrease" if order.is_increase else "PositionDecrease"
    position = keccak(
        encode(
            ["address", "address", "address", "bool"],
            [order.account, order.market, order.collateral, order.is_long],
        )
    )
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
    values: dict[str, _Values] = {
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
    return _call(name, values, _padded(order.account))


def _padded(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def _call(name: str, values: Mapping[str, _Values], *topics: bytes) -> bytes:
    """A call of ``emitEventLog1`` or ``emitEventLog2``; keys of arrays end in ``[]``."""
    groups = []
    for kind in _GROUPS:
        found = values.get(kind, {})
        items = [(key, value) for key, value in found.items() if not key.endswith("[]")]
        arrays = [(key[:-2], value) for key, value in found.items() if key.endswith("[]")]
        groups.append((items, arrays))
    types = f"string{_TOPICS[len(topics)]},{_DATA}"
    selector = keccak(text=f"emitEventLog{len(topics)}({types})")[:4]
    kinds = ["string", *["bytes32"] * len(topics), _DATA]
    return selector + encode(kinds, [name, *topics, tuple(groups)])
