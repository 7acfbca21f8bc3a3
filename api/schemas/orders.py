"""Orders: what is asked for, and what is told of them."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from api.schemas.base import (
    AMOUNT,
    DecimalText,
    Instant,
    Read,
    Said,
    Told,
    amount,
    anchored,
    matching,
    one_of,
    refused,
    text,
)
from api.schemas.claim_rows import ClaimRow, DueRow, KeptRow
from api.schemas.paging import TIME_SCHEMA, Limited, place_cursor, time_us
from api.schemas.routing import Flag, Name, whole
from connectors import registry
from db.instants import instant
from domain.orders import MAX_SLIPPAGE_BPS, Approval, Intent, OrderState

MAX_LEG: Final = 15
MAX_SUBACCOUNT: Final = 128_000
MAX_RAW_BYTES: Final = 16_384
MAX_VERSION: Final = 1_000_000
MAX_TIMEOUT_S: Final = 86_400
_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RAW: Final = r"(0x([0-9A-Fa-f]{2})+|[A-Za-z0-9+/]+={0,2})"
_RAW: Final = re.compile(RAW, re.ASCII)
_SIGNING: Final = ("wallet", "delegated")
_STEPS: Final = ("approve", "order", "cancel", "update")
_VERSION: Final = re.compile(r"0|[1-9]\d{0,6}", re.ASCII)


def _raw(value: Any) -> str:
    if len(text(value)) > 2 * MAX_RAW_BYTES + 2 or not _RAW.fullmatch(value):
        raise refused("BAD_TRANSACTION", "0x and whole bytes in hex, or base64")
    return str(value)


def _deadline(value: Any) -> datetime:
    return instant(time_us(value))


def _wait_version(value: Any) -> int:
    if not _VERSION.fullmatch(text(value)) or int(value) > MAX_VERSION:
        raise refused("OUT_OF_RANGE", f"an integer from 0 to {MAX_VERSION}")
    return int(value)


def _slippage(value: Any) -> Decimal:
    found = _exit(value)
    if found >= MAX_SLIPPAGE_BPS:
        raise refused("OUT_OF_RANGE", f"less than {MAX_SLIPPAGE_BPS}")
    return found


def _exit(value: Any) -> Decimal:
    return amount(value, "BAD_AMOUNT", "a plain decimal")


def _term(value: Any) -> Decimal:
    found = _exit(value)
    if not found:
        raise refused("BAD_AMOUNT", "more than nothing")
    return found


def _boolean(value: Any) -> bool:
    if text(value) not in ("true", "false"):
        raise refused("WRONG_TYPE", "true or false")
    return bool(value == "true")


_BOOLEAN: Final = {"type": "string", "enum": ["true", "false"]}
_HEX: Final = r"(3\d|6[1-6])"
_UUID_CURSOR: Final = rf"{_HEX}{{8}}(2d{_HEX}{{4}}){{3}}2d{_HEX}{{12}}"
_TEXT_CURSOR: Final = r"([2-7][0-9a-f]){1,160}"
OrderCursor = Annotated[tuple[int, str] | None, place_cursor(_UUID_CURSOR)]
FillCursor = Annotated[tuple[int, str] | None, place_cursor(_TEXT_CURSOR)]
Uuid = Annotated[str, matching(_UUID, "BAD_ID", "not an id")]
ClientOrderId = Annotated[
    str, matching("[!-~]{1,64}", "BAD_CLIENT_ORDER_ID", "1 to 64 printable ASCII characters")
]
Owner = Annotated[str, matching("[0-9A-Za-z]{1,80}", "NO_ADDRESS", "expected an address")]
TxHash = Annotated[str, matching("0x[0-9A-Fa-f]{64}", "BAD_HASH", "0x and 64 digits in hex")]
RawTransaction = Annotated[
    str,
    Read(
        _raw,
        {
            "type": "string",
            "maxLength": 2 * MAX_RAW_BYTES + 2,
            "pattern": anchored(RAW),
            "examples": ["0x02f8"],
        },
    ),
]
Venue = Annotated[str, one_of(tuple(registry.VENUES), "UNKNOWN_VENUE")]
_AMOUNT: Final = {"type": "string", "pattern": anchored(AMOUNT), "examples": ["50"]}
Slippage = Annotated[Decimal, Read(_slippage, _AMOUNT)]
Term = Annotated[Decimal | None, Read(_term, _AMOUNT)]
Exit = Annotated[Decimal | None, Read(_exit, _AMOUNT)]
Deadline = Annotated[datetime, Read(_deadline, TIME_SCHEMA)]
_MOST_VERSION: Final = {"type": "integer", "minimum": 1, "maximum": MAX_VERSION}


class OwnerBody(Said):
    address: Owner
    subaccount_number: Annotated[
        int | None,
        Read(
            whole(0, MAX_SUBACCOUNT),
            {"type": "integer", "minimum": 0, "maximum": MAX_SUBACCOUNT},
        ),
    ] = Field(default=None, description="of dYdX alone")


class OrderBody(Said):
    quote_id: Uuid
    leg: Annotated[
        int, Read(whole(0, MAX_LEG), {"type": "integer", "minimum": 0, "maximum": MAX_LEG})
    ] = Field(default=0, description="of the quote's legs; one order each")
    client_order_id: ClientOrderId | None = None
    signing: Annotated[Literal["wallet", "delegated"], one_of(_SIGNING, "UNKNOWN_SIGNING")] = Field(
        default="wallet", description="delegated is not offered yet: 422 NOT_SUPPORTED"
    )
    owner: OwnerBody | None = Field(
        default=None, description="a wallet of the account; without it the one that signs in"
    )
    allow_reroute: Flag = False
    approval: Annotated[Approval, one_of(get_args(Approval), "UNKNOWN_APPROVAL")] = "exact"
    deadline: Deadline | None = Field(
        default=None, description="nothing is sent after it; at most a day, 5 minutes without it"
    )


class AmendBody(Said):
    """What is to be another from now on; the rest stays."""

    limit_price: Term = Field(default=None, description="of an order that has one")
    trigger_price: Term = Field(default=None, description="of stop and take_profit")
    size_base: Term = Field(default=None, description="once it rests, where the venue changes it")
    take_profit: Exit = Field(default=None, description="of an opening; 0: none")
    stop_loss: Exit = Field(default=None, description="of an opening; 0: none")


class SubmissionBody(Said):
    """One of ``raw_transaction`` and ``tx_hash``."""

    step_id: Annotated[
        Literal["approve", "order", "cancel", "update"], one_of(_STEPS, "UNKNOWN_STEP")
    ]
    step_version: Annotated[int, Read(whole(1, MAX_VERSION), _MOST_VERSION)]
    raw_transaction: RawTransaction | None = Field(default=None, description="signed, not sent")
    tx_hash: TxHash | None = Field(default=None, description="of what a wallet has sent itself")


class CancelBody(Said):
    """Nothing: every order that lives."""

    market: Name | None = Field(default=None, examples=["BTC-USD"])
    venue: Venue | None = None


class FlattenBody(Said):
    """Nothing: every position."""

    market: Name | None = Field(default=None, examples=["BTC-USD"])
    venue: Venue | None = None
    slippage_bps: Slippage = Field(default=Decimal(50), description="from the price of now")
    any_price: Flag = Field(
        default=False, description="also what has no price now, and then at any price"
    )


class PauseBody(Said):
    paused: Flag = True


class HeartbeatBody(Said):
    timeout_s: Annotated[
        int,
        Read(
            whole(0, MAX_TIMEOUT_S),
            {"type": "integer", "minimum": 0, "maximum": MAX_TIMEOUT_S},
        ),
    ] = Field(description="heard again within it, or all orders are asked to go; 0: off")


class OrderPath(Said):
    id: Annotated[str, matching(_UUID, "NO_ID", "no id of an order")]


class OrdersQuery(Limited):
    cursor: OrderCursor = Field(default=None, description="next_cursor of the page before")
    client_order_id: ClientOrderId | None = Field(default=None, description="of one order")
    market: Name | None = Field(default=None, description="of one market")
    venue: Venue | None = Field(default=None, description="of one venue")
    state: Annotated[OrderState | None, one_of(get_args(OrderState), "UNKNOWN_STATE")] = None
    terminal: Annotated[bool | None, Read(_boolean, _BOOLEAN)] = Field(
        default=None, description="false: those that live; true: those that have ended"
    )


class FillsQuery(Limited):
    cursor: FillCursor = Field(default=None, description="next_cursor of the page before")
    market: Name | None = Field(default=None, description="of one market")
    venue: Venue | None = Field(default=None, description="of one venue")
    order_id: Uuid | None = Field(default=None, description="of one order")


class WaitQuery(Said):
    wait_version: Annotated[
        int | None, Read(_wait_version, {"type": "string", "pattern": "^(0|[1-9][0-9]{0,6})$"})
    ] = Field(default=None, description="answered at this version or after 20 s")


# Answers ------------------------------------------------------------------------------------------


class ReasonRow(Told):
    code: str
    message: str
    venue_code: str | None


class AmendmentRow(Told):
    """A change that was asked for. null: stays as it is; take_profit and stop_loss 0: none."""

    seq: int = Field(description="the version of the order that asked for it")
    at: Instant
    status: Literal["asked", "superseded", "applied", "refused"]
    limit_price: DecimalText | None
    trigger_price: DecimalText | None
    size_base: DecimalText | None
    take_profit: DecimalText | None
    stop_loss: DecimalText | None
    reason: ReasonRow | None


class SimulationRow(Told):
    ok: bool
    block_number: int | str
    claims: list[DueRow] | None = Field(default=None, description="what a claim of GMX would pay")


class StepRow(Told):
    """``not_before``: blocked until then, because the venue takes it no earlier. ``tx``: of
    ``evm_tx``: chain_id, from, to, value, data, nonce, gas, type, max_fee_per_gas,
    max_priority_fee_per_gas."""

    id: Literal["approve", "order", "cancel", "update"]
    kind: Literal["evm_tx", "cosmos_direct"]
    version: int
    status: Literal["ready", "blocked", "submitted", "done", "expired", "failed"]
    blocked_by: str | None
    not_before: Instant | None
    sign_by: Instant
    tx: dict[str, Any] | None = None
    cosmos: dict[str, Any] | None = None
    expires: dict[str, Any] | None = None
    simulation: SimulationRow | None


class AttemptRow(Told):
    step_id: str
    step_version: int
    tx_hash: str
    nonce: DecimalText
    status: Literal["stored", "sent", "mined", "reverted", "replaced", "dropped"]
    block_number: DecimalText | None


class OrderFillRow(Told):
    id: str
    price: DecimalText
    size_base: DecimalText
    fee_usd: DecimalText | None
    impact_usd: DecimalText | None
    tx_hash: str
    log_index: int
    at: Instant


class FillRow(OrderFillRow):
    order_id: str
    market: str
    venue: str
    chain_id: int | str
    side: Literal["BUY", "SELL"]
    funding_usd: DecimalText | None
    borrowing_usd: DecimalText | None
    pnl_usd: DecimalText | None


class EventRow(Told):
    seq: int
    at: Instant
    type: str
    from_: OrderState | None = Field(alias="from")
    to: OrderState


class OrderRow(Told):
    id: str
    client_order_id: str | None
    group_id: str = Field(description="of all orders of one quote")
    version: int
    state: OrderState
    venue_state: Literal["created", "executed", "cancelled", "frozen"] | None
    terminal: bool
    final: bool
    reason: ReasonRow | None
    market: str
    venue: str
    chain_id: int | str
    pool: str | None
    side: Literal["BUY", "SELL"] = Field(
        description="of a claim without a position it says nothing"
    )
    intent: Intent
    type: Literal["market", "limit", "stop", "take_profit"]
    size_base: DecimalText
    filled_base: DecimalText
    average_price: DecimalText | None
    limit_price: DecimalText | None
    trigger_price: DecimalText | None
    guard_price: DecimalText | None = Field(description="a fill is never worse; null: any price")
    take_profit: DecimalText | None
    stop_loss: DecimalText | None
    owner: str
    signing: Literal["wallet", "delegated"]
    approval: Approval
    allow_reroute: bool
    deadline: Instant
    cancel_requested: bool
    venue_refs: dict[str, str]
    steps: list[StepRow]
    attempts: list[AttemptRow]
    fills: list[OrderFillRow]
    claims: list[ClaimRow]
    kept: list[KeptRow]
    events: list[EventRow]
    amendments: list[AmendmentRow]
    created_at: Instant
    updated_at: Instant


class CancelRequested(Told):
    order_ids: list[str] = Field(description="at most 1000; ask again while there are any")


class SkippedRow(Told):
    """A position that got no order."""

    market: str
    venue: str
    chain_id: int | str
    pool: str | None
    side: Literal["LONG", "SHORT"]
    size_base: DecimalText | None = Field(description="null: the venue's contract has it")
    code: str = Field(description="CLOSING, AGAIN, or why it has no price now")
    message: str


class SourceRow(Told):
    """Who said what is held: the venue's contract, or where no node answered our own fills."""

    venue: str
    chain_id: int | str
    source: Literal["chain", "fills"]


class Flattened(Told):
    orders: list[OrderRow]
    skipped: list[SkippedRow]
    sources: list[SourceRow]


class Paused(Told):
    paused: bool
    since: Instant | None


class HeartbeatState(Told):
    timeout_s: int
    expires_at: Instant | None = Field(description="when it lapses; null: it is off")
    lapsed_at: Instant | None = Field(description="when it last did; null: never")
