"""What the ExchangeRouter is told, and the one ``multicall`` that all of it goes in. Pure.

Source: GMX v2 contracts, router/ExchangeRouter.sol, router/BaseRouter.sol,
order/IBaseOrderUtils.sol, v2.2b and v2.2c. Addresses are in lower case throughout; ``units`` are a
token's smallest units; prices are USD x 1e30 per smallest unit of the index token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Final, TypeAlias

from connectors.base.abi import SELECTOR_BYTES, Function, differences
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import abi
from connectors.gmx.orders.abi import Version
from domain.errors import InputError

NO_ADDRESS: Final = "0x" + "0" * 40
NO_REFERRAL: Final = b"\0" * 32


class SwapType(IntEnum):
    """What a decrease does with profit that comes in another token than the collateral's."""

    NONE = 0
    TO_COLLATERAL = 1
    TO_PROFIT_TOKEN = 2


@dataclass(frozen=True, slots=True)
class SendWnt:
    """Wraps ether of the transaction and hands it on."""

    receiver: str
    amount_wei: int


@dataclass(frozen=True, slots=True)
class SendTokens:
    """Moves tokens that the Router was approved for."""

    token: str
    receiver: str
    units: int


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """``collateral_units``: to withdraw, of a decrease; what came into the vault counts for an
    increase. ``min_output``: USD x 1e30 of a decrease, else units. ``data_list``: words of 32
    bytes."""

    receiver: str
    market: str
    collateral_token: str
    order_type: OrderType
    is_long: bool
    size_usd_e30: int
    collateral_units: int
    acceptable_usd_e30: int
    trigger_usd_e30: int
    execution_fee_wei: int
    min_output: int = 0
    valid_from_s: int = 0
    swap_type: SwapType = SwapType.NONE
    unwrap_native: bool = False
    auto_cancel: bool = False
    swap_path: tuple[str, ...] = ()
    cancellation_receiver: str = NO_ADDRESS
    callback_contract: str = NO_ADDRESS
    callback_gas: int = 0
    ui_fee_receiver: str = NO_ADDRESS
    referral_code: bytes = NO_REFERRAL
    data_list: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """Replaces every value of an order that waits; unfreezes it."""

    key: bytes
    size_usd_e30: int
    acceptable_usd_e30: int
    trigger_usd_e30: int
    min_output: int
    valid_from_s: int
    auto_cancel: bool


@dataclass(frozen=True, slots=True)
class CancelOrder:
    key: bytes


@dataclass(frozen=True, slots=True)
class ClaimFundingFees:
    """One market for each token."""

    markets: tuple[str, ...]
    tokens: tuple[str, ...]
    receiver: str


@dataclass(frozen=True, slots=True)
class ClaimCollateral:
    """What caps on impact kept back; one market and one time key (hours, as the event told it) for
    each token."""

    markets: tuple[str, ...]
    tokens: tuple[str, ...]
    time_keys: tuple[int, ...]
    receiver: str


Call: TypeAlias = (
    SendWnt | SendTokens | CreateOrder | UpdateOrder | CancelOrder | ClaimFundingFees
    | ClaimCollateral
)  # fmt: skip

_NAMES: Final[Mapping[type[Call], str]] = {
    SendWnt: "sendWnt",
    SendTokens: "sendTokens",
    CreateOrder: "createOrder",
    UpdateOrder: "updateOrder",
    CancelOrder: "cancelOrder",
    ClaimFundingFees: "claimFundingFees",
    ClaimCollateral: "claimCollateral",
}


def encode(version: Version, call: Call) -> bytes:
    """Calldata of one call. Raises: InputError ``BAD_ARGUMENT``."""
    return _function(version, _NAMES[type(call)]).encode(*_arguments(call))


def encode_all(version: Version, calls: Sequence[Call]) -> bytes:
    """Calldata of the multicall with these in it. Raises: InputError ``BAD_ARGUMENT``."""
    return multicall(version, [encode(version, call) for call in calls])


def multicall(version: Version, calls: Sequence[bytes]) -> bytes:
    """Calldata of the multicall with these in it. Raises: InputError ``BAD_ARGUMENT``."""
    return _function(version, "multicall").encode(list(calls))


def decode(version: Version, data: bytes) -> Call:
    """One call. Raises: InputError ``BAD_CALLDATA`` for what ``encode`` does not give."""
    found = _by_selector(version).get(data[:SELECTOR_BYTES])
    if found is None:
        raise InputError("BAD_CALLDATA", f"unknown call 0x{data[:SELECTOR_BYTES].hex()}")
    kind, function = found
    arguments = function.decode(data)
    if kind is CreateOrder:
        return _order(*arguments[0])
    call: Call = kind(*arguments)
    return call


def decode_all(version: Version, data: bytes) -> tuple[Call, ...]:
    """The calls in a multicall. Raises: InputError ``BAD_CALLDATA``."""
    return tuple(decode(version, call) for call in _parts(version, data))


def calldata_differences(version: Version, expected: bytes, found: bytes) -> Sequence[str]:
    """Where another multicall differs from the expected one, in the contracts' names:
    ``data[2].createOrder.params.numbers.acceptablePrice``. ``data`` alone for what is none."""
    try:
        ours, theirs = _parts(version, expected), _parts(version, found)
    except InputError:
        return ["data"] if expected != found else []
    if len(ours) != len(theirs):
        return ["data.length"]
    names: list[str] = []
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        names += _call_differences(version, f"data[{place}]", one, other)
    return names


def _call_differences(version: Version, path: str, one: bytes, other: bytes) -> Sequence[str]:
    if one == other:
        return []
    found = _by_selector(version).get(one[:SELECTOR_BYTES])
    if found is None or one[:SELECTOR_BYTES] != other[:SELECTOR_BYTES]:
        return [path]
    _, function = found
    try:
        arguments, others = function.decode(one), function.decode(other)
    except InputError:
        return [path]
    return list(differences(f"{path}.{function.name}", function.inputs, arguments, others))


def _parts(version: Version, data: bytes) -> Sequence[bytes]:
    (calls,) = _function(version, "multicall").decode(data)
    return list(calls)


def _function(version: Version, name: str) -> Function:
    return abi.functions(version, "ExchangeRouter")[name]


@cache
def _by_selector(version: Version) -> Mapping[bytes, tuple[type[Call], Function]]:
    found = ((kind, _function(version, name)) for kind, name in _NAMES.items())
    return {function.selector: (kind, function) for kind, function in found}


def _arguments(call: Call) -> tuple[Any, ...]:
    if isinstance(call, CreateOrder):
        return (_params(call),)
    return tuple(getattr(call, name) for name in type(call).__slots__)


def _params(call: CreateOrder) -> tuple[Any, ...]:
    return (
        (
            call.receiver,
            call.cancellation_receiver,
            call.callback_contract,
            call.ui_fee_receiver,
            call.market,
            call.collateral_token,
            call.swap_path,
        ),
        (
            call.size_usd_e30,
            call.collateral_units,
            call.trigger_usd_e30,
            call.acceptable_usd_e30,
            call.execution_fee_wei,
            call.callback_gas,
            call.min_output,
            call.valid_from_s,
        ),
        call.order_type,
        call.swap_type,
        call.is_long,
        call.unwrap_native,
        call.auto_cancel,
        call.referral_code,
        call.data_list,
    )


def _order(
    addresses: tuple[Any, ...],
    numbers: tuple[int, ...],
    order_type: int,
    swap_type: int,
    is_long: bool,
    unwrap_native: bool,
    auto_cancel: bool,
    referral_code: bytes,
    data_list: tuple[bytes, ...],
) -> CreateOrder:
    receiver, cancellation, callback, ui_fee_receiver, market, collateral, swap_path = addresses
    size, units, trigger, acceptable, fee_wei, callback_gas, min_output, valid_from_s = numbers
    try:
        kind, swap = OrderType(order_type), SwapType(swap_type)
    except ValueError as error:
        raise InputError("BAD_CALLDATA", f"createOrder: {error}") from None
    return CreateOrder(
        receiver=receiver,
        market=market,
        collateral_token=collateral,
        order_type=kind,
        is_long=is_long,
        size_usd_e30=size,
        collateral_units=units,
        acceptable_usd_e30=acceptable,
        trigger_usd_e30=trigger,
        execution_fee_wei=fee_wei,
        min_output=min_output,
        valid_from_s=valid_from_s,
        swap_type=swap,
        unwrap_native=unwrap_native,
        auto_cancel=auto_cancel,
        swap_path=swap_path,
        cancellation_receiver=cancellation,
        callback_contract=callback,
        callback_gas=callback_gas,
        ui_fee_receiver=ui_fee_receiver,
        referral_code=referral_code,
        data_list=data_list,
    )
