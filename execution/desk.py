"""What is done about an order when somebody says that it has to be looked at. Whatever that was,
what has to be done follows from what stands in Postgres."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from db import order_amendments, order_changes, order_steps, orders, tx_attempts
from db.instants import instant
from db.order_amendments import AmendmentRow
from db.order_steps import StepRow
from db.orders import OrderRow
from db.pool import Database
from db.tx_attempts import Attempt
from domain.orders import PASSING, Reason
from execution import amend
from execution.lifecycle import Step, is_terminal
from execution.prepare import Preparer, signed_meanwhile
from execution.store import order_of, record
from execution.submit import Submitter
from runtime.clock import wall_us
from runtime.failpoints import reach

WITHDRAWN = Reason("CANCELLED", "cancelled before it was sent")
EXPIRED = Reason("DEADLINE_PASSED", "nobody signed it in time")
NOT_DELEGATED = Reason("NOT_EXECUTABLE", "this version signs nothing for anybody")
APPROVAL_FAILED = Reason("ALLOWANCE", "the approval reverted")

_OPEN = ("ready", "blocked")


class Desk:
    def __init__(self, database: Database, preparer: Preparer, submitter: Submitter) -> None:
        self._database = database
        self._preparer = preparer
        self._submitter = submitter

    async def handle(self, row: OrderRow, epoch: int) -> None:
        """As far as it goes now. Raises LeaseLost, ChainTransient, VenueUnavailable and what
        Postgres raises: it is called again then."""
        reach("P5")
        now, order = instant(wall_us()), order_of(row)
        async with self._database.acquire() as connection:
            attempts = await tx_attempts.of_order(connection, row.new.id)
            steps = await order_steps.current(connection, row.new.id)
            change = await order_amendments.asked(connection, row.new.id)
        stored = [attempt for attempt in attempts if attempt.status == "stored"]
        for attempt in stored:
            # Signed in time: whether it was is decided where it is stored.
            await self._submitter.submit(row, attempt, now, epoch)
        if stored:
            return
        if is_terminal(order):
            leaves = order.state == "cancelled" and len(set(row.venue_refs.values())) > 1
            over = [step for step in steps if not leaves or step.new.step_id != "cancel"]
            await self._clean_up(row, over, change, now, epoch)
            if leaves:
                # Exits that wait by themselves would meet the next position.
                await self._cancel(row, steps, now, epoch)
        elif order.state in ("accepted", "prepared"):
            await self._before_submission(row, steps, attempts, change, now, epoch)
        elif order.state in ("working", "partially_filled"):
            if order.cancel_requested:
                await self._cancel(row, steps, now, epoch)
            elif change is not None:
                await self._update(row, steps, change, now, epoch)

    async def _before_submission(
        self,
        row: OrderRow,
        steps: Sequence[StepRow],
        attempts: Sequence[Attempt],
        change: AmendmentRow | None,
        now: datetime,
        epoch: int,
    ) -> None:
        sent = {attempt.step_id for attempt in attempts if attempt.status in ("sent", "mined")}
        failed = {step.new.step_id for step in steps if step.new.status == "failed"}
        if "order" in sent:
            return
        if row.cancel_requested:
            await self._end(row, Step("withdrawn", WITHDRAWN), now, epoch)
        elif row.new.deadline <= now:
            await self._end(row, Step("expired", _why_late(row)), now, epoch)
        elif row.new.signing != "wallet":
            await self._end(row, Step("rejected", NOT_DELEGATED), now, epoch)
        elif "approve" in failed:
            await self._end(row, Step("rejected", APPROVAL_FAILED), now, epoch)
        elif change is not None:
            await self._change(row, change, now, epoch)
        elif row.state == "accepted" or _has_to_be_prepared(steps, now):
            await self._preparer.prepare(row, epoch, now)

    async def _end(self, row: OrderRow, step: Step, now: datetime, epoch: int) -> None:
        async with self._database.acquire() as connection, connection.transaction():
            if await signed_meanwhile(connection, row, epoch):
                return
            await order_steps.supersede(connection, row.new.id)
            await record(connection, row.new.id, [step], now, epoch)

    async def _change(self, row: OrderRow, change: AmendmentRow, now: datetime, epoch: int) -> None:
        """What is prepared then follows from the order as it is."""
        async with self._database.acquire() as connection, connection.transaction():
            if await signed_meanwhile(connection, row, epoch):
                return
            if await order_amendments.asked(connection, row.new.id) != change:
                return
            await amend.change_unsent(connection, row, change, now, epoch)
        async with self._database.acquire() as connection:
            changed = await orders.read(connection, row.new.id)
        if changed is not None:
            await self.handle(changed, epoch)

    async def _clean_up(
        self,
        row: OrderRow,
        steps: Sequence[StepRow],
        change: AmendmentRow | None,
        now: datetime,
        epoch: int,
    ) -> None:
        """Nothing is to be signed for what has ended."""
        if change is None and not any(step.new.status in _OPEN for step in steps):
            return
        async with self._database.acquire() as connection, connection.transaction():
            await order_changes.hold(connection, row.new.id, epoch)
            await order_steps.supersede(connection, row.new.id)
            if change is not None:
                await amend.end(connection, row, change, now, epoch)

    async def _cancel(
        self, row: OrderRow, steps: Sequence[StepRow], now: datetime, epoch: int
    ) -> None:
        if not any(step.new.step_id == "cancel" and _stands(step, now) for step in steps):
            await self._preparer.prepare_cancel(row, epoch, now)

    async def _update(
        self,
        row: OrderRow,
        steps: Sequence[StepRow],
        change: AmendmentRow,
        now: datetime,
        epoch: int,
    ) -> None:
        updates = [step for step in steps if step.new.step_id == "update"]
        if any(step.new.status == "submitted" for step in updates):
            # An earlier change: what comes out of that decides what is left to be changed.
            return
        if not any(_stands(step, now) and step.version == change.step_version for step in updates):
            await self._preparer.prepare_update(row, change, epoch, now)


def _why_late(row: OrderRow) -> Reason:
    if row.reason is None or row.reason.code not in PASSING:
        return EXPIRED
    return replace(row.reason, message=f"{row.reason.message}, until the deadline")


def _has_to_be_prepared(steps: Sequence[StepRow], now: datetime) -> bool:
    """Nothing can be signed: what there was is overdue, or waited for something that is done."""
    status = {step.new.step_id: step.new.status for step in steps}
    if status.get("approve") == "submitted":
        return False
    ready = [step for step in steps if step.new.status == "ready" and not _is_overdue(step, now)]
    return not ready and status.get("order") != "submitted"


def _stands(step: StepRow, now: datetime) -> bool:
    """It was signed, or can be, or will be when the venue takes it."""
    status, not_before = step.new.status, step.new.not_before
    if status == "blocked":
        return not_before is not None and not_before > now
    return status in ("submitted", "done") or (status == "ready" and not _is_overdue(step, now))


def _is_overdue(step: StepRow, now: datetime) -> bool:
    return step.new.sign_by <= now
