"""Who signed, asked of contracts on a real chain."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.types import TxParams

from api.siwe import SiweError, SiweMessage, signed_hash, signer, verify
from perptape.embedded_anvil import EmbeddedAnvil
from tests.servers import running

CHAIN = 42161
BUILT = json.loads((Path(__file__).parents[1] / "data/siwe/built.json").read_bytes())
SUFFIX = bytes.fromhex("6492" * 16)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER: LocalAccount = Account.from_key("0x" + "11" * 32)
STRANGER: LocalAccount = Account.from_key("0x" + "22" * 32)


@dataclass
class Chain:
    """A node, and what of it the verifier asks."""

    web3: Web3
    calls: int = 0

    def eth_call(self, chain_id: int, to: str | None, data: bytes) -> bytes:
        assert chain_id == CHAIN
        self.calls += 1
        call: TxParams = {"data": data} if to is None else {"to": Web3.to_checksum_address(to)}
        return bytes(self.web3.eth.call(call | {"data": data}))

    def send(self, transaction: Any) -> Any:
        # What a node suggests depends on how many empty blocks there were.
        fees = {"maxFeePerGas": 2 * 10**9, "maxPriorityFeePerGas": 0}
        sent = self.web3.eth.send_transaction(
            {"from": self.web3.eth.accounts[0], **fees} | transaction
        )
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, timeout=10, poll_latency=0.05)
        assert receipt["status"] == 1
        return receipt

    def deploy(self, name: str, *arguments: Any) -> Any:
        built = BUILT[name]
        contract = self.web3.eth.contract(abi=built["abi"], bytecode=built["creation_code"])
        data = contract.constructor(*arguments).data_in_transaction
        address = self.send({"data": data})["contractAddress"]
        return self.web3.eth.contract(address=address, abi=built["abi"])


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with running(partial(EmbeddedAnvil, CHAIN)) as url:
        chain = Chain(Web3(Web3.HTTPProvider(url)))
        chain.web3.provider.make_request("evm_setAutomine", [True])
        yield chain


def message(address: str) -> SiweMessage:
    return SiweMessage(
        domain="desk.example",
        address=address,
        uri="https://desk.example/login",
        version="1",
        chain_id=CHAIN,
        nonce="abcdefgh",
        issued_at="2026-01-01T00:00:00Z",
    )


def signature(signer: LocalAccount, address: str) -> bytes:
    return bytes(signer.sign_message(encode_defunct(text=str(message(address)))).signature)


def accepted(chain: Chain, address: str, signed: bytes) -> bool:
    try:
        return verify(message(address), signed, now=NOW, eth_call=chain.eth_call) == address
    except SiweError as error:
        return error.code != "SIGNATURE_INVALID"


def wrapped(factory: str, preparation: bytes, signed: bytes) -> bytes:
    return encode(["address", "bytes", "bytes"], [factory, preparation, signed]) + SUFFIX


def test_a_key_needs_no_chain(chain: Chain) -> None:
    before = chain.calls
    assert accepted(chain, OWNER.address, signature(OWNER, OWNER.address))
    assert chain.calls == before
    assert not signer(message(OWNER.address), signature(OWNER, OWNER.address)).is_contract
    assert not accepted(chain, OWNER.address, signature(STRANGER, OWNER.address))
    assert not accepted(chain, OWNER.address, b"")


def test_a_contract_wallet(chain: Chain) -> None:
    wallet = chain.deploy("OwnedWallet", OWNER.address).address
    signed = signature(OWNER, wallet)
    assert accepted(chain, wallet, signed)
    assert signer(message(wallet), signed, chain.eth_call).is_contract
    assert not accepted(chain, wallet, signature(STRANGER, wallet))
    assert not accepted(chain, wallet, signature(OWNER, OWNER.address))
    with pytest.raises(SiweError):
        verify(message(wallet), signed, now=NOW)
    with pytest.raises(SiweError):
        verify(replace(message(wallet), nonce="bcdefghi"), signed, now=NOW, eth_call=chain.eth_call)


def test_a_wallet_that_signs_on_the_chain(chain: Chain) -> None:
    wallet = chain.deploy("RecordingWallet")
    assert not accepted(chain, wallet.address, b"")
    digest = signed_hash(str(message(wallet.address)))
    chain.send({"to": wallet.address, "data": wallet.encode_abi("record", [digest])})
    assert accepted(chain, wallet.address, b"")


@pytest.mark.parametrize(
    "name",
    [
        "RevertingWallet",
        "SilentWallet",
        "ShortWallet",
        "MisalignedWallet",
        "WritingWallet",
        "EndlessWallet",
        "WalletFactory",
    ],
)
def test_contracts_that_do_not_agree(chain: Chain, name: str) -> None:
    contract = chain.deploy(name)
    assert not accepted(chain, contract.address, signature(OWNER, contract.address))


def test_a_wallet_that_is_not_there_yet(chain: Chain) -> None:
    factory = chain.deploy("WalletFactory")
    salt = b"\1" * 32
    wallet = factory.functions.predict(OWNER.address, salt).call()
    make = bytes.fromhex(factory.encode_abi("make", [OWNER.address, salt])[2:])
    signed = signature(OWNER, wallet)
    assert accepted(chain, wallet, wrapped(factory.address, make, signed))
    assert chain.web3.eth.get_code(wallet) == b""
    assert not accepted(chain, wallet, signed)
    assert not accepted(chain, wallet, wrapped(factory.address, make, signature(STRANGER, wallet)))
    other = bytes.fromhex(factory.encode_abi("make", [STRANGER.address, salt])[2:])
    assert not accepted(chain, wallet, wrapped(factory.address, other, signature(STRANGER, wallet)))
    assert not accepted(chain, wallet, wrapped(STRANGER.address, make, signed))
    assert not accepted(chain, wallet, wrapped(factory.address, b"", signed))
    # Once it stands, both forms are good, and the factory is not needed.
    chain.send({"to": factory.address, "data": make})
    assert accepted(chain, wallet, signed)
    assert accepted(chain, wallet, wrapped(factory.address, make, signed))
    assert accepted(chain, wallet, wrapped(STRANGER.address, b"", signed))


def test_nobody_prepares_a_wallet_that_stands(chain: Chain) -> None:
    wallet = chain.deploy("RecordingWallet")
    digest = signed_hash(str(message(wallet.address)))
    record = bytes.fromhex(wallet.encode_abi("record", [digest])[2:])
    assert not accepted(chain, wallet.address, wrapped(wallet.address, record, b""))


@pytest.mark.parametrize(
    "wrapping",
    [SUFFIX, bytes(31) + SUFFIX, bytes(96) + SUFFIX, b"\xff" * 96 + SUFFIX, bytes(65) + SUFFIX],
)
def test_a_wrapping_that_cannot_be_read(chain: Chain, wrapping: bytes) -> None:
    assert not accepted(chain, OWNER.address, wrapping)


def test_an_account_that_lends_itself_code_signs_with_its_key(chain: Chain) -> None:
    yes = chain.deploy("YesWallet").address
    assert accepted(chain, yes, b"anything")
    account = Account.from_key("0x" + "33" * 32)
    authorization = account.sign_authorization({"chainId": CHAIN, "address": yes, "nonce": 0})
    chain.send({"to": STRANGER.address, "authorizationList": [authorization], "gas": 200_000})
    code = bytes(chain.web3.eth.get_code(account.address))
    assert code == bytes.fromhex("ef0100") + bytes.fromhex(yes[2:])
    assert accepted(chain, account.address, signature(account, account.address))
    assert not accepted(chain, account.address, b"anything")
    assert not accepted(chain, account.address, signature(STRANGER, account.address))
    assert not accepted(chain, account.address, wrapped(yes, b"", b"anything"))


def test_an_outage_is_no_refusal(chain: Chain) -> None:
    def broken(chain_id: int, to: str | None, data: bytes) -> bytes:
        raise ConnectionError("no node")

    with pytest.raises(ConnectionError):
        verify(message(STRANGER.address), b"", now=NOW, eth_call=broken)
