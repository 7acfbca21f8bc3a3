"""Where the DataStore has a value, and names of positions and orders. Pure.

Source: GMX v2 contracts, data/Keys.sol, position/Position.sol, v2.2b and v2.2c.
"""

from functools import lru_cache
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.base.abi import Function, Parameter
from connectors.base.orders import Call

_GET_UINT: Final = Function(
    "getUint",
    bytes.fromhex("bd02d0f5"),
    (Parameter("key", "bytes32"),),
    (Parameter("value", "uint256"),),
)
_GET_BOOL: Final = Function(
    "getBool",
    bytes.fromhex("7ae1cfca"),
    (Parameter("key", "bytes32"),),
    (Parameter("value", "bool"),),
)
_GET_INT: Final = Function(
    "getInt",
    bytes.fromhex("dc97d962"),
    (Parameter("key", "bytes32"),),
    (Parameter("value", "int256"),),
)
_GET_WORD: Final = Function(
    "getBytes32",
    bytes.fromhex("a6ed563e"),
    (Parameter("key", "bytes32"),),
    (Parameter("value", "bytes32"),),
)


@lru_cache(maxsize=4096)
def key(name: str, types: tuple[str, ...] = (), values: tuple[object, ...] = ()) -> bytes:
    """Shape: the key's name, and ABI types and values of what it takes -> 32 bytes."""
    base = keccak(encode(["string"], [name]))
    return keccak(encode(["bytes32", *types], [base, *values])) if types else base


def position_key(account: str, market: str, collateral_token: str, is_long: bool) -> str:
    """0x and hexadecimal digits: the position's name at the venue."""
    types = ["address", "address", "address", "bool"]
    return f"0x{keccak(encode(types, [account, market, collateral_token, is_long])).hex()}"


def uint_call(data_store: str, found: bytes) -> Call:
    return Call(data_store, _GET_UINT.encode(found))


def bool_call(data_store: str, found: bytes) -> Call:
    return Call(data_store, _GET_BOOL.encode(found))


def int_call(data_store: str, found: bytes) -> Call:
    return Call(data_store, _GET_INT.encode(found))


def word_call(data_store: str, found: bytes) -> Call:
    return Call(data_store, _GET_WORD.encode(found))


def integer(data: bytes) -> int:
    """Raises: InputError ``BAD_CALLDATA``."""
    return int(_GET_INT.decode_result(data)[0])


def word(data: bytes) -> bytes:
    """Raises: InputError ``BAD_CALLDATA``."""
    return bytes(_GET_WORD.decode_result(data)[0])


def uint(data: bytes) -> int:
    """Raises: InputError ``BAD_CALLDATA``."""
    return int(_GET_UINT.decode_result(data)[0])


def flag(data: bytes) -> bool:
    """Raises: InputError ``BAD_CALLDATA``."""
    return bool(_GET_BOOL.decode_result(data)[0])
