"""A transaction is the step, or it is not."""

from dataclasses import replace

import pytest

from connectors.base.orders import Step, Transaction, carries_tag, differing_field

TO = "0x7dE39FF2e232A2203196788d37e234cF8F1b83f1"
TAG = bytes(range(32))
STEP = Step("order", TO, 5, b"\xac\x96" + TAG, 2_000_000)
SENT = Transaction(42161, "0xAbc", TO.lower(), 5, STEP.data, 3, 1_900_000)


def test_the_step_itself_whatever_its_nonce_and_gas() -> None:
    assert differing_field(STEP, SENT) is None
    assert differing_field(STEP, replace(SENT, nonce=9, gas=1)) is None


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("to", replace(SENT, to=None)),
        ("to", replace(SENT, to="0x" + "1" * 40)),
        ("value", replace(SENT, value_wei=6)),
        ("data", replace(SENT, data=STEP.data[:-1])),
        ("data", replace(SENT, data=b"")),
    ],
)
def test_the_field_that_differs(field: str, sent: Transaction) -> None:
    assert differing_field(STEP, sent) == field


def test_a_tag_is_found_inside_the_call_of_a_contract_wallet() -> None:
    assert carries_tag(STEP.data, TAG)
    assert carries_tag(b"\x01" * 36 + STEP.data + b"\x00" * 20, TAG)
    assert not carries_tag(STEP.data, TAG[::-1])
