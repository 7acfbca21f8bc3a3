"""One nonce and everything that was ever published for it. Pure.

Every hash counts until one of them is mined: a replacement does not make the one before it
impossible. That a nonce is too low proves nothing by itself: often it is our own transaction that
used it, and the node that said so is ahead of the one that knows receipts.

Source: Optimism's transaction manager (op-service/txmgr, ``send_state.go``) for the counting of
errors; times are those of our own clock, never those of heads, which may be stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

SendError: TypeAlias = Literal[
    "already_known", "nonce_too_low", "underpriced", "insufficient_funds", "refused", "unclear"
]
"""``refused``: the node says that it can never be. ``unclear``: a timeout, a node that is down."""

Advice: TypeAlias = Literal["wait", "send_again", "stop_nonce_used", "stop_never_published"]

SAFE_ABORT_COUNT: Final = 3
"""So often a nonce may be too low, with no hash of ours mined, before it is believed."""

_TEXTS: Final[tuple[tuple[str, SendError], ...]] = (
    ("already known", "already_known"),
    ("already imported", "already_known"),
    ("known transaction", "already_known"),
    ("nonce too low", "nonce_too_low"),
    ("nonce is too low", "nonce_too_low"),
    ("underpriced", "underpriced"),
    ("max fee per gas less than block base fee", "underpriced"),
    ("insufficient funds", "insufficient_funds"),
    ("intrinsic gas too low", "refused"),
    ("exceeds block gas limit", "refused"),
    ("invalid sender", "refused"),
    ("invalid signature", "refused"),
)


def classify(text: str) -> SendError:
    """What a node means by refusing a transaction. What nobody knows is ``unclear``: a transaction
    that may have been taken is never given up for a text."""
    lowered = text.lower()
    return next((kind for part, kind in _TEXTS if part in lowered), "unclear")


@dataclass(frozen=True, slots=True)
class Published:
    """``first_ns``, ``sent_ns``: when it was first and last sent, monotonic. ``accepted``: some
    node took it. ``doubtful``: a node did not say, so one may have."""

    tx_hash: str
    first_ns: int
    sent_ns: int
    accepted: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Inclusion:
    block_number: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class SendState:
    """``published``: by hash, in the order of the first sending. ``mined``: where each is that is
    in a block now; several only while nodes disagree. ``heads``: new blocks seen since the last
    sending."""

    nonce: int
    published: Mapping[str, Published] = field(default_factory=lambda: MappingProxyType({}))
    mined: Mapping[str, Inclusion] = field(default_factory=lambda: MappingProxyType({}))
    nonce_too_low: int = 0
    heads: int = 0
    underpriced: bool = False

    @property
    def hashes(self) -> tuple[str, ...]:
        return tuple(self.published)

    @property
    def is_waiting_for_depth(self) -> bool:
        """One of ours is in a block: nothing is sent, whatever anybody says of the nonce."""
        return bool(self.mined)

    @property
    def may_be_out(self) -> bool:
        """Some node has one of them, or may have."""
        return any(sent.accepted or sent.doubtful for sent in self.published.values())


def sending(state: SendState, tx_hash: str, now_ns: int) -> SendState:
    """Before it goes out: from here on this hash may be mined."""
    known = state.published.get(tx_hash, Published(tx_hash, now_ns, now_ns))
    sent = replace(known, sent_ns=now_ns)
    published = MappingProxyType({**state.published, tx_hash: sent})
    return replace(state, published=published, heads=0, underpriced=False)


def answered(state: SendState, tx_hash: str, error: SendError | None) -> SendState:
    """What a node said to it; None: taken. Raises KeyError for a hash that was never sent."""
    sent = state.published[tx_hash]
    if error in (None, "already_known", "unclear"):
        doubtful = sent.doubtful or error == "unclear"
        sent = replace(sent, accepted=sent.accepted or error != "unclear", doubtful=doubtful)
        return replace(state, published=MappingProxyType({**state.published, tx_hash: sent}))
    if error == "nonce_too_low":
        return replace(state, nonce_too_low=state.nonce_too_low + 1)
    return replace(state, underpriced=True) if error == "underpriced" else state


def included(state: SendState, tx_hash: str, inclusion: Inclusion) -> SendState:
    """A receipt. Raises KeyError for a hash that was never sent."""
    sent = replace(state.published[tx_hash], accepted=True)
    return replace(
        state,
        published=MappingProxyType({**state.published, tx_hash: sent}),
        mined=MappingProxyType({**state.mined, tx_hash: inclusion}),
        nonce_too_low=0,
    )


def excluded(state: SendState, tx_hash: str) -> SendState:
    """Its block is no more. What nodes said of the nonce meanwhile counts anew."""
    mined = {known: at for known, at in state.mined.items() if known != tx_hash}
    return replace(state, mined=MappingProxyType(mined), nonce_too_low=0, heads=0)


def head_advanced(state: SendState) -> SendState:
    """A block that is newer than every one before."""
    return replace(state, heads=state.heads + 1)


def advice(state: SendState, now_ns: int, resend_after_ns: int, give_up_after_ns: int) -> Advice:
    """What to do about the nonce now.

    ``send_again`` after ``resend_after_ns`` since the last sending by our own clock, and only when
    the chain went on meanwhile: where no block came, no transaction could have been mined.
    ``stop_nonce_used``: somebody else used the nonce, often enough said and none of ours mined.
    ``stop_never_published``: in ``give_up_after_ns`` since the first sending every node refused it,
    each time; a timeout is no refusal.
    """
    if state.is_waiting_for_depth or not state.published:
        return "wait"
    if state.nonce_too_low >= SAFE_ABORT_COUNT:
        return "stop_nonce_used"
    last = max(sent.sent_ns for sent in state.published.values())
    if not state.may_be_out:
        first = min(sent.first_ns for sent in state.published.values())
        if now_ns - first >= give_up_after_ns:
            return "stop_never_published"
    elif not state.heads and not state.underpriced:
        return "wait"
    return "send_again" if now_ns - last >= resend_after_ns else "wait"
