"""Approvals: how a token's owner lets a contract take some of it. Pure.

Source: ERC-20, https://eips.ethereum.org/EIPS/eip-20.
"""

from typing import Final

from connectors.base.abi import Function, Parameter
from domain.errors import InputError

UNLIMITED: Final = 2**256 - 1

APPROVE: Final = Function(
    "approve",
    bytes.fromhex("095ea7b3"),
    (Parameter("spender", "address"), Parameter("amount", "uint256")),
)


def approve(spender: str, units: int | None) -> bytes:
    """Calldata for the token. ``units``: smallest units, None for no limit.

    Raises: InputError ``BAD_ARGUMENT``.
    """
    return APPROVE.encode(spender, UNLIMITED if units is None else units)


def approval(data: bytes) -> tuple[str, int]:
    """Spender in lower case, and smallest units. Raises: InputError ``BAD_CALLDATA``."""
    spender, units = APPROVE.decode(data)
    if not isinstance(spender, str) or not isinstance(units, int):
        raise InputError("BAD_CALLDATA", "no approval")
    return spender, units
