"""The short part of ``make chaos``: a few orders while processes are killed at a few steps; then
the reader finds nothing, and finds what is forged."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest

from tests.chaos import chains, reader, storm
from tests.chaos.storm import Outcome, Plan, report
from tests.chaos.victims import Cell
from tests.integration.execution_kit import Desk, trading_program, until
from tests.integration.program_kit import Program

pytestmark = pytest.mark.timeout(480)

CHILDREN = (
    "decisions",
    "chain_events",
    "fills",
    "order_events",
    "order_steps",
    "tx_attempts",
    "outbox",
)


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with trading_program() as running:
        yield running


@pytest.fixture(scope="module")
def outcome(program: Program) -> Outcome:
    cells = [Cell("P2", "kill"), Cell("P7", "kill")]
    plan = Plan(orders=8, seed=7, cells=cells, traders=4, seconds=150)
    return asyncio.run(storm.storm(program, plan, print))


def test_nothing_is_lost_doubled_or_contradicted(outcome: Outcome) -> None:
    told = report(outcome)
    assert outcome.met, told
    assert not outcome.unsettled, told
    assert not outcome.verdict.findings, told
    assert outcome.verdict.states["filled"] > 0, told


async def test_the_reader_sees_what_is_forged(outcome: Outcome, program: Program) -> None:
    content = program.runtime
    connection = await asyncpg.connect(content["database_url"])
    urls = {int(chain): found[0] for chain, found in content["rpc_urls"].items()}

    async def seen() -> set[tuple[str, str, str]]:
        views = {chain: chains.read(chain, url) for chain, url in urls.items()}
        verdict = await reader.check(
            content["database_url"], content["redis_url"], views, outcome.answers
        )
        return {(item.kind, item.invariant, item.order_id) for item in verdict.findings}

    try:
        assert await seen() == set()
        filled = [
            str(row["id"])
            for row in await connection.fetch(
                "SELECT id FROM orders WHERE state = 'filled' AND intent->>'intent' = 'open'"
            )
        ]
        twice = filled.pop()
        effect = {await _effect_twice(content, connection, twice)}
        for forge in (_fill_doubled, _fill_lost, _event_lost, _state_changed, _order_lost):
            forged = {(*await forge(connection, filled[0]), filled[0])}
            assert await seen() >= effect | forged, forge.__name__
    finally:
        await connection.close()


async def _effect_twice(
    content: dict[str, Any], connection: asyncpg.Connection, order_id: str
) -> tuple[str, str, str]:
    """The same request again, as its owner could have sent it."""
    row = await connection.fetchrow(
        "SELECT chain_id, tx_hash FROM tx_attempts "
        "WHERE order_id = $1 AND step_id = 'order' AND status = 'mined'",
        order_id,
    )
    chain = int(row["chain_id"])
    rpc: Callable[..., Any] = Desk(content, connection, None, None).rpc  # type: ignore[arg-type]
    sent = await rpc(chain, "eth_getTransactionByHash", row["tx_hash"])
    places = content["sandbox"]["contracts"][str(chain)]
    gmx = sent["to"] == places.get("EXCHANGE_ROUTER", "").lower()
    spender = places["ROUTER" if gmx else "GAINS_DIAMOND"]
    approval = f"0x095ea7b3{spender[2:].lower():0>64}{'f' * 64}"
    token = content["sandbox"]["tokens"][str(chain)]["USDC"]
    owner = sent["from"]
    await rpc(chain, "anvil_impersonateAccount", owner)
    # A node suggests a tip above its own fee cap after many empty blocks.
    fees = {name: sent[name] for name in ("maxFeePerGas", "maxPriorityFeePerGas")}
    approve = fees | {"from": owner, "to": token, "data": approval}
    await rpc(chain, "eth_sendTransaction", approve)
    again = fees | {name: sent[name] for name in ("from", "to", "value", "gas")}
    name = await rpc(chain, "eth_sendTransaction", again | {"data": sent["input"]})
    # A node takes it before it is in a block.
    receipt = await until(lambda: rpc(chain, "eth_getTransactionReceipt", name), f"{name} mined")
    assert receipt["status"] == "0x1", receipt
    return "doubled", "I2", order_id


async def _fill_doubled(connection: asyncpg.Connection, order_id: str) -> tuple[str, str]:
    await connection.execute(
        "INSERT INTO fills SELECT chain_id, block_hash, tx_hash, log_index + 1000, order_id, "
        "account_id, market, venue, side, price, size_base, fee_usd, impact_usd, funding_usd, "
        "borrowing_usd, pnl_usd, at FROM fills WHERE order_id = $1",
        order_id,
    )
    return "doubled", "I3"


async def _fill_lost(connection: asyncpg.Connection, order_id: str) -> tuple[str, str]:
    await connection.execute("DELETE FROM fills WHERE order_id = $1 AND log_index < 1000", order_id)
    return "lost", "I3"


async def _event_lost(connection: asyncpg.Connection, order_id: str) -> tuple[str, str]:
    await connection.execute("DELETE FROM order_events WHERE order_id = $1 AND seq = 2", order_id)
    return "lost", "I5"


async def _state_changed(connection: asyncpg.Connection, order_id: str) -> tuple[str, str]:
    await connection.execute("UPDATE orders SET state = 'rejected' WHERE id = $1", order_id)
    return "contradicted", "I1"


async def _order_lost(connection: asyncpg.Connection, order_id: str) -> tuple[str, str]:
    for table in CHILDREN:
        await connection.execute(f"DELETE FROM {table} WHERE order_id = $1", order_id)
    await connection.execute("DELETE FROM orders WHERE id = $1", order_id)
    return "lost", "I1"
