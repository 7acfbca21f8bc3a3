"""From an order to transactions that its owner can sign: read, checked, built, simulated."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

from connectors.base.orders import (
    Cancel,
    ChainFacts,
    OrderRequest,
    Place,
    Refusal,
    Step,
    Update,
)
from db import (
    accounts,
    guarded_quotes,
    kept,
    order_amendments,
    order_changes,
    order_steps,
    trading_limits,
    tx_attempts,
)
from db.instants import instant
from db.order_amendments import AmendmentRow
from db.order_steps import NewStep
from db.orders import OrderRow
from db.pool import Database
from domain import risk
from domain.amendments import amended
from domain.errors import ChainTransient, InputError, VenueUnavailable
from domain.orders import GAS_PRICE, PASSING, TERMINAL, OrderLeg, Reason
from domain.units import minimal
from execution import lifecycle
from execution.chain import Chain
from execution.gas import Fees, first_fees, rules_of
from execution.reroute import alternatives, may_move, moved
from execution.rpc_values import Block, CallResult
from execution.store import record
from execution.venues import Venues
from runtime.clock import mono_ns, wall_us
from runtime.failpoints import reach

SIGN_WITHIN: Final = timedelta(minutes=2)
"""After this fees, nonce and the venue's state are looked at again."""
REROUTE_NS: Final = 3_000_000_000
"""After this no further route is tried: a turn has its end."""
GAS_HEAD_ROOM: Final = (3, 2)
"""Times what the simulation used."""
GAS_CAP: Final = 2
"""Times the builder's guess: a node that lies does not make it dearer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``nonce``: the next one of ``sender``. ``gas``: of each step; ``ok``: whether it was
    simulated, None where that cannot be done yet. ``not_before``: the venue takes it no earlier.
    """

    chain_id: int
    sender: str
    nonce: int
    block: Block
    fees: Fees
    steps: tuple[Step, ...]
    gas: tuple[int, ...]
    ok: tuple[bool | None, ...]
    not_before: datetime | None = None


class Moved(NamedTuple):
    """Where an order goes instead, and why."""

    leg: OrderLeg
    why: Reason


class Preparer:
    def __init__(self, database: Database, venues: Venues) -> None:
        self._database = database
        self._venues = venues

    async def prepare(self, row: OrderRow, epoch: int, now: datetime) -> None:
        """The steps of an order, or its rejection, or what it waits for.

        Raises LeaseLost, ChainTransient, VenueUnavailable and what Postgres raises: nothing is
        known then, and nothing was done.
        """
        new = row.new
        elsewhere: Moved | None = None
        plan = await self._placing(row, new.leg)
        if isinstance(plan, Reason) and row.state == "accepted" and may_move(new, plan):
            elsewhere, plan = await self._elsewhere(row, plan)
        reach("P6")
        async with self._database.acquire() as connection, connection.transaction():
            # Whoever gives out nonces locks the sender before the order.
            if isinstance(plan, Plan):
                await order_changes.lock_sender(connection, plan.chain_id, plan.sender)
            if await signed_meanwhile(connection, row, epoch):
                return
            events = [] if elsewhere is None else [lifecycle.Step("rerouted", elsewhere.why)]
            if isinstance(plan, Reason):
                await order_steps.supersede(connection, new.id)
                waits = plan.code in PASSING
                events.append(lifecycle.Step("held" if waits else "rejected", plan))
            else:
                await self._store(connection, row, plan, now)
                if elsewhere is not None:
                    await order_changes.reroute(connection, new.id, epoch, elsewhere.leg)
                events.append(lifecycle.Step("prepared"))
            await record(connection, new.id, events, now, epoch)

    async def _placing(self, row: OrderRow, leg: OrderLeg) -> Plan | Reason:
        new = row.new
        request = Place(new.tag, new.owner, new.intent, leg, new.approval)
        if request.claims:
            async with self._database.acquire() as connection:
                request = replace(request, kept=await kept.names(connection, new))
        return await self._stopped(row, leg) or await self._planned(row, request)

    async def _elsewhere(self, row: OrderRow, why: Reason) -> tuple[Moved | None, Plan | Reason]:
        """The next route that takes it, or the refusal as it was; one that cannot be asked now does
        not. Nothing was handed out yet, so that there is one effect at most."""
        async with self._database.acquire() as connection:
            routes = await guarded_quotes.routes_of(connection, row.new.id)
            chain_id = await accounts.chain_of(connection, row.new.account_id)
        begun_ns = mono_ns()
        for leg in alternatives(row.new, routes):
            if chain_id not in (accounts.EVERY_CHAIN, leg.chain_id) or not self._venues.trades(leg):
                continue
            if mono_ns() - begun_ns > REROUTE_NS:
                break
            with contextlib.suppress(ChainTransient, VenueUnavailable):
                plan = await self._placing(row, leg)
                if isinstance(plan, Plan):
                    return Moved(leg, moved(row.new, why)), plan
        return None, why

    async def prepare_cancel(self, row: OrderRow, epoch: int, now: datetime) -> None:
        """The step that takes back what rests, blocked while it is too early; or why there is none
        now. Of an order that has ended: of its exits, where they still wait. Raises as ``prepare``.
        """
        new = row.new
        request = Cancel(new.tag, new.owner, new.intent, new.leg, row.venue_refs)
        plan = await self._planned(row, request)
        event = lifecycle.Step("to_sign")
        if isinstance(plan, Reason):
            told = row.reason is not None and row.reason.code == plan.code
            if told or row.state in TERMINAL:
                return
            event = lifecycle.Step("cancel_refused", plan)
        async with self._database.acquire() as connection, connection.transaction():
            if isinstance(plan, Plan):
                await order_changes.lock_sender(connection, plan.chain_id, plan.sender)
                await self._store(connection, row, plan, now)
            await order_changes.hold(connection, new.id, epoch)
            if not row.final:
                await record(connection, new.id, [event], now, epoch)

    async def prepare_update(
        self, row: OrderRow, change: AmendmentRow, epoch: int, now: datetime
    ) -> None:
        """The step that tells the venue of a change, or the change's refusal. Raises as
        ``prepare``."""
        new = row.new
        plan = await self._updating(row, change)
        async with self._database.acquire() as connection, connection.transaction():
            # Whoever gives out nonces locks the sender before the order.
            if isinstance(plan, Plan):
                await order_changes.lock_sender(connection, plan.chain_id, plan.sender)
            await order_changes.hold(connection, new.id, epoch)
            if await order_amendments.asked(connection, new.id) != change:
                # Another one came meanwhile, of which the executor is told by itself.
                return
            event = lifecycle.Step("to_sign")
            if isinstance(plan, Reason) and plan.code in PASSING:
                # Asked again, as for all that no step is there for.
                return
            if isinstance(plan, Reason):
                await order_amendments.refuse(connection, change, plan)
                event = lifecycle.Step("update_refused", plan)
            else:
                [version] = await self._store(connection, row, plan, now)
                await order_amendments.handed_out(connection, change, version)
            await record(connection, new.id, [event], now, epoch)

    async def _updating(self, row: OrderRow, change: AmendmentRow) -> Plan | Reason:
        new = row.new
        builder = self._venues.builder(new.leg.venue)
        try:
            intent, leg = amended(
                new.intent, new.leg, change.change, posted=True, resizable=builder.resizes
            )
        except InputError as error:
            return Reason(error.code, error.message)
        return await self._planned(row, Update(new.tag, new.owner, intent, leg, row.venue_refs))

    async def _stopped(self, row: OrderRow, leg: OrderLeg) -> Reason | None:
        """Why the operators do not want it now."""
        if row.new.intent.reduces:
            return None
        async with self._database.acquire() as connection:
            limits = await trading_limits.read(connection)
        return risk.refusal(row.new.intent, leg, limits)

    # Planning ---------------------------------------------------------------------------------

    async def _planned(self, row: OrderRow, request: OrderRequest) -> Plan | Reason:
        try:
            return await self._plan(row, request)
        except InputError as error:
            return Reason(error.code, error.message)

    async def _plan(self, row: OrderRow, request: OrderRequest) -> Plan | Reason:
        leg, owner = request.leg, request.owner
        builder = self._venues.builder(leg.venue)
        chain = self._venues.chain(leg.chain_id)
        opens = isinstance(request, Place) and not request.intent.reduces
        needed = (leg.venue, (leg.pool or "").lower()) if opens else None
        pools = await self._venues.read_depth(request.intent.market, needed)
        block, tip_wei, nonce = await chain.outset(owner)
        fees = first_fees(block.base_fee_wei, tip_wei, rules_of(chain.chain_id))
        if fees is None:
            return Reason(GAS_PRICE, f"gas of chain {chain.chain_id} is above the limit")
        with self._venues.priced(pools):
            reads = builder.reads(request)
        balance, answers = await chain.calls(reads, block.number, owner)
        facts = ChainFacts(
            chain.chain_id, block.number, block.time_s, fees.max_fee_wei, balance, answers
        )
        with self._venues.priced(pools):
            refusals = builder.check(request, facts)
            not_before = _not_before(refusals, block) if isinstance(request, Cancel) else None
            if refusals and not_before is None:
                told = "; ".join(refusal.message for refusal in refusals)
                return Reason(refusals[0].code, told[:500])
            steps = tuple(builder.build(request, facts))
        results = [] if not_before else await _simulated(chain, owner, steps, block)
        for result in results:
            if not result.ok:
                return builder.reason(result.data)
        gas, ok = _gas(steps, results)
        most = sum(gas) * fees.max_fee_wei + sum(step.value_wei for step in steps)
        if balance < most:
            missing = most - balance
            return Reason("GAS", f"{missing} wei are missing of the native coin for gas and fees")
        return Plan(chain.chain_id, owner, nonce, block, fees, steps, gas, ok, not_before)

    # Storing ----------------------------------------------------------------------------------

    async def _store(
        self, connection: asyncpg.Connection, row: OrderRow, plan: Plan, now: datetime
    ) -> list[int]:
        """In a transaction that has locked the sender. What waits for a signature holds no nonce
        back: whoever signs one order and not another would wait for ever. The first that is sent
        has it, and the others are prepared again."""
        first = plan.nonce
        taken = await tx_attempts.used_nonces(connection, plan.chain_id, plan.sender, first)
        # A cancel does not wait for the deadline of what it cancels.
        ends = (step.id in ("cancel", "update") for step in plan.steps)
        sign_by = (plan.not_before or now) + SIGN_WITHIN
        if not any(ends):
            sign_by = min(sign_by, row.new.deadline)
        nonces = free_nonces(first, taken, len(plan.steps))
        rows = [_row(plan, number, nonce, sign_by) for number, nonce in enumerate(nonces)]
        return await order_steps.replace(connection, row.new.id, rows)


async def signed_meanwhile(connection: asyncpg.Connection, row: OrderRow, epoch: int) -> bool:
    """Whether something was taken that is to go out as it is: whoever took it has told the
    executor. Until the transaction ends nothing more is. Raises LeaseLost."""
    await order_changes.hold(connection, row.new.id, epoch)
    attempts = await tx_attempts.of_order(connection, row.new.id)
    return any(attempt.status == "stored" for attempt in attempts)


def free_nonces(first: int, taken: set[int], count: int) -> list[int]:
    """The lowest ones that nobody uses: a hole would hold up everything behind it."""
    found: list[int] = []
    nonce = first
    while len(found) < count:
        if nonce not in taken:
            found.append(nonce)
        nonce += 1
    return found


def _not_before(refusals: Sequence[Refusal], block: Block) -> datetime | None:
    """When none of them speaks against it any more; None where that is not known. By our clock:
    that of a chain on a desk may be days away."""
    times = [refusal.from_s for refusal in refusals]
    known = [at_s for at_s in times if at_s is not None]
    if not known or len(known) != len(times):
        return None
    return instant(wall_us()) + timedelta(seconds=max(known) - block.time_s)


async def _simulated(
    chain: Chain, owner: str, steps: Sequence[Step], block: Block
) -> list[CallResult]:
    """Of all steps one after the other; of the first one alone where the node cannot do that."""
    calls = [_call(step) for step in steps]
    results = await chain.simulate(owner, calls, block.number)
    if results is None:
        results = [await chain.estimate(owner, calls[0], block.number)]
    return results


def _gas(
    steps: Sequence[Step], results: Sequence[CallResult]
) -> tuple[tuple[int, ...], tuple[bool | None, ...]]:
    """Limits, and what was simulated."""
    gas, ok = [], []
    for number, step in enumerate(steps):
        known = number < len(results)
        times, by = GAS_HEAD_ROOM
        wanted = results[number].gas_used * times // by if known else 0
        gas.append(min(max(step.gas, wanted), GAS_CAP * step.gas))
        ok.append(True if known else None)
    return tuple(gas), tuple(ok)


def _call(step: Step) -> Mapping[str, str]:
    return {
        "to": step.to,
        "value": hex(step.value_wei),
        "data": f"0x{step.data.hex()}",
    }


def _told(step: Step, block: Block, *, ok: bool) -> Mapping[str, Any]:
    told: dict[str, Any] = {"ok": ok, "block_number": str(block.number)}
    if step.due:
        told["claims"] = [
            {"kind": item.kind, "symbol": item.symbol, "amount": minimal(item.amount)}
            for item in step.due
        ]
    return told


def _row(plan: Plan, number: int, nonce: int, sign_by: datetime) -> NewStep:
    step, ok = plan.steps[number], plan.ok[number]
    blocked = number > 0 or plan.not_before is not None
    transaction: dict[str, Any] = {
        "chain_id": str(plan.chain_id),
        "from": plan.sender,
        "to": step.to,
        "value": str(step.value_wei),
        "data": f"0x{step.data.hex()}",
        "nonce": str(nonce),
        "gas": str(plan.gas[number]),
        "type": "0x2",
        "max_fee_per_gas": str(plan.fees.max_fee_wei),
        "max_priority_fee_per_gas": str(plan.fees.tip_wei),
    }
    simulation = None if ok is None else _told(step, plan.block, ok=ok)
    return NewStep(
        step.id,
        "blocked" if blocked else "ready",
        sign_by,
        transaction,
        simulation,
        "approve" if number > 0 else None,
        not_before=plan.not_before,
    )
