"""Fees grow by the rule and never above the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InputError
from execution.gas import GWEI, FeeRules, Fees, bumped, first_fees, rules_of

POLYGON = rules_of(137)
WEI = st.integers(0, 5_000 * GWEI)


def test_by_hand() -> None:
    assert first_fees(100 * GWEI, 30 * GWEI, POLYGON) == Fees(230 * GWEI, 30 * GWEI)
    assert bumped(Fees(230 * GWEI, 30 * GWEI), 100 * GWEI, 30 * GWEI, POLYGON) == Fees(
        253 * GWEI, 33 * GWEI
    )
    # The market moved further than a tenth.
    assert bumped(Fees(230 * GWEI, 30 * GWEI), 200 * GWEI, 60 * GWEI, POLYGON) == Fees(
        460 * GWEI, 60 * GWEI
    )
    assert first_fees(1999 * GWEI, 25 * GWEI, POLYGON) is None
    assert bumped(Fees(1_900 * GWEI, 30 * GWEI), 100 * GWEI, 0, POLYGON) is None


def test_rounding_of_a_tenth_is_up_and_nothing_still_grows() -> None:
    rules = FeeRules("bump", 10**9, 0)
    assert bumped(Fees(11, 1), 0, 0, rules) == Fees(13, 2)
    assert bumped(Fees(0, 0), 0, 0, rules) == Fees(1, 1)


@given(WEI, WEI, WEI, WEI)
def test_a_replacement_is_one_and_is_paid_for(base: int, tip: int, base2: int, tip2: int) -> None:
    fees = first_fees(base, tip, POLYGON)
    while fees is not None:
        assert POLYGON.min_tip_wei <= fees.tip_wei <= fees.max_fee_wei <= POLYGON.cap_wei
        following = bumped(fees, base2, tip2, POLYGON)
        if following is None:
            return
        # What geth and bor ask of a replacement.
        assert following.max_fee_wei * 100 >= fees.max_fee_wei * 110
        assert following.tip_wei * 100 >= fees.tip_wei * 110
        fees = following


def test_the_sequencer_gets_the_same_bytes_again() -> None:
    assert rules_of(42161).resend == "same_bytes"
    with pytest.raises(InputError) as caught:
        bumped(Fees(1, 0), 1, 0, rules_of(42161))
    assert caught.value.code == "NO_REPLACEMENT"


def test_bad_input() -> None:
    for fees in ((-1, 0), (0, -1)):
        with pytest.raises(InputError):
            first_fees(*fees, POLYGON)
    with pytest.raises(InputError) as caught:
        rules_of(1)
    assert caught.value.code == "UNKNOWN_CHAIN"
