"""The short part of ``make chaos``: a few orders while processes are killed at a few steps; then
the reader finds nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos import storm
from tests.chaos.storm import Outcome, Plan, report
from tests.chaos.victims import Cell
from tests.integration.program_kit import Program
from tests.servers import open_folder

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with open_folder() as folder:
        program = Program(folder / "data")
        program.env |= storm.SETTINGS
        program.start()
        yield program
        program.end()


@pytest.fixture(scope="module")
def outcome(program: Program) -> Outcome:
    cells = [Cell("P2", "kill"), Cell("P7", "kill")]
    plan = Plan(orders=8, seed=7, cells=cells, traders=4, seconds=60)
    return asyncio.run(storm.storm(program, plan, print))


def test_nothing_is_lost_doubled_or_contradicted(outcome: Outcome) -> None:
    told = report(outcome)
    assert outcome.met, told
    assert not outcome.unsettled, told
    assert not outcome.verdict.findings, told
    assert outcome.verdict.states["filled"] > 0, told
