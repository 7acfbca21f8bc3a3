"""A run of the kill matrix: traders, victims, faults of nodes, and at the end the reader."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg
import httpx

from tests.chaos import chains
from tests.chaos.chains import ChainView
from tests.chaos.control import Control
from tests.chaos.logs import Scan, scan
from tests.chaos.reader import Answer, Verdict, check
from tests.chaos.trader import CHAINS, Doors, GaveUp, Tally, Trader
from tests.chaos.victims import STOP_S, Cell, Victims
from tests.integration.program_kit import Program, environment

TRADERS: Final = 48
EACH: Final = 8
"""Orders of one account."""
STOPS_AT_ONCE: Final = 2
SETTLE_S: Final = 120.0
FAULT_S: Final = 3.0
READ_S: Final = 60.0
"""A node forgets the transactions of more than 2,000 blocks ago."""
PATIENCE_S: Final = 60.0
"""So long a victim is waited for to get to its step."""
FAULTS: Final = (
    "refuse", "hang", "slow", "reorder", "wrong_chain", "stale_head", "null_transaction",
    "inflated_gas", "forget", "mute",
)  # fmt: skip


@dataclass(slots=True)
class Plan:
    """``orders``: at least so many are accepted. ``cells``: each is met at least once, over and
    over while orders are to come."""

    orders: int
    seed: int
    cells: Sequence[Cell]
    traders: int = TRADERS
    faults: Sequence[str] = FAULTS
    stop_s: float = STOP_S
    seconds: float = 3_000.0


@dataclass(slots=True)
class Outcome:
    """``wanted``: orders. ``met``: of the plan's cells, whether all were. ``unsettled``: what never
    came to rest."""

    wanted: int
    verdict: Verdict
    tally: Tally
    cells: Sequence[Cell]
    seconds: float
    faults: int
    unsettled: str
    scan: Scan
    answers: list[Answer] = field(default_factory=list)

    @property
    def met(self) -> bool:
        return all(cell.at_s for cell in self.cells)

    @property
    def failed(self) -> list[str]:
        """Why it shows nothing, or the contrary."""
        reasons = {
            "findings of the reader": bool(self.verdict.findings),
            "orders that never came to rest": bool(self.unsettled),
            "steps that were never met": not self.met,
            "fewer orders than asked for": self.verdict.accepted < self.wanted,
            "tracebacks": bool(self.scan.tracebacks),
        }
        return [reason for reason, holds in reasons.items() if holds]


async def storm(program: Program, plan: Plan, say: Callable[[str], None]) -> Outcome:
    """On a program that runs. Leaves it as it is, without faults."""
    return await _Storm(program, plan, say).run()


class _Storm:
    def __init__(self, program: Program, plan: Plan, say: Callable[[str], None]) -> None:
        self._program = program
        self._plan = plan
        self._say = say
        self._content = program.runtime
        # One for all: to make one costs more than a request.
        self._http = httpx.AsyncClient(
            trust_env=False, verify=False, limits=httpx.Limits(max_connections=None)
        )
        self._control = Control(self._content["sandbox"]["control_url"], self._http)
        self._rpc = {chain: self._content["rpc_urls"][str(chain)] for chain in CHAINS}
        # The nodes behind what lies.
        env = environment(program.pid("sandbox"))
        self._nodes = {chain: env[f"PERP_SANDBOX_CHAIN_URL_{chain}"] for chain in CHAINS}
        self._reading = threading.Lock()
        self._views = {chain: ChainView(chain) for chain in CHAINS}
        self._doors = Doors([program.url])
        self._list = program.data_dir / "accepted.jsonl"
        self._answers: list[Answer] = []
        self._tally = Tally(self._write)
        self._victims = Victims(program, self._door, self._tally.under_way, plan.stop_s)
        self._begun_s = time.monotonic()
        self._faults = 0

    async def run(self) -> Outcome:
        try:
            await self._control.tell("POST", "/keeper", {"mode": "auto", "delay_ms": 200})
            await self._until_done()
        finally:
            self._victims.end()
            await self._control.tell("DELETE", "/chain-faults")
            await self._http.aclose()
        unsettled = await self._settled()
        content = self._program.runtime
        await asyncio.to_thread(self._read_chains)
        verdict = await check(
            content["database_url"], content["redis_url"], self._views, self._answers
        )
        seconds = time.monotonic() - self._begun_s
        return Outcome(
            self._plan.orders, verdict, self._tally, self._plan.cells, seconds, self._faults,
            unsettled, scan(self._program.data_dir / "logs"), self._answers,
        )  # fmt: skip

    async def _until_done(self) -> None:
        """Traders end when there are enough orders and every cell was met, or time is over."""
        plan = self._plan
        kills = [cell for cell in plan.cells if cell.action == "kill"]
        stops = [cell for cell in plan.cells if cell.action == "stop"]
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(other)
                for other in (
                    self._meet(kills, 0),
                    *(self._meet(stops[n::STOPS_AT_ONCE], 1 + n) for n in range(STOPS_AT_ONCE)),
                    self._disturb(),
                    self._tell(),
                    self._read_along(),
                )
            ]
            await asyncio.gather(*(self._trade(number) for number in range(plan.traders)))
            for other in others:
                other.cancel()

    def _is_over(self) -> bool:
        plan = self._plan
        if time.monotonic() - self._begun_s > plan.seconds:
            return True
        enough = len(self._tally.begun) >= plan.orders
        return enough and all(cell.at_s for cell in plan.cells)

    async def _trade(self, number: int) -> None:
        turn = 0
        while not self._is_over():
            rng = Random(f"{self._plan.seed}:{number}:{turn}")
            turn += 1
            trader = Trader(self._doors, self._control, self._http, self._rpc, rng, self._tally)
            try:
                await trader.open()
                for _ in range(EACH):
                    if self._is_over():
                        break
                    await trader.trade()
            except GaveUp as error:
                self._tally.refuse(f"GAVE_UP {error}")

    async def _meet(self, cells: Sequence[Cell], place: int) -> None:
        rng = Random(f"{self._plan.seed}:cells:{place}")
        while cells and not self._is_over():
            # What was not met comes first. Few orders are prepared while others stand still, so who
            # waited for the third in vain is content with the first.
            for cell in sorted(rng.sample(cells, len(cells)), key=lambda cell: len(cell.at_s)):
                if self._is_over():
                    break
                in_vain = cell.tries > 0 and not cell.at_s
                count = 1 if in_vain else rng.randint(1, 3)
                met = await self._victims.meet(cell, count, PATIENCE_S * (1 + in_vain))
                if not met:
                    self._say(f"{cell.point}:{cell.action}:{count} was not met")

    async def _disturb(self) -> None:
        """One node of one chain at a time: the other one is well."""
        rng = Random(f"{self._plan.seed}:faults")
        while self._plan.faults:
            await asyncio.sleep(rng.uniform(0.5, FAULT_S))
            body = {
                "chain_id": rng.choice(CHAINS),
                "kind": rng.choice(self._plan.faults),
                "endpoint": rng.choice("ab"),
                "seconds": FAULT_S,
            }
            await self._control.tell("POST", "/chain-faults", body)
            self._faults += 1
            await asyncio.sleep(FAULT_S)

    async def _read_along(self) -> None:
        while True:
            await asyncio.sleep(READ_S)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._read_chains)

    def _read_chains(self) -> None:
        # A thread that nobody waits for any more may still read.
        with self._reading:
            for chain, view in self._views.items():
                chains.follow(view, self._nodes[chain])

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(15)
            met = sum(len(cell.at_s) for cell in self._plan.cells)
            seconds = time.monotonic() - self._begun_s
            self._say(f"{seconds:4.0f} s: {len(self._tally.begun)} orders, {met} cells met")

    # Settling ---------------------------------------------------------------------------------

    async def _settled(self) -> str:
        """Waits until nothing moves any more; what still does after ``SETTLE_S``."""
        connection = await asyncpg.connect(self._program.runtime["database_url"])
        until, calm = time.monotonic() + SETTLE_S, 0
        try:
            while calm < 3:
                found = await connection.fetch(_MOVING)
                if not found:
                    calm += 1
                else:
                    calm = 0
                    if time.monotonic() > until:
                        return "; ".join(f"{row['id']} {row['state']}" for row in found)
                await asyncio.sleep(0.5)
        finally:
            await connection.close()
        return ""

    # Parts ------------------------------------------------------------------------------------

    def _write(self, line: dict[str, Any]) -> None:
        self._answers.append(Answer(**line))
        with self._list.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _door(self, url: str, is_open: bool) -> None:
        if is_open:
            # Half of the requests go there: who is to be met should be.
            self._doors.urls.append(url)
        else:
            with contextlib.suppress(ValueError):
                self._doors.urls.remove(url)


_MOVING: Final = """
SELECT o.id, o.state FROM orders o
WHERE o.state IN ('accepted', 'submitted', 'mined', 'partially_filled')
    OR (o.state = 'prepared' AND o.deadline > now() - interval '3 seconds')
    OR EXISTS (SELECT 1 FROM outbox b WHERE b.order_id = o.id AND b.done_at IS NULL)
    OR EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.told_at IS NULL)
    OR EXISTS (SELECT 1 FROM tx_attempts t
        WHERE t.order_id = o.id AND t.status IN ('stored', 'sent'))
"""


def table(cells: Sequence[Cell]) -> str:
    """By step: how often a process was there killed or stopped, and with how many orders."""
    lines = ["step  action  process   tries  met  orders under way"]
    for cell in cells:
        ways = ", ".join(str(count) for count in cell.under_way) or "-"
        lines.append(
            f"{cell.point:<5} {cell.action:<7} {cell.role:<9} {cell.tries:>5} "
            f"{len(cell.at_s):>4}  {ways}"
        )
    for action in ("kill", "stop"):
        times = [len(cell.at_s) for cell in cells if cell.action == action]
        met = sum(count > 0 for count in times)
        lines.append(f"{action}: {met} of {len(times)} steps met, {sum(times)} times")
    return "\n".join(lines)


def report(outcome: Outcome) -> str:
    tally = outcome.tally
    ends = [f"  {kind}: {_counts(states)}" for kind, states in sorted(tally.ends.items())]
    return "\n".join(
        [
            table(outcome.cells),
            f"{len(tally.begun)} orders in {outcome.seconds:.0f} s, {outcome.faults} faults of "
            f"nodes, {tally.repeated} requests sent again",
            "seen by their owners:",
            *ends,
            f"refused before: {_counts(tally.refused) or 'none'}",
            f"unsettled: {outcome.unsettled or 'none'}",
            str(outcome.scan),
            str(outcome.verdict),
            f"FAILED: {', '.join(outcome.failed)}" if outcome.failed else "PASSED",
        ]
    )


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
