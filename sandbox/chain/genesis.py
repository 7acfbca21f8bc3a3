"""The state a chain of the sandbox begins with: the contracts of the sandbox, each at the address
the real one has. Pure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

BUILT: Final = Path(__file__).parent.parent / "contracts" / "built.json"

ARBITRUM: Final = 42161

# Chain id -> contract -> address: gmx-io/gmx-synthetics ``deployments`` of release v2.2c.
CONTRACTS: Final[Mapping[int, Mapping[str, str]]] = {
    ARBITRUM: {
        "DataStore": "0xFD70de6b91282D8017aA4E741e9Ae325CAb992d8",
        "EventEmitter": "0xC8ee91A54287DB53897056e12D9819156D3822Fb",
        "OrderHandler": "0xa5D2d45228ee2E3A18AB122B2cE84997d008f4Eb",
        "RoleStore": "0x3c3d99FD298f679DBC2CEcd132b4eC4d0F5e6e72",
    },
}

# Who has which roles from the start: the exchange router in use.
_ROLES: Final = (
    ("0x7dE39FF2e232A2203196788d37e234cF8F1b83f1", "CONTROLLER"),
    ("0x7dE39FF2e232A2203196788d37e234cF8F1b83f1", "ROUTER_PLUGIN"),
)
# Gas of orders, and what is added to it: the defaults of the public repository's configuration.
_GAS: Final = {
    "INCREASE_ORDER_GAS_LIMIT": 3_000_000,
    "DECREASE_ORDER_GAS_LIMIT": 3_000_000,
    "SWAP_ORDER_GAS_LIMIT": 2_500_000,
    "SINGLE_SWAP_GAS_LIMIT": 1_000_000,
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1": 600_000,
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE": 250_000,
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR": 10**30,
}
_GAS_LIMIT: Final = 60_000_000


def genesis(chain_id: int) -> dict[str, Any]:
    """In the format of geth. Dev accounts get their money from the node."""
    built = json.loads(BUILT.read_bytes())
    alloc: dict[str, Any] = {
        address: {"balance": "0x0", "code": built[name]["code"]}
        for name, address in CONTRACTS[chain_id].items()
    }
    role_store = CONTRACTS[chain_id].get("RoleStore")
    if role_store is not None:
        alloc[role_store]["storage"] = {_slot(*role): _word(1) for role in _ROLES}
    data_store = CONTRACTS[chain_id].get("DataStore")
    if data_store is not None:
        alloc[data_store]["storage"] = {_place(_key(name)): _word(at) for name, at in _GAS.items()}
    return {
        "config": {"chainId": chain_id},
        "gasLimit": hex(_GAS_LIMIT),
        "difficulty": "0x0",
        "alloc": alloc,
    }


def _key(name: str) -> bytes:
    """What the contracts call a role or a value by."""
    return keccak(encode(["string"], [name]))


def _slot(account: str, role: str) -> str:
    """Where ``hasRole[account][role]`` lies: the first variable of the contract."""
    outer = keccak(encode(["address", "uint256"], [account, 0]))
    return "0x" + keccak(_key(role) + outer).hex()


def _place(key: bytes) -> str:
    """Where ``getUint[key]`` lies: the first variable of the contract."""
    return "0x" + keccak(key + encode(["uint256"], [0])).hex()


def _word(value: int) -> str:
    return f"0x{value:064x}"
