"""Ladders of 200 markets at three venues in one pass: numpy against the same in plain Python, in
turns, with equal results. The pools are those that the connectors know from the replicas, one a
market and venue, taken again where a venue has fewer than 200.

Budget: all-in prices, their parts and the best pool of every size and side in at most 5 ms of one
core. Then what is done with them besides: the best splits, and the rows as JSON.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
import orjson
import uvloop

from aggregator.consolidate import Consolidator
from aggregator.depth import Depths
from aggregator.ladder_rows import rows_of
from aggregator.recording.service import Nowhere
from aggregator.service import Feed
from benchmarks import ladder_reference as reference
from benchmarks.support import sandbox
from connectors import registry
from connectors.base.ladders import OpenPool, cells_of
from domain.costs import Floats
from domain.ids import VenueId
from domain.ladder import SIDES, SIZES_USD, Cells, Points, points_of, rank, splits_of
from runtime.settings import load_settings
from runtime.tasks import tune_interpreter

MARKETS = 200
ROUNDS = 31
PASSES = 10
"""One after the other in a round; the other side has one, which takes as long."""
BUDGET_MS = 5.0
COLLECT_S = 12.0
PRICE_TOLERANCE = 1e-9
BPS_TOLERANCE = 1e-5
"""Of a basis point. Powers of the two differ in their last digit, which may move a rounding by a
unit of the venue's price."""

ALONE: Points = points_of(SIZES_USD, parts=1)
DEALT: Points = points_of(SIZES_USD)

MAKE_ROW: Mapping[str, Callable[[Any], Any]] = {
    "dydx": lambda inputs: inputs,
    "gmx": reference.gmx_row,
    "gains": reference.gains_row,
}
PRICE_CELL: Mapping[str, Callable[[Any, int, float], reference.Cell]] = {
    "dydx": reference.dydx_cell,
    "gmx": reference.gmx_cell,
    "gains": reference.gains_cell,
}


async def collect() -> dict[VenueId, list[OpenPool]]:
    """The first pool of every market at every venue, as the feed would price it."""
    settings = load_settings()
    connectors = registry.build(settings)
    core = Consolidator({c.venue: c.rules.max_age_ns for c in connectors})
    depths = Depths(core, connectors)
    feed = Feed(connectors, core, depths, lambda _: Nowhere(), settings.market_filter)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(COLLECT_S, stop.set)
    await feed.run(stop)
    found: dict[VenueId, dict[str, OpenPool]] = {}
    for market, known in depths._known.items():
        for pool in known.pools:
            found.setdefault(pool.place.venue, {}).setdefault(market, pool)
    return {venue: list(found.get(venue, {}).values()) for venue in registry.ECONOMICS}


def numpy_pass(pools: Sequence[OpenPool], points: Points) -> tuple[Cells, Any]:
    places = [[pool.place for pool in pools[at : at + 3]] for at in range(0, len(pools), 3)]
    cells = cells_of(registry.ECONOMICS, pools, points)
    return cells, rank(cells, points, places)


def python_pass(pools: Sequence[OpenPool], rows: Sequence[Any]) -> list[list[list[Any]]]:
    """(all-in price, parts, whether it is the best) by side, pool and size."""
    found: list[list[list[Any]]] = []
    for side in range(len(SIDES)):
        sign = -1 if side else 1
        of_side: list[list[Any]] = []
        for pool, row in zip(pools, rows, strict=True):
            price_cell, fixed = PRICE_CELL[pool.place.venue], pool.place.fixed_usd
            cells = []
            for size in SIZES_USD:
                cell = price_cell(row, side, float(size))
                all_in = cell.price * (1 + sign * cell.fee_bps / 10_000)
                dear = sign * all_in + cell.price * fixed / size
                cells.append([all_in, cell, dear, False])
            of_side.append(cells)
        for at in range(0, len(of_side), 3):
            for size_at in range(len(SIZES_USD)):
                known = [row[size_at] for row in of_side[at : at + 3]]
                known = [cell for cell in known if cell[2] == cell[2]]
                if known:
                    min(known, key=lambda cell: cell[2])[3] = True
        found.append(of_side)
    return found


def verify(ranking: Any, found: Sequence[Sequence[Sequence[Any]]]) -> tuple[int, int]:
    """Raises SystemExit where the two differ. How many cells there are, and how many are known."""
    all_in = np.array([[[cell[0] for cell in row] for row in side] for side in found])
    best = np.array([[[cell[3] for cell in row] for row in side] for side in found])
    if (np.isnan(all_in) != np.isnan(ranking.all_in)).any():
        raise SystemExit("the two do not know the same prices")
    apart: Floats = np.abs(ranking.all_in / all_in - 1)
    if np.nanmax(apart) > PRICE_TOLERANCE:
        raise SystemExit(f"prices are {np.nanmax(apart)} apart")
    for at, name in enumerate(("fee_bps", "spread_bps", "impact_bps"), 1):
        parts = np.array([[[cell[1][at] for cell in row] for row in side] for side in found])
        off = np.nanmax(np.abs(getattr(ranking, name) - parts))
        if off > BPS_TOLERANCE:
            raise SystemExit(f"{name}: {off} apart")
    if (best != ranking.best).any():
        raise SystemExit("the two choose other pools")
    return all_in.size, int(np.isfinite(all_in).sum())


def ms(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def measure(found: Mapping[VenueId, list[OpenPool]]) -> None:
    # As in a role: what is there stays, and is not looked at again.
    tune_interpreter()
    columns = [list(islice(cycle(pools), MARKETS)) for pools in found.values()]
    pools = [pool for row in zip(*columns, strict=True) for pool in row]
    rows = [MAKE_ROW[pool.place.venue](pool.inputs) for pool in pools]
    places = [[pool.place for pool in pools[at : at + 3]] for at in range(0, len(pools), 3)]
    middle = np.full(MARKETS, np.nan)
    _, ranking = numpy_pass(pools, ALONE)
    cells, of_feed = numpy_pass(pools, DEALT)
    for at in range(MARKETS):
        middle[at] = np.nanmedian(cells.price[:, 3 * at : 3 * at + 3, 0])
    size, known = verify(ranking, python_pass(pools, rows))
    figures: dict[str, list[float]] = {"numpy": [], "python": [], "splits": [], "json": []}
    for _ in range(ROUNDS):
        several = ms(lambda: [numpy_pass(pools, ALONE) for _ in range(PASSES)])
        figures["numpy"].append(several / PASSES)
        figures["python"].append(ms(lambda: python_pass(pools, rows)))
        figures["splits"].append(
            ms(lambda: splits_of(numpy_pass(pools, DEALT)[0], DEALT, places, middle))
        )
        figures["json"].append(ms(lambda: orjson.dumps(rows_of(of_feed, places))))
    median = {name: statistics.median(values) for name, values in figures.items()}
    counts = ", ".join(f"{venue} {len(each)}" for venue, each in found.items())
    verdict = "within" if median["numpy"] <= BUDGET_MS else "OVER"
    print(
        f"{MARKETS} markets x {len(columns)} venues, made of {counts}: {size} prices, {known} known"
    )
    print(
        f"ladder     : {median['numpy']:.2f} ms a pass ({min(figures['numpy']):.2f} to "
        f"{max(figures['numpy']):.2f}), plain Python {median['python']:.1f} ms, "
        f"{median['python'] / median['numpy']:.0f} x; equal within {PRICE_TOLERANCE} of the price; "
        f"{verdict} the budget of {BUDGET_MS:.0f} ms"
    )
    print(
        f"and splits : {median['splits']:.2f} ms a pass, priced at {len(DEALT.notional_usd)} sizes"
    )
    print(f"as JSON    : {median['json']:.2f} ms a pass")


def main() -> None:
    with sandbox(1.0) as venues:
        os.environ.update(venues)
        found = uvloop.run(collect())
    missing = [venue for venue, pools in found.items() if not pools]
    if missing:
        raise SystemExit(f"no pools of {', '.join(missing)}")
    measure(found)


if __name__ == "__main__":
    main()
