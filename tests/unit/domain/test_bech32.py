import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import bech32
from domain.errors import InputError

DATA = "00443214c74254b635cf84653a56d7c675be77df"
VALID = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"
"""Of BIP-173, as are those below."""


def test_the_vectors_of_the_standard() -> None:
    assert bech32.decode("abcdef", VALID) == bytes.fromhex(DATA)
    assert bech32.encode("abcdef", bytes.fromhex(DATA)) == VALID
    assert bech32.decode("a", "a12uel5l") == b""
    assert bech32.encode("?", b"") == "?1ezyfcl"


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("split", "split1cheo2y9e2w"),  # a character that is none
        ("a", "A1G7SGD8"),
        ("li", "li1dgmt3"),  # too short for a checksum
        ("x", "x1b4n0q5v"),
        ("dydx", VALID),
        ("abcdef", VALID.upper()),
        ("abcdef", VALID[:-1] + "q"),
        ("abcdef", VALID + "q"),
        ("abcdef", ""),
        ("abcdef", "abcdef1"),
        # The checksum is right, and bits are left over: five, or some that are not zero.
        ("a", "a1lmyple6"),
        ("a", "a1qpamnt9j"),
    ],
)
def test_what_is_no_address_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(InputError) as refused:
        bech32.decode(prefix, text)
    assert refused.value.code == "BAD_ADDRESS"


@given(st.binary(max_size=32), st.integers(0, 200), st.sampled_from("qpzry9x8gf2tvdw0s3jn54kh"))
def test_what_was_encoded_is_decoded_and_one_wrong_character_is_noticed(
    data: bytes, place: int, char: str
) -> None:
    text = bech32.encode("dydx", data)
    assert bech32.decode("dydx", text) == data
    place = 5 + place % (len(text) - 5)
    changed = text[:place] + char + text[place + 1 :]
    if changed != text:
        with pytest.raises(InputError):
            bech32.decode("dydx", changed)
