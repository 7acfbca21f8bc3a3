"""An encoder of its own kind: web3 over the diamond's whole ABI, not the cut one."""

import json
from typing import Any, Final

from web3 import Web3

from tests.unit.connectors.gains.world import RECORDED

ABI: Final[list[dict[str, Any]]] = json.loads(
    (RECORDED / "GNSMultiCollatDiamond.json").read_bytes()
)
DIAMOND: Final = "0xFF162c694eAA571f685030649814282eA457f169"
CONTRACT: Final = Web3().eth.contract(address=Web3.to_checksum_address(DIAMOND), abi=ABI)


def calldata(function: str, *arguments: Any) -> bytes:
    return bytes.fromhex(CONTRACT.encode_abi(function, args=list(arguments))[2:])
