"""A chain of the sandbox with its keeper in the test's own process, and accounts that trade on it
through the full ABIs of the real contracts."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract

from perptape.embedded_anvil import EmbeddedAnvil
from runtime.settings import Settings
from sandbox.chain.desk import Instructions
from sandbox.chain.keeper import Chain
from sandbox.chain.places import ACCOUNTS, BASE_FEE_WEI, CONTRACTS, TOKENS
from sandbox.faults import FaultBoard
from sandbox.gains.server import Replica as GainsReplica
from sandbox.gmx.server import Replica as GmxReplica
from sandbox.prices import PriceProcess, load_assets
from sandbox.service import own_chains
from tests.servers import running

DATA: Final = Path(__file__).parents[1] / "data"
GAS: Final = 8_000_000
_ERC20: Final = json.loads((DATA.parents[1] / "sandbox/contracts/built.json").read_bytes())[
    "Token"
]["abi"]


def abi(venue: str, name: str) -> Any:
    return json.loads((DATA / venue / "abi" / f"{name}.json").read_bytes())


class Stage:
    """``trader``: an account with money, another one for each test."""

    def __init__(self, chain_id: int, url: str) -> None:
        self.chain_id = chain_id
        self.url = url
        self.web3 = Web3(Web3.HTTPProvider(url))
        self.trader = ACCOUNTS[0].address
        self.prices = PriceProcess(load_assets(), 1)
        self.board = FaultBoard()
        self.gmx = GmxReplica(self.prices, self.board, seed=1, rate=1)
        self.gains = GainsReplica(self.prices, self.board, seed=1, rate=1)
        self.clock_us = self.gmx.now_us()
        self.gains.feed.hours.hold(dict.fromkeys(("forex", "stocks", "indices"), True))
        self.instructions = Instructions(delay_ms=0)
        settings = Settings(sandbox_chain_urls={chain_id: url})
        self.loop = asyncio.new_event_loop()
        self.chain: Chain = own_chains(settings, self.gmx, self.gains)[chain_id]
        self.chain.mines = False  # a block a transaction, and none besides

    def contract(self, name: str, venue: str, abi_name: str) -> Contract:
        place = Web3.to_checksum_address(CONTRACTS[self.chain_id][name])
        return self.web3.eth.contract(place, abi=abi(venue, abi_name))

    def token(self, symbol: str) -> Contract:
        place = Web3.to_checksum_address(TOKENS[self.chain_id][symbol].address)
        return self.web3.eth.contract(place, abi=_ERC20)

    def send(self, call: Any, *, value: int = 0, tag: bytes = b"", gas: int = GAS) -> Any:
        """The receipt of a transaction of the trader; ``tag`` stands behind its arguments."""
        data = call._encode_transaction_data()
        transaction = {
            "from": self.trader,
            "to": call.address,
            "data": data + tag.hex(),
            "value": value,
            "gas": gas,
            "maxFeePerGas": 10 * BASE_FEE_WEI[self.chain_id],
            "maxPriorityFeePerGas": 0,
        }
        return self.web3.eth.wait_for_transaction_receipt(
            self.web3.eth.send_transaction(transaction)  # type: ignore[arg-type]
        )

    def refusal(self, call: Any, *, value: int = 0) -> tuple[str, bytes]:
        """Selector and data that a call reverts with."""
        transaction = {
            "from": self.trader,
            "to": call.address,
            "data": call._encode_transaction_data(),
            "value": hex(value),
            "gas": hex(GAS),
            "gasPrice": hex(10 * BASE_FEE_WEI[self.chain_id]),
        }
        answer: Any = self.web3.provider.make_request(
            "eth_call",
            [transaction, "latest"],  # type: ignore[arg-type]
        )
        data = bytes.fromhex(answer["error"]["data"][2:])
        return f"0x{data[:4].hex()}", data[4:]

    def rpc(self, method: str, *params: Any) -> Any:
        answer: Any = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        return answer["result"]

    def turn(self) -> list[Any]:
        """One turn of the keeper; the receipts of what it sent that say something."""
        before = self.web3.eth.block_number
        self.loop.run_until_complete(self.chain.turn(self.instructions))
        while int(self.rpc("txpool_status")["pending"], 16):
            pass  # the node mines at once, but beside the answer
        receipts = [
            self.web3.eth.get_transaction_receipt(found)
            for number in range(before + 1, self.web3.eth.block_number + 1)
            for found in self.web3.eth.get_block(number)["transactions"]
        ]
        return [receipt for receipt in receipts if receipt["logs"]]

    def set_price(self, market: str, price: float) -> None:
        """At both replicas, at once."""
        self.clock_us += 2_000_000
        self.prices.advance(self.clock_us)
        self.prices.set({market: price})
        self.gmx.keeper.turn(self.clock_us, self.gmx.faults)
        self.gains.feed.step(self.clock_us, self.gains.faults)


@contextmanager
def staged(chain_id: int) -> Iterator[Stage]:
    with running(partial(EmbeddedAnvil, chain_id)) as url:
        stage = Stage(chain_id, url)
        yield stage
        stage.loop.run_until_complete(stage.chain.node.close())
        stage.loop.close()


def said(receipts: Any, contract: Contract) -> list[tuple[str, dict[str, Any]]]:
    """Names and values of a contract's events, decoded by its ABI."""
    found = []
    decoders = _decoders(contract)
    for receipt in receipts:
        for log in receipt["logs"]:
            decoder = decoders.get(bytes(log["topics"][0]))
            if log["address"] == contract.address and decoder is not None:
                event = decoder.process_log(log)
                found.append((event["event"], dict(event["args"])))
    return found


_KNOWN: Final[dict[str, dict[bytes, Any]]] = {}


def _decoders(contract: Contract) -> dict[bytes, Any]:
    """By the first topic."""
    if contract.address not in _KNOWN:
        _KNOWN[contract.address] = {
            keccak(text=_signature(each)): getattr(contract.events, each["name"])()
            for each in contract.abi
            if each["type"] == "event"
        }
    return _KNOWN[contract.address]


def emitted(receipts: Any, emitter: Contract) -> list[tuple[str, dict[str, Any]]]:
    """The same of GMX: the name inside, and the values of all groups by key."""
    found = []
    for _, args in said(receipts, emitter):
        values: dict[str, Any] = {}
        for group in args["eventData"].values():
            for part in ("items", "arrayItems"):
                values |= {item["key"]: item["value"] for item in group[part]}
        found.append((args["eventName"], values))
    return found


def _signature(entry: Any) -> str:
    def kind(part: Any) -> str:
        if not part["type"].startswith("tuple"):
            return str(part["type"])
        return f"({','.join(kind(each) for each in part['components'])}){part['type'][5:]}"

    return f"{entry['name']}({','.join(kind(part) for part in entry['inputs'])})"
