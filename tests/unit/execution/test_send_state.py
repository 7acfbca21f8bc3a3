"""One nonce: no hash is forgotten, and nothing is given up for what a single node says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.send_state import (
    SAFE_ABORT_COUNT,
    Inclusion,
    SendState,
    advice,
    answered,
    classify,
    excluded,
    head_advanced,
    included,
    sending,
)

RESEND_NS, GIVE_UP_NS = 5_000, 60_000
BLOCK = Inclusion(7, "0xb7")


def say(state: SendState, now_ns: int) -> str:
    return advice(state, now_ns, RESEND_NS, GIVE_UP_NS)


def sent(state: SendState, name: str, now_ns: int) -> SendState:
    return answered(sending(state, name, now_ns), name, None)


FIRST = sent(SendState(3), "0xa", 0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("already known", "already_known"),
        ("transaction already imported", "already_known"),
        ("Nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("replacement transaction underpriced", "underpriced"),
        ("max fee per gas less than block base fee: address", "underpriced"),
        ("insufficient funds for gas * price + value", "insufficient_funds"),
        ("intrinsic gas too low", "refused"),
        ("read timeout", "unclear"),
        ("", "unclear"),
    ],
)
def test_what_nodes_mean(text: str, kind: str) -> None:
    assert classify(text) == kind


def test_it_is_sent_again_after_our_own_time_and_only_when_the_chain_went_on() -> None:
    assert say(FIRST, RESEND_NS - 1) == "wait"
    assert say(FIRST, 10 * RESEND_NS) == "wait"
    moved = head_advanced(FIRST)
    assert say(moved, RESEND_NS - 1) == "wait"
    assert say(moved, RESEND_NS) == "send_again"
    # Sent again, its time starts anew, and so does waiting for a block.
    assert say(sent(moved, "0xa", RESEND_NS), 2 * RESEND_NS) == "wait"


def test_a_stale_head_bumps_nothing_and_a_replaced_hash_may_still_be_mined() -> None:
    """July 2026, a public bot: its age was counted from a stale head, so it replaced a transaction
    after 286 ms, forgot the first hash, and reported a mined transaction as dropped."""
    state = head_advanced(FIRST)
    assert say(state, 286) == "wait"
    state = sent(state, "0xb", RESEND_NS)
    assert state.hashes == ("0xa", "0xb")
    state = included(state, "0xa", BLOCK)
    for _ in range(SAFE_ABORT_COUNT):
        state = answered(state, "0xb", "nonce_too_low")
    assert say(state, 10**9) == "wait"
    assert state.mined == {"0xa": BLOCK}


def test_a_nonce_too_low_is_believed_when_it_was_said_often_enough() -> None:
    state = FIRST
    for _ in range(SAFE_ABORT_COUNT - 1):
        state = answered(state, "0xa", "nonce_too_low")
        assert say(state, 1) == "wait"
    assert say(answered(state, "0xa", "nonce_too_low"), 1) == "stop_nonce_used"


def test_a_receipt_and_a_reorganisation_begin_the_count_anew() -> None:
    state = FIRST
    for _ in range(SAFE_ABORT_COUNT):
        state = answered(state, "0xa", "nonce_too_low")
    state = excluded(included(state, "0xa", BLOCK), "0xa")
    assert (state.mined, state.nonce_too_low, say(state, 1)) == ({}, 0, "wait")
    # It is not forgotten: it can be mined again.
    assert state.hashes == ("0xa",)
    assert say(head_advanced(state), RESEND_NS) == "send_again"


def test_known_already_is_a_success() -> None:
    state = answered(sending(SendState(1), "0xa", 0), "0xa", "already_known")
    assert state.may_be_out
    assert say(state, GIVE_UP_NS) == "wait"


def test_what_every_node_refused_is_given_up_but_a_timeout_is_no_refusal() -> None:
    state = answered(sending(SendState(1), "0xa", 0), "0xa", "insufficient_funds")
    assert say(state, RESEND_NS) == "send_again"
    state = answered(sending(state, "0xa", RESEND_NS), "0xa", "refused")
    assert say(state, GIVE_UP_NS) == "stop_never_published"
    doubtful = answered(sending(state, "0xa", RESEND_NS), "0xa", "unclear")
    assert say(head_advanced(doubtful), GIVE_UP_NS) == "send_again"


def test_an_underpriced_one_does_not_wait_for_a_block() -> None:
    assert say(answered(FIRST, "0xa", "underpriced"), RESEND_NS) == "send_again"


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "take", "low", "unclear", "mine", "reorg", "head"]),
        st.sampled_from(["0xa", "0xb", "0xc"]),
    ),
    max_size=25,
)


@given(ACTS)
def test_no_hash_is_ever_forgotten_nor_given_up_while_one_is_mined(
    acts: list[tuple[str, str]],
) -> None:
    state, now, known, mined = SendState(0), 0, set(), set()
    for act, name in acts:
        now += 1_000
        if act == "send":
            state = sending(state, name, now)
            known.add(name)
        elif act == "head":
            state = head_advanced(state)
        elif name in known:
            if act == "mine":
                state = included(state, name, BLOCK)
                mined.add(name)
            elif act == "reorg":
                state = excluded(state, name)
                mined.discard(name)
            else:
                errors = {"take": None, "low": "nonce_too_low", "unclear": "unclear"}
                state = answered(state, name, errors[act])  # type: ignore[arg-type]
        assert set(state.hashes) == known
        assert set(state.mined) == mined
        if mined:
            assert say(state, 10**12) == "wait"
