"""Signed transactions go out: once stored, the same bytes as often as it takes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from connectors.base.orders import Step, StepId
from db import order_changes, order_steps, orders, tx_attempts
from db.order_steps import StepRow
from db.orders import OrderRow
from db.pool import Database
from db.tx_attempts import Attempt
from domain.orders import Reason
from execution import lifecycle
from execution.send_state import Advice, SendError, SendState, advice, answered, head_advanced
from execution.send_state import sending as about_to_send
from execution.store import record
from execution.venues import Venues
from runtime.clock import mono_ns
from runtime.failpoints import reach
from runtime.logs import get_logger
from runtime.sealing import Seal

RESEND_NS: Final = {137: 8_000_000_000}
RESEND_DEFAULT_NS: Final = 3_000_000_000
GIVE_UP_NS: Final = 60_000_000_000
LOOK_UP_FOR: Final = timedelta(minutes=10)
"""So long a hash that a wallet told is looked for; what lands later is found by its tag."""
_REFUSED: Final = frozenset(("insufficient_funds", "refused"))
_log = get_logger(__name__)


class Submitter:
    """``states``: of what was sent by this process, by hash; what another one sent is sent again,
    which changes nothing."""

    def __init__(self, database: Database, venues: Venues, seal: Seal) -> None:
        self._database = database
        self._venues = venues
        self._seal = seal
        self._states: dict[str, SendState] = {}

    async def submit(
        self, row: OrderRow, attempt: Attempt, now: datetime, epoch: int | None = None
    ) -> None:
        """Sends what was stored. Raises LeaseLost, ChainTransient and what Postgres raises."""
        if attempt.raw is None:
            await self._look_up(row, attempt, now, epoch)
            return
        raw = self._opened(attempt)
        await self._note_submitted(row, attempt, now, epoch)
        reach("P7")
        said = await self._offer(attempt, raw)
        reach("P8")
        async with self._database.acquire() as connection:
            if any(error is None or error in ("already_known", "unclear", "nonce_too_low")
                   for error in said):  # fmt: skip
                # What may be out is watched; a nonce that is too low is often our own.
                await tx_attempts.sent(connection, attempt.chain_id, attempt.tx_hash, now)
            elif all(error in _REFUSED for error in said):
                await self._refused(row, attempt, str(said[0]), now, epoch)
        reach("P9")

    async def keep_up(self, row: OrderRow, attempt: Attempt, now: datetime) -> None:
        """Of what was sent and is in no block: again, where that may help."""
        if attempt.raw is None:
            return
        if self.advice(attempt) == "send_again":
            await self._offer(attempt, self._opened(attempt))
            async with self._database.acquire() as connection:
                await tx_attempts.sent(connection, attempt.chain_id, attempt.tx_hash, now)

    def advice(self, attempt: Attempt) -> Advice:
        state = self._states.get(attempt.tx_hash)
        if state is None:
            return "send_again"
        after_ns = RESEND_NS.get(attempt.chain_id, RESEND_DEFAULT_NS)
        return advice(state, mono_ns(), after_ns, GIVE_UP_NS)

    def head_advanced(self, attempts: Sequence[Attempt]) -> None:
        """There is a new block, and these are not in it."""
        for attempt in attempts:
            if attempt.tx_hash in self._states:
                self._states[attempt.tx_hash] = head_advanced(self._states[attempt.tx_hash])

    def forget(self, tx_hash: str) -> None:
        """It is in a block: should that go, it is sent anew."""
        self._states.pop(tx_hash, None)

    def _opened(self, attempt: Attempt) -> bytes:
        """Raises InputError ``CANNOT_OPEN``: the key is another one than it was sealed with."""
        assert attempt.raw is not None
        return self._seal.open(attempt.raw, attempt.tx_hash.encode())

    async def _offer(self, attempt: Attempt, raw: bytes) -> list[SendError | None]:
        state = self._states.get(attempt.tx_hash, SendState(attempt.nonce))
        state = about_to_send(state, attempt.tx_hash, mono_ns())
        said = await self._venues.chain(attempt.chain_id).broadcast(raw)
        for error in said:
            state = answered(state, attempt.tx_hash, error)
        self._states[attempt.tx_hash] = state
        told = [error or "taken" for error in said]
        _log.info("sent", order_id=attempt.order_id, tx_hash=attempt.tx_hash, nodes=told)
        return said

    async def _note_submitted(
        self, row: OrderRow, attempt: Attempt, now: datetime, epoch: int | None
    ) -> None:
        """Only the order itself makes the order submitted; approvals and cancels do not."""
        async with self._database.acquire() as connection, connection.transaction():
            await order_changes.lock_sender(connection, attempt.chain_id, attempt.sender)
            if epoch is not None:
                await order_changes.hold(connection, row.new.id, epoch)
            current = await orders.read(connection, row.new.id, lock=True)
            await order_steps.submitted(
                connection, row.new.id, attempt.step_id, attempt.step_version
            )
            for order_id, version in await order_steps.overtaken(
                connection, attempt.chain_id, attempt.sender, attempt.nonce, row.new.id
            ):
                await order_changes.notify(connection, order_id, version, now)
            if attempt.step_id == "order" and current and current.state == "prepared":
                submitted = [lifecycle.Step("submitted")]
                await record(connection, row.new.id, submitted, now, epoch, current)

    async def _refused(
        self, row: OrderRow, attempt: Attempt, error: str, now: datetime, epoch: int | None
    ) -> None:
        reason = Reason(error.upper(), "every node refuses the transaction")
        async with self._database.acquire() as connection, connection.transaction():
            await tx_attempts.mark(connection, attempt.chain_id, attempt.tx_hash, "dropped")
            await order_steps.mark(
                connection, row.new.id, attempt.step_id, attempt.step_version, "failed"
            )
            if attempt.step_id in ("order", "approve"):
                event = lifecycle.Step("rejected", reason)
                await record(connection, row.new.id, [event], now, epoch)
            else:
                await order_changes.notify(connection, row.new.id, row.version, now)

    async def _look_up(
        self, row: OrderRow, attempt: Attempt, now: datetime, epoch: int | None
    ) -> None:
        """Of a hash that a wallet told: nothing changes before the transaction was seen and is the
        step."""
        found = await self._venues.chain(attempt.chain_id).transaction(attempt.tx_hash)
        if found is None:
            if now - attempt.stored_at > LOOK_UP_FOR:
                await self._not_the_step(attempt, "hash")
            return
        async with self._database.acquire() as connection:
            steps = await order_steps.current(connection, row.new.id)
        meant = [step for step in steps if step.new.step_id == attempt.step_id]
        builder = self._venues.builder(row.new.leg.venue)
        field = "step" if not meant else builder.verify(_step(meant[0]), found)
        if found.sender.lower() != row.new.owner.lower():
            field = "from"
        if field is None:
            await self._note_submitted(row, attempt, now, epoch)
            async with self._database.acquire() as connection:
                await tx_attempts.sent(connection, attempt.chain_id, attempt.tx_hash, now)
            return
        await self._not_the_step(attempt, field)

    async def _not_the_step(self, attempt: Attempt, field: str) -> None:
        """``field``: what differs; ``hash`` where no node has such a transaction."""
        order_id = attempt.order_id
        _log.warning("not_the_step", order_id=order_id, tx_hash=attempt.tx_hash, field=field)
        async with self._database.acquire() as connection, connection.transaction():
            await orders.read(connection, order_id, lock=True)
            await tx_attempts.mark(connection, attempt.chain_id, attempt.tx_hash, "dropped")
            await order_steps.returned(connection, order_id, attempt.step_id, attempt.step_version)


def _step(row: StepRow) -> Step:
    """As it was built."""
    payload = row.new.payload
    name: StepId = row.new.step_id
    return Step(
        name,
        payload["to"],
        int(payload["value"]),
        bytes.fromhex(payload["data"][2:]),
        int(payload["gas"]),
    )
