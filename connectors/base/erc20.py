"""Tokens: what an owner has, and how much of it a contract may take. Pure.

Source: ERC-20, https://eips.ethereum.org/EIPS/eip-20.
"""

from typing import Final

from connectors.base.abi import Function, Parameter
from connectors.base.orders import Call
from domain.errors import InputError

UNLIMITED: Final = 2**256 - 1

APPROVE: Final = Function(
    "approve",
    bytes.fromhex("095ea7b3"),
    (Parameter("spender", "address"), Parameter("amount", "uint256")),
)
_UINT: Final = (Parameter("units", "uint256"),)
_BALANCE: Final = Function(
    "balanceOf", bytes.fromhex("70a08231"), (Parameter("owner", "address"),), _UINT
)
_ALLOWANCE: Final = Function(
    "allowance",
    bytes.fromhex("dd62ed3e"),
    (Parameter("owner", "address"), Parameter("spender", "address")),
    _UINT,
)


def balance_call(token: str, owner: str) -> Call:
    """Asks what ``owner`` has; see ``amount``."""
    return Call(token, _BALANCE.encode(owner))


def allowance_call(token: str, owner: str, spender: str) -> Call:
    """Asks what ``spender`` may take of it; see ``amount``."""
    return Call(token, _ALLOWANCE.encode(owner, spender))


def amount(answer: bytes) -> int:
    """Smallest units. Raises: InputError ``BAD_CALLDATA``."""
    return int(_BALANCE.decode_result(answer)[0])


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
