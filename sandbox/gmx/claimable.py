"""Funding that an account has earned in a pool of GMX, said so by whoever tests."""

from decimal import Decimal
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.chain.node import Node
from sandbox.chain.places import ARBITRUM, CONTRACTS, TOKENS
from sandbox.gmx import events
from sandbox.gmx.emitter import call, padded

_INCREMENT: Final = keccak(text="incrementUint(bytes32,uint256)")[:4]
_BASE: Final = keccak(encode(["string"], ["CLAIMABLE_FUNDING_AMOUNT"]))
_PLACE: Final = ["bytes32", "address", "address"]


async def earn(node: Node, account: str, market: str, symbol: str, amount: Decimal) -> None:
    """Adds to what can be claimed, and says so as the contracts do. Raises NodeError, and KeyError
    for a token that there is not."""
    token, contracts = TOKENS[ARBITRUM][symbol], CONTRACTS[ARBITRUM]
    units = int(amount * 10**token.decimals)
    pool = keccak(encode(_PLACE, [_BASE, market, token.address]))
    own = keccak(encode([*_PLACE, "address"], [_BASE, market, token.address, account]))
    for key in (pool, own):
        data = _INCREMENT + encode(["bytes32", "uint256"], [key, units])
        await node.send(contracts["DATA_STORE"], data)
    said = call(
        "ClaimableFundingUpdated",
        {
            "address": {"market": market, "token": token.address, "account": account},
            "uint256": {"delta": units, "nextValue": units, "nextPoolValue": units},
        },
        padded(account),
    )
    await node.send(contracts["ORDER_HANDLER"], events.say(contracts["EVENT_EMITTER"], [said]))
