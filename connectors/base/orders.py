"""What a venue offers to whoever places orders there: pure functions between intents and bytes.

Whoever calls does all I/O: makes the ``reads`` at one block, simulates, reserves nonces, sets fees,
signs, sends, and fetches logs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Protocol, TypeAlias

from domain.ids import VenueId
from domain.orders import Approval, OrderIntent, OrderLeg, PriceGuard, Reason
from domain.outcomes import ClaimKind, VenueOutcome

StepId: TypeAlias = Literal["approve", "order", "cancel", "update"]
TAG_BYTES: Final = 32
"""An order's tag stands behind the arguments of its calldata; decoders ignore it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A new order. ``tag``: TAG_BYTES, of this order alone. ``owner``: whose position it is,
    checksummed. ``approval``: how much the venue may be allowed to take. ``kept``: of a claim, what
    the venue called all that it kept back (``domain.outcomes.Kept``), also what was paid since."""

    tag: bytes
    owner: str
    intent: OrderIntent
    leg: OrderLeg
    approval: Approval = "exact"
    kept: tuple[str, ...] = ()

    @property
    def claims(self) -> bool:
        """Whether it trades nothing, but takes out what is due."""
        return self.intent.intent == "claim"


@dataclass(frozen=True, slots=True)
class Cancel:
    """Of an order that rests or waits. ``refs``: its own names at the venue, as ``refs_of`` gave
    them."""

    tag: bytes
    owner: str
    intent: OrderIntent
    leg: OrderLeg
    refs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Update:
    """``intent`` and ``leg`` are what it is to be from now on."""

    tag: bytes
    owner: str
    intent: OrderIntent
    leg: OrderLeg
    refs: Mapping[str, str]


OrderRequest: TypeAlias = Place | Cancel | Update


@dataclass(frozen=True, slots=True)
class Call:
    """An ``eth_call``. ``sender``: None where it does not matter."""

    to: str
    data: bytes
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What is known of the chain when steps are built, all of one block.

    ``fee_per_gas_wei``: what the transaction will pay at most, which keeper fees are made from.
    ``native_balance_wei``: of the owner. ``answers``: one for each of ``reads``, in their order;
    None where the call reverted.
    """

    chain_id: int
    block_number: int
    block_time_s: int
    fee_per_gas_wei: int
    native_balance_wei: int
    answers: tuple[bytes | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """What a claim pays on the state it was built from. ``amount``: units of ``symbol``."""

    kind: ClaimKind
    symbol: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction to be signed, without nonce and fees. ``gas``: a guess that is enough where it
    cannot be estimated. ``guard``: the bound of the price, of an order and an update. ``due``: of a
    claim, where the chain says so before."""

    id: StepId
    to: str
    value_wei: int
    data: bytes
    gas: int
    guard: PriceGuard | None = None
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed or mined transaction, decoded. ``to`` is None of one that creates a contract."""

    chain_id: int
    sender: str
    to: str | None
    value_wei: int
    data: bytes
    nonce: int
    gas: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is to be signed. ``code``: ours (``BALANCE``, ``MIN_SIZE``, ...). ``from_s``:
    Unix time from which on this does not speak against it any more; None where that is not known.
    """

    code: str
    message: str
    from_s: int | None = None


@dataclass(frozen=True, slots=True)
class ChainLog:
    """A log as a node gives it. ``topics`` and ``data`` as bytes, addresses checksummed, hashes as
    0x-strings."""

    chain_id: int
    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


class OrderBuilder(Protocol):
    """Pure: nothing is fetched, no clock is read; the tables of markets and addresses it needs it
    was made with.

    ``reads``: the calls whose answers ``check`` and ``build`` need. ``check``: all that speaks
    against signing, empty when nothing does; exits are not refused for want of a quote or of depth.
    ``guard``: the bound as it will stand in the calldata. ``build``: the steps in their order, an
    ``approve`` only when the allowance does not reach; raises InputError for what the venue does
    not offer and for what does not fit a field.
    ``verify``: the name of the first field of a transaction that differs from the step (nonce and
    fees are not its business), None when it is the step. ``decode``: outcomes of the venue's orders
    in these logs, in their order, whoever's they are; logs of others are skipped, one that is the
    venue's and cannot be read raises VenueProtocolError. ``refs_of``: what to keep of an outcome to
    cancel, update or find the order again.

    ``resizes``: whether the size of an order that waits can be changed.

    ``log_addresses`` and ``log_topics``: what to ask the nodes of a chain for; ``log_topic_place``:
    which of a log's topics that is, from 0. ``reason``: why a call reverted, by what it returned.
    """

    venue: VenueId
    log_topic_place: int
    resizes: bool

    def reads(self, request: OrderRequest) -> Sequence[Call]: ...
    def check(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Refusal]: ...
    def guard(self, intent: OrderIntent, leg: OrderLeg) -> PriceGuard: ...
    def build(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Step]: ...
    def verify(self, step: Step, transaction: Transaction) -> str | None: ...
    def log_addresses(self, chain_id: int) -> Sequence[str]: ...
    def log_topics(self, chain_id: int) -> Sequence[bytes]: ...
    def decode(self, logs: Sequence[ChainLog]) -> Sequence[VenueOutcome]: ...
    def refs_of(self, outcome: VenueOutcome) -> Mapping[str, str]: ...
    def reason(self, data: bytes) -> Reason: ...


def differing_field(step: Step, transaction: Transaction) -> str | None:
    """``OrderBuilder.verify`` where a step has to be sent exactly as it stands."""
    if transaction.to is None or transaction.to.lower() != step.to.lower():
        return "to"
    if transaction.value_wei != step.value_wei:
        return "value"
    if transaction.data != step.data:
        return "data"
    return None


def carries_tag(data: bytes, tag: bytes) -> bool:
    """Whether calldata is of the order with this tag, also inside that of a contract wallet."""
    return tag in data
