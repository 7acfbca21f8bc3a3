"""What the Reader says of orders and positions, in either release's layout. Pure.

Source: GMX v2 contracts, reader/Reader.sol, order/Order.sol, position/Position.sol. v2.2c has put
``uiFeeFactor`` into the middle of an order; read with the other release's ABI an answer decodes
into wrong numbers without an error, so the fields are found by the names of the pinned one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base.abi import named
from connectors.base.orders import Call
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import abi
from connectors.gmx.orders.abi import Version
from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order that waits. ``key``: 0x and hexadecimal digits."""

    key: str
    account: str
    market: str
    collateral_token: str
    order_type: OrderType
    is_long: bool
    size_usd_e30: int
    collateral_units: int
    trigger_usd_e30: int
    acceptable_usd_e30: int
    execution_fee_wei: int
    min_output: int
    valid_from_s: int
    updated_at_s: int
    is_frozen: bool
    auto_cancel: bool


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """``numbers``: all of them, by the contracts' own names."""

    account: str
    market: str
    collateral_token: str
    is_long: bool
    size_usd_e30: int
    size_units: int
    collateral_units: int
    numbers: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def order_call(version: Version, reader: str, data_store: str, key: str) -> Call:
    """``getOrder``; see ``order``."""
    function = abi.functions(version, "Reader")["getOrder"]
    return Call(reader, function.encode(data_store, bytes.fromhex(key[2:])))


def order(version: Version, key: str, data: bytes) -> StoredOrder | None:
    """None where there is no such order any more. Raises: InputError ``BAD_CALLDATA``."""
    function = abi.functions(version, "Reader")["getOrder"]
    (found,) = function.decode_result(data)
    return _order(key, named(function.outputs[0].parts, found))


def account_orders_call(version: Version, reader: str, data_store: str, account: str) -> Call:
    """``getAccountOrders``, the first thousand; see ``account_orders``."""
    function = abi.functions(version, "Reader")["getAccountOrders"]
    return Call(reader, function.encode(data_store, account, 0, 1000))


def account_orders(version: Version, data: bytes) -> Sequence[StoredOrder]:
    """Raises: InputError ``BAD_CALLDATA``."""
    function = abi.functions(version, "Reader")["getAccountOrders"]
    (rows,) = function.decode_result(data)
    key_part, order_part = function.outputs[0].parts
    found = []
    for key, row in rows:
        stored = _order(f"0x{key.hex()}", named(order_part.parts, row))
        if stored is None:
            raise InputError("BAD_CALLDATA", f"{key_part.name} without an order")
        found.append(stored)
    return found


def position_call(version: Version, reader: str, data_store: str, key: str) -> Call:
    """``getPosition``; see ``position``."""
    function = abi.functions(version, "Reader")["getPosition"]
    return Call(reader, function.encode(data_store, bytes.fromhex(key[2:])))


def position(version: Version, data: bytes) -> StoredPosition | None:
    """None where there is no such position any more. Raises: InputError ``BAD_CALLDATA``."""
    function = abi.functions(version, "Reader")["getPosition"]
    (found,) = function.decode_result(data)
    return _position(named(function.outputs[0].parts, found))


def account_positions_call(version: Version, reader: str, data_store: str, account: str) -> Call:
    """``getAccountPositions``, the first thousand; see ``account_positions``."""
    function = abi.functions(version, "Reader")["getAccountPositions"]
    return Call(reader, function.encode(data_store, account, 0, 1000))


def account_positions(version: Version, data: bytes) -> Sequence[StoredPosition]:
    """Raises: InputError ``BAD_CALLDATA``."""
    function = abi.functions(version, "Reader")["getAccountPositions"]
    (rows,) = function.decode_result(data)
    found = (_position(named(function.outputs[0].parts, row)) for row in rows)
    return [position for position in found if position is not None]


def _position(row: Mapping[str, Any]) -> StoredPosition | None:
    if not row["addresses"]["account"].strip("0x"):
        return None
    return StoredPosition(
        account=row["addresses"]["account"],
        market=row["addresses"]["market"],
        collateral_token=row["addresses"]["collateralToken"],
        is_long=row["flags"]["isLong"],
        size_usd_e30=row["numbers"]["sizeInUsd"],
        size_units=row["numbers"]["sizeInTokens"],
        collateral_units=row["numbers"]["collateralAmount"],
        numbers=row["numbers"],
    )


def _order(key: str, row: Mapping[str, Any]) -> StoredOrder | None:
    if not row["addresses"]["account"].strip("0x"):
        return None
    try:
        order_type = OrderType(row["numbers"]["orderType"])
    except ValueError as error:
        raise InputError("BAD_CALLDATA", f"order {key}: {error}") from None
    return StoredOrder(
        key=key,
        account=row["addresses"]["account"],
        market=row["addresses"]["market"],
        collateral_token=row["addresses"]["initialCollateralToken"],
        order_type=order_type,
        is_long=row["flags"]["isLong"],
        size_usd_e30=row["numbers"]["sizeDeltaUsd"],
        collateral_units=row["numbers"]["initialCollateralDeltaAmount"],
        trigger_usd_e30=row["numbers"]["triggerPrice"],
        acceptable_usd_e30=row["numbers"]["acceptablePrice"],
        execution_fee_wei=row["numbers"]["executionFee"],
        min_output=row["numbers"]["minOutputAmount"],
        valid_from_s=row["numbers"]["validFromTime"],
        updated_at_s=row["numbers"]["updatedAtTime"],
        is_frozen=row["flags"]["isFrozen"],
        auto_cancel=row["flags"]["autoCancel"],
    )
