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
    return {
        "config": {"chainId": chain_id},
        "gasLimit": hex(_GAS_LIMIT),
        "difficulty": "0x0",
        "alloc": alloc,
    }


def _slot(account: str, role: str) -> str:
    """Where ``hasRole[account][role]`` lies: the first variable of the contract."""
    key = keccak(encode(["string"], [role]))
    outer = keccak(encode(["address", "uint256"], [account, 0]))
    return "0x" + keccak(key + outer).hex()


def _word(value: int) -> str:
    return f"0x{value:064x}"
