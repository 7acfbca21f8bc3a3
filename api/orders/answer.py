"""Orders and fills as JSON. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from db.instants import microseconds
from db.order_amendments import AmendmentRow
from db.order_views import AttemptView, FillView, OrderView, StepView
from db.orders import NewOrder, OrderRow, Told
from domain import order_facts
from domain.orders import TERMINAL, Reason
from domain.outcomes import Claimed, Kept
from domain.units import minimal
from runtime.clock import iso_ms


def accepted_row(new: NewOrder, now: datetime) -> dict[str, Any]:
    """A new order, as it is answered first."""
    row = OrderRow(
        new=new, version=1, state="accepted", phase="accepted", ending=None, reason=None,
        cancel_requested=False, cancel_sent=False, final=False, venue_refs={}, lease_epoch=0,
        created_at=now, updated_at=now, facts=frozenset(),
    )  # fmt: skip
    told = Told(1, now, "accepted", None, "accepted")
    return order_row(OrderView(row, (), (), (), (told,)))


def order_row(view: OrderView) -> dict[str, Any]:
    row, new = view.row, view.row.new
    intent, leg, facts = new.intent, new.leg, view.row.facts
    return {
        "id": new.id,
        "client_order_id": new.client_order_id,
        "group_id": new.group_id,
        "version": row.version,
        "state": row.state,
        "venue_state": order_facts.venue_state(facts),
        "terminal": row.state in TERMINAL,
        "final": row.final,
        "reason": _reason(order_facts.why(facts, row.reason)),
        "market": intent.market,
        "venue": leg.venue,
        "chain_id": leg.chain_id,
        "pool": leg.pool,
        "side": intent.side,
        "intent": intent.intent,
        "type": intent.type,
        "size_base": minimal(leg.size_base),
        "filled_base": minimal(order_facts.filled_base(facts)),
        "average_price": _text(order_facts.average_price(facts)),
        "limit_price": _text(intent.limit_price),
        "trigger_price": _text(intent.trigger_price),
        "guard_price": _text(leg.guard_price),
        "take_profit": _text(intent.brackets.take_profit),
        "stop_loss": _text(intent.brackets.stop_loss),
        "owner": new.owner,
        "signing": new.signing,
        "approval": new.approval,
        "allow_reroute": new.allow_reroute,
        "deadline": _time(new.deadline),
        "cancel_requested": row.cancel_requested,
        "venue_refs": row.venue_refs,
        "steps": [_step(item) for item in view.steps],
        "attempts": [_attempt(item) for item in view.attempts],
        "fills": [_fill(item) for item in view.fills],
        "claims": [{"kind": item.kind} | _paid(item) for item in order_facts.claims(facts)],
        "kept": [_paid(item) for item in order_facts.kept(facts)],
        "events": [_event(item) for item in view.events],
        "amendments": [_amendment(item) for item in view.amendments],
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def fill_row(fill: FillView) -> dict[str, Any]:
    """With what it is a fill of."""
    chain_id = int(fill.chain_id) if fill.chain_id.isdecimal() else fill.chain_id
    return _fill(fill) | {
        "order_id": fill.order_id,
        "market": fill.market,
        "venue": fill.venue,
        "chain_id": chain_id,
        "side": fill.side,
        "funding_usd": _text(fill.funding_usd),
        "borrowing_usd": _text(fill.borrowing_usd),
        "pnl_usd": _text(fill.pnl_usd),
    }


def _step(step: StepView) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": step.step_id,
        "kind": step.kind,
        "version": step.version,
        "status": step.status,
        "blocked_by": step.blocked_by,
        "not_before": None if step.not_before is None else _time(step.not_before),
        "sign_by": _time(step.sign_by),
        "simulation": step.simulation,
    }
    if step.kind == "evm_tx":
        return shown | {"tx": step.payload}
    return {**shown, **step.payload}


def _amendment(row: AmendmentRow) -> dict[str, Any]:
    change = row.change
    return {
        "seq": row.seq,
        "at": _time(row.asked_at),
        "status": row.status,
        "limit_price": _text(change.limit_price),
        "trigger_price": _text(change.trigger_price),
        "size_base": _text(change.size_base),
        "take_profit": _text(change.take_profit),
        "stop_loss": _text(change.stop_loss),
        "reason": _reason(row.reason),
    }


def _attempt(attempt: AttemptView) -> dict[str, Any]:
    height = attempt.block_number
    return {
        "step_id": attempt.step_id,
        "step_version": attempt.step_version,
        "tx_hash": attempt.tx_hash,
        "nonce": minimal(attempt.nonce),
        "status": attempt.status,
        "block_number": None if height is None else str(height),
    }


def _fill(fill: FillView) -> dict[str, Any]:
    return {
        "id": fill.id,
        "price": minimal(fill.price),
        "size_base": minimal(fill.size_base),
        "fee_usd": _text(fill.fee_usd),
        "impact_usd": _text(fill.impact_usd),
        "tx_hash": fill.tx_hash,
        "log_index": fill.log_index,
        "at": _time(fill.at),
    }


def _paid(item: Claimed | Kept) -> dict[str, Any]:
    return {
        "symbol": item.symbol,
        "amount": minimal(item.amount),
        "tx_hash": item.place.tx_hash,
        "log_index": item.place.log_index,
    }


def _event(told: Told) -> Mapping[str, Any]:
    return {
        "seq": told.seq,
        "at": _time(told.at),
        "type": told.type,
        "from": told.from_state,
        "to": told.to_state,
    }


def _reason(reason: Reason | None) -> Mapping[str, Any] | None:
    if reason is None:
        return None
    return {"code": reason.code, "message": reason.message, "venue_code": reason.venue_code}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else minimal(value)


def _time(at: datetime) -> str:
    return iso_ms(microseconds(at))
