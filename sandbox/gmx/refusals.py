"""Why an order of GMX is not executed: the custom errors of the real contracts. Pure."""

from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak


class Refusal(Exception):
    """``data``: what the contract would revert with."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name)
        self.name = name
        self.data = data


def refuse(signature: str, *values: Any) -> Refusal:
    """``signature`` as in the ABI: ``MinPositionSize(uint256,uint256)``."""
    name, _, rest = signature.partition("(")
    types = [kind for kind in rest[:-1].split(",") if kind]
    return Refusal(name, keccak(text=signature)[:4] + encode(types, values))
