"""The tag behind calldata: found again, told from other calldata, put there once."""

import pytest

from connectors.base.order_tag import PREFIX, order_tag, tag_of, untagged, with_tag
from domain.errors import InputError, InvariantViolation

CANCEL = bytes.fromhex("7489ec23") + b"\x07" * 32
TAG = order_tag("ord_1")


def test_a_tag_comes_behind_the_arguments_and_is_found_there() -> None:
    data = with_tag(CANCEL, TAG)
    assert data == CANCEL + TAG
    assert tag_of(data) == TAG
    assert untagged(data) == CANCEL


def test_a_tag_is_the_prefix_and_a_hash_of_the_order() -> None:
    # printf ord_1 | sha256sum
    digest = "341fb35e2c016788d2106af198a41b2e61581e5d018095fb"
    assert PREFIX + bytes.fromhex(digest) == TAG
    assert order_tag("ord_2") != TAG


def test_other_calldata_has_no_tag() -> None:
    assert tag_of(CANCEL) is None
    assert untagged(CANCEL) == CANCEL
    assert tag_of(b"") is None
    # As long as a tag, and without a function in front.
    assert tag_of(TAG) is None


@pytest.mark.parametrize(
    ("data", "tag"),
    [(CANCEL, TAG[:-1]), (CANCEL, b""), (CANCEL + b"\0", TAG), (b"", TAG)],
)
def test_what_is_no_tag_or_no_calldata_is_refused(data: bytes, tag: bytes) -> None:
    with pytest.raises(InvariantViolation) as refused:
        with_tag(data, tag)
    assert refused.value.code == "BAD_TAG"


def test_calldata_is_tagged_once() -> None:
    with pytest.raises(InvariantViolation):
        with_tag(with_tag(CANCEL, TAG), TAG)


def test_an_order_needs_an_id() -> None:
    with pytest.raises(InputError) as refused:
        order_tag("")
    assert refused.value.code == "BAD_ORDER_ID"
