"""The execution fee that createOrder demands.

Source: GMX v2 contracts, gas/GasUtils.sol, v2.2b and v2.2c.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from connectors.gmx.economics.fixed import apply_factor
from connectors.gmx.economics.refusal import Refused
from domain.errors import InputError

OrderKind = Literal["increase", "decrease", "swap"]

_ORACLE_PRICES: Final = 3
"""Of a market; each further pool on the swap path has one more."""


@dataclass(frozen=True, slots=True)
class GasConfig:
    """Gas limits and what they are grossed up with."""

    increase_gas: int
    decrease_gas: int
    swap_order_gas: int
    single_swap_gas: int
    base_gas: int
    gas_per_oracle_price: int
    multiplier_e30: int


def gas_config(values: Mapping[str, object]) -> GasConfig:
    """Shape: DataStore values by key name -> configuration. Units: gas, e30.
    Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``. Source: data/Keys.sol."""
    return GasConfig(
        increase_gas=_number(values, "INCREASE_ORDER_GAS_LIMIT"),
        decrease_gas=_number(values, "DECREASE_ORDER_GAS_LIMIT"),
        swap_order_gas=_number(values, "SWAP_ORDER_GAS_LIMIT"),
        single_swap_gas=_number(values, "SINGLE_SWAP_GAS_LIMIT"),
        base_gas=_number(values, "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1"),
        gas_per_oracle_price=_number(values, "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE"),
        multiplier_e30=_number(values, "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR"),
    )


def minimum_gas(
    config: GasConfig,
    kind: OrderKind,
    *,
    swap_path_length: int = 0,
    swaps_output: bool = False,
    callback_gas: int = 0,
) -> int:
    """Gas that an order's execution is estimated at. ``swaps_output``: a decrease whose
    decreasePositionSwapType is not 0.

    Shape: scalar. Units: gas. Source: GasUtils.estimateExecuteOrderGasLimit,
    adjustGasLimitForEstimate.
    """
    order_gas = {
        "increase": config.increase_gas,
        "decrease": config.decrease_gas,
        "swap": config.swap_order_gas,
    }[kind]
    swaps = swap_path_length + (kind == "decrease" and swaps_output)
    gas = order_gas + config.single_swap_gas * swaps + callback_gas
    prices = _ORACLE_PRICES + swap_path_length
    return (
        config.base_gas
        + config.gas_per_oracle_price * prices
        + apply_factor(gas, config.multiplier_e30)
    )


def minimum_fee_wei(gas: int, gas_price_wei: int) -> int:
    """Shape: scalar. Units: wei; the price is that of the creating transaction.
    Source: GasUtils.validateExecutionFee."""
    return gas * gas_price_wei


def check_fee(minimum_wei: int, given_wei: int) -> None:
    """Shape: scalars. Units: wei. Raises: Refused ``InsufficientExecutionFee``.
    Source: GasUtils.validateExecutionFee."""
    if given_wei < minimum_wei:
        raise Refused(
            "InsufficientExecutionFee", minExecutionFee=minimum_wei, executionFee=given_wei
        )


def _number(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    if value is None:
        raise InputError("MISSING_VALUE", name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is not int or value < 0:
        raise InputError("BAD_VALUE", f"{name} is no integer: {value!r:.60}")
    return value
