"""What a request pays its keeper with: the contract's minimum at the price that the transaction may
pay for gas, and some head room.

Source: GMX v2 contracts, gas/GasUtils.sol, order/OrderUtils.sol, v2.2b and v2.2c.
"""

from typing import Final

from connectors.gmx.economics.checks import INCREASES
from connectors.gmx.economics.fixed import div_up
from connectors.gmx.economics.gas import GasConfig, minimum_fee_wei, minimum_gas
from connectors.gmx.orders.calls import CreateOrder, SwapType
from domain.errors import InputError
from domain.units import BPS

HEAD_ROOM_BPS: Final = 1_000
"""For what governance may set between building and mining. What the keeper does not use comes
back as ether."""

CANCEL_GAS: Final = 2_000_000
"""For each order: the contract wants 1.2 M left at its check, and estimates see too little."""


def execution_fee_wei(config: GasConfig, order: CreateOrder, max_fee_per_gas_wei: int) -> int:
    """The contract multiplies its gas with ``tx.gasprice``, which is never above the transaction's
    ``maxFeePerGas``: at that price the fee suffices whatever the base fee will be.

    Shape: scalar. Units: wei. Raises: InputError ``BAD_GAS_PRICE``.
    """
    if max_fee_per_gas_wei <= 0:
        raise InputError("BAD_GAS_PRICE", f"no price of gas: {max_fee_per_gas_wei}")
    gas = minimum_gas(
        config,
        "increase" if order.order_type in INCREASES else "decrease",
        swap_path_length=len(order.swap_path),
        swaps_output=order.swap_type is not SwapType.NONE,
        callback_gas=order.callback_gas,
    )
    return div_up(minimum_fee_wei(gas, max_fee_per_gas_wei) * (BPS + HEAD_ROOM_BPS), BPS)
