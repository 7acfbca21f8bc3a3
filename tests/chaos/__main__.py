"""``make chaos``: a whole program of its own, traded on by REST while processes beside it are
killed and stopped at every step of the life of an order and nodes lie; then the reader's verdict.

``ORDERS=1000 SEED=1 STEPS=P7:kill,P3:stop SECONDS=500``; without ``STEPS`` all of them.
"""

import argparse
import asyncio
import sys

from tests.chaos.storm import Plan, report, storm
from tests.chaos.victims import CELLS, Cell
from tests.integration.execution_kit import trading_program


def main() -> int:
    asked = _asked()
    cells = [Cell(*step.split(":")) for step in asked.steps.split(",")]
    print(f"make chaos ORDERS={asked.orders} SEED={asked.seed} STEPS={asked.steps}", flush=True)
    with trading_program() as program:
        plan = Plan(asked.orders, asked.seed, cells, seconds=asked.seconds)
        outcome = asyncio.run(storm(program, plan, _say))
    print(report(outcome))
    return 1 if outcome.failed else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", default=",".join(f"{point}:{act}" for point, act in CELLS))
    parser.add_argument("--seconds", type=float, default=3_000.0, help="no new orders after it")
    return parser.parse_args()


sys.exit(main())
