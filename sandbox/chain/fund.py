"""Ether and USDC on a chain of the sandbox, for whoever asks."""

from decimal import Decimal
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.chain.node import Node
from sandbox.chain.places import TOKENS

_WEI: Final = 10**18
_MINT_CALL: Final = keccak(text="mint(address,uint256)")[:4]


async def fund(node: Node, chain_id: int, address: str, eth: Decimal, usdc: Decimal) -> None:
    """Adds to what is there. Raises NodeError."""
    if eth:
        balance = int(await node.call("eth_getBalance", address, "latest"), 16)
        await node.call("anvil_setBalance", address, hex(balance + int(eth * _WEI)))
    if usdc:
        token = TOKENS[chain_id]["USDC"]
        amount = int(usdc * 10**token.decimals)
        mint = _MINT_CALL + encode(["address", "uint256"], [address, amount])
        await node.send(token.address, mint)
