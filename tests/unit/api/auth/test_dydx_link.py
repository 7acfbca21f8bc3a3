"""Who has the key of a dYdX account, by a signature over a document of ADR-36."""

import hashlib

import pytest
from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

from api.auth.dydx_link import LinkRefused, address_of, sign_doc, verify
from tests.dydx_wallet import ORDER, DydxWallet

TEXT = "desk.example wants to link <you> & nobody else"
WALLET = DydxWallet(hashlib.sha256(b"one").digest())
OTHER = DydxWallet(hashlib.sha256(b"another").digest())


def test_the_address_of_the_public_test_account() -> None:
    """Mnemonic and address are those of the examples of dYdX' v4 clients."""
    words = (
        "mirror actor skill push coach wait confirm orchard lunch mobile athlete gossip awake"
        " miracle matter bus reopen team ladder lazy list timber render wait"
    )
    secret = key_from_seed(seed_from_mnemonic(words, ""), "m/44'/118'/0'/0/0")
    assert DydxWallet(secret).address == "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"


def test_the_document_is_that_of_the_standard() -> None:
    assert sign_doc("dydx1a", "hi") == (
        b'{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":['
        b'{"type":"sign/MsgSignData","value":{"data":"aGk=","signer":"dydx1a"}}],"sequence":"0"}'
    )


def test_a_good_signature() -> None:
    verify(WALLET.address, TEXT, WALLET.public_key, WALLET.sign(TEXT))


GOOD = WALLET.sign(TEXT)
# x = 5 is on no point of the curve.
NO_POINT = b"\x02" + (5).to_bytes(32, "big")


@pytest.mark.parametrize(
    ("address", "key", "signature", "code"),
    [
        (OTHER.address, WALLET.public_key, GOOD, "ADDRESS_MISMATCH"),
        (WALLET.address, OTHER.public_key, GOOD, "ADDRESS_MISMATCH"),
        (OTHER.address, OTHER.public_key, GOOD, "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, WALLET.sign(TEXT + "!"), "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, WALLET.sign(TEXT, high_s=True), "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, GOOD[:63], "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, bytes(64), "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, GOOD[:32] + bytes(32), "BAD_SIGNATURE"),
        (WALLET.address, WALLET.public_key, ORDER.to_bytes(32, "big") + GOOD[32:], "BAD_SIGNATURE"),
        (WALLET.address, b"\x04" + WALLET.public_key[1:], GOOD, "BAD_KEY"),
        (WALLET.address, WALLET.public_key[:32], GOOD, "BAD_KEY"),
        (WALLET.address, b"", GOOD, "BAD_KEY"),
        (address_of(NO_POINT), NO_POINT, GOOD, "BAD_KEY"),
        (WALLET.address, b"\x02" + b"\xff" * 32, GOOD, "BAD_KEY"),
    ],
)
def test_what_proves_nothing_is_refused(
    address: str, key: bytes, signature: bytes, code: str
) -> None:
    with pytest.raises(LinkRefused) as refused:
        verify(address, TEXT, key, signature)
    assert refused.value.code == code
