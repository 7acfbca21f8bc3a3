"""What was signed for a step: taken, or refused before anything can happen."""

import asyncio
import importlib
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from api.problems import Invalid, Issue, Unavailable
from api.schemas.orders import SubmissionBody
from db import order_changes, tx_attempts
from db.order_views import OrderView, StepView
from db.tx_attempts import Attempt
from domain.errors import InputError
from domain.orders import TERMINAL, Reason
from runtime.sealing import Seal

MAX_ATTEMPTS: Final = 16
"""Transactions of one step: every one of them is sent and watched."""
WORKERS: Final = 4
WAITING_BOUND: Final = 64
_MODULE: Final = "api.orders.signed"
_PLACES: Final = frozenset({"approve", "order"})
"""Steps that a position may be opened by."""

_waiting = 0
_workers = asyncio.Semaphore(WORKERS)


class Sent(NamedTuple):
    """``signed``: of ``api.orders.signed``, None where only a hash is known. ``sealed``: its
    bytes."""

    tx_hash: str
    signed: Any
    sealed: bytes | None


async def read(body: SubmissionBody, seal: Seal | None) -> Sent:
    """Raises Invalid, what ``signed.decode`` raises, and Unavailable ``SEALING_OFF``, ``BUSY``."""
    if (body.raw_transaction is None) == (body.tx_hash is None):
        raise Invalid([Issue("body", "ONE_OF", "one of raw_transaction and tx_hash")])
    if body.tx_hash is not None:
        return Sent(body.tx_hash.lower(), None, None)
    if seal is None:
        raise Unavailable("SEALING_OFF", "this server has no key to seal transactions with")
    signed = await _in_thread(str(body.raw_transaction))
    raw = bytes.fromhex(str(body.raw_transaction)[2:])
    return Sent(signed.tx_hash, signed, seal.seal(raw, signed.tx_hash.encode()))


async def take(
    connection: asyncpg.Connection,
    view: OrderView,
    body: SubmissionBody,
    sent: Sent,
    now: datetime,
    *,
    paused: bool,
    stopped: Reason | None = None,
) -> bool:
    """Keeps it and tells the executor, in a transaction of the caller that holds the order. False
    where it was taken before: nothing is changed. Raises InputError."""
    # What was found not to be the step may be another one.
    standing = (item for item in view.attempts if item.status != "dropped")
    if any(item.tx_hash == sent.tx_hash for item in standing):
        return False
    step = _step(view, body)
    _require_open(view, step, now, paused=paused, stopped=stopped)
    tx = step.payload
    if sent.signed is not None:
        signed = importlib.import_module(_MODULE)
        signed.differences(sent.signed, tx, signed.step_of(step.step_id, tx))
    if sum(item.step_id == step.step_id for item in view.attempts) >= MAX_ATTEMPTS:
        raise InputError("TOO_MANY_ATTEMPTS", f"at most {MAX_ATTEMPTS} transactions of a step")
    row = view.row
    attempt = Attempt(
        chain_id=int(tx["chain_id"]),
        tx_hash=sent.tx_hash,
        order_id=row.new.id,
        step_id=step.step_id,
        step_version=step.version,
        sender=str(tx["from"]),
        nonce=int(tx["nonce"]),
        raw=sent.sealed,
        stored_at=now,
        max_fee_wei=None if sent.signed is None else sent.signed.max_fee_wei,
        tip_wei=None if sent.signed is None else sent.signed.tip_wei,
    )
    if not await tx_attempts.add(connection, attempt):
        raise InputError("TRANSACTION_KNOWN", "the transaction was given for another order")
    await order_changes.notify(connection, row.new.id, row.version, now)
    return True


def _step(view: OrderView, body: SubmissionBody) -> StepView:
    """Raises InputError ``ORDER_TERMINAL``, ``STEP_SUPERSEDED``, ``NOT_SUPPORTED``, and Invalid for
    a step that never was."""
    # Exits that were left at the venue are cancelled after the order they belong to.
    if view.row.state in TERMINAL and body.step_id != "cancel":
        raise InputError("ORDER_TERMINAL", f"the order is {view.row.state}")
    step = next((item for item in view.steps if item.step_id == body.step_id), None)
    if step is None:
        raise Invalid([Issue("body.step_id", "UNKNOWN_STEP", "the order has no such step now")])
    if body.step_version > step.version:
        raise Invalid([Issue("body.step_version", "UNKNOWN_STEP", f"it has {step.version}")])
    if body.step_version < step.version:
        raise InputError("STEP_SUPERSEDED", f"the step has version {step.version} now")
    if step.kind != "evm_tx":
        raise InputError("NOT_SUPPORTED", f"no {step.kind} is taken yet")
    return step


def _require_open(
    view: OrderView, step: StepView, now: datetime, *, paused: bool, stopped: Reason | None
) -> None:
    """Raises InputError ``STEP_BLOCKED``, ``SIGN_BY_PASSED``, ``STEP_SUPERSEDED``,
    ``OPENINGS_PAUSED``, and what the operators have stopped."""
    row = view.row
    if step.status == "blocked":
        why = f"{step.blocked_by} has to be mined before"
        if step.blocked_by is None:
            why = "the venue takes it no earlier than not_before"
        raise InputError("STEP_BLOCKED", why)
    places = step.step_id in _PLACES
    last = min(step.sign_by, row.new.deadline) if places else step.sign_by
    if now > last:
        raise InputError("SIGN_BY_PASSED", "the time to sign it is over")
    if step.status not in ("ready", "submitted"):
        raise InputError("STEP_SUPERSEDED", f"the step is {step.status}")
    if places and row.cancel_requested:
        raise InputError("STEP_SUPERSEDED", "the order is to be cancelled")
    if step.status == "ready" and _is_outdated(view, step):
        raise InputError("STEP_SUPERSEDED", "the order is to be changed: there will be another")
    if step.step_id != "cancel" and paused and not row.new.intent.reduces:
        raise InputError("OPENINGS_PAUSED", "the account opens nothing now")
    if places and stopped is not None:
        raise InputError(stopped.code, stopped.message)


def _is_outdated(view: OrderView, step: StepView) -> bool:
    """Whether a change was asked for that it does not have."""
    asked = next((item for item in view.amendments if item.status == "asked"), None)
    if asked is None or step.step_id == "cancel":
        return False
    return step.step_id != "update" or asked.step_version != step.version


async def _in_thread(text: str) -> Any:
    """Reading takes milliseconds, and the first import a second."""
    global _waiting
    if _waiting >= WAITING_BOUND:
        raise Unavailable("BUSY", "too many transactions are read now")
    _waiting += 1
    try:
        async with _workers:
            return await asyncio.to_thread(_decode, text)
    finally:
        _waiting -= 1


def _decode(text: str) -> Any:
    return importlib.import_module(_MODULE).decode(text)
