"""Ladders of several markets at once, and the rows that are published."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from aggregator.ladder_rows import rows_of
from domain.costs import Floats, OrderSide, PoolCost, PricedPool, UnpricedPool, best_pool
from domain.ids import VenueId
from domain.ladder import (
    SIDES,
    SIZES_USD,
    Cells,
    Place,
    Ranking,
    exact_rows,
    points_of,
    rank,
    splits_of,
)
from domain.splits import PARTS

D = Decimal
POINTS = points_of(SIZES_USD)
REFERENCE = 100.0


def place(name: str, gas: str | None = "0", fee: str | None = "0", decimals: int = 18) -> Place:
    gas_usd, execution_fee_usd = (None if text is None else D(text) for text in (gas, fee))
    return Place(VenueId(name), None, gas_usd, execution_fee_usd, decimals)


def cells(*pools: tuple[float, float, float]) -> Cells:
    """Of each pool (fee_bps, spread_bps, impact in bps of a million), linear, around 100."""
    size = POINTS.notional_usd
    shape = 2, len(pools), len(size)
    fee, spread, impact = np.empty(shape), np.empty(shape), np.empty(shape)
    for at, (fee_bps, spread_bps, impact_bps) in enumerate(pools):
        fee[:, at], spread[:, at] = fee_bps, spread_bps
        impact[:, at] = impact_bps * size / 1e6
    away = (spread + impact) / 10_000
    price = REFERENCE * np.stack([1 + away[0], 1 - away[1]])
    return Cells(price, fee, spread, impact, np.full((2, len(pools), 4), "DEPTH", dtype=object))


def without(found: Cells, pool: int, above_usd: float, side: int) -> Cells:
    """The pool does not reach further."""
    for values in found[:4]:
        values[side, pool, POINTS.notional_usd > above_usd] = np.nan
    return found


def ranked(found: Cells, *markets: list[Place]) -> Ranking:
    return rank(found, POINTS, markets)


def split(found: Cells, *markets: list[Place]) -> Any:
    """By side, market and size."""
    return splits_of(found, POINTS, markets, np.full(len(markets), REFERENCE))


def test_points_have_every_share_of_every_size() -> None:
    assert POINTS.notional_usd[POINTS.sizes].tolist() == list(SIZES_USD)
    assert POINTS.shares.shape == (4, PARTS)
    for size, shares in zip(SIZES_USD, POINTS.shares, strict=True):
        dealt = [size * part / PARTS for part in range(1, PARTS + 1)]
        assert POINTS.notional_usd[shares].tolist() == dealt
    assert points_of([7.0, 7.0]).notional_usd[-1] == 7


def test_the_best_pool_changes_with_the_size() -> None:
    found = cells((5, 1, 0), (1, 1, 50), (6, 1, 0), (0, 1, 0))
    ranking = ranked(found, [place("book"), place("pool"), place("dear")], [place("alone")])
    for side in (0, 1):
        best = ranking.best[side].tolist()
        assert best[0] == [False, False, True, True]
        assert best[1] == [True, True, False, False]
        assert best[2] == [False] * 4
        assert best[3] == [True] * 4
    assert ranking.all_in_bps[0, 1].tolist() == pytest.approx([2.05, 2.5, 7, 52])


def test_what_is_paid_once_counts_and_what_is_not_known_does_not() -> None:
    found = cells((5, 1, 0), (4, 1, 0), (4.5, 1, 0))
    pools = [place("book"), place("gas", "0.3", "0.3"), place("unknown", None, None)]
    best = ranked(found, pools).best[0].tolist()
    # At 1000 USD 0.6 USD are 6 bps, at 10,000 more than half of one.
    assert best == [[False] * 4, [False, False, True, True], [True, True, False, False]]


def test_the_first_of_equals_is_the_best() -> None:
    best = ranked(cells((5, 1, 0), (5, 1, 0)), [place("one"), place("other")]).best
    assert best[:, 0].all()
    assert not best[:, 1].any()


def test_unknown_depth_is_unknown() -> None:
    found = without(cells((5, 1, 0), (9, 1, 0)), 0, 10_000, side=0)
    found.reason[0, 0] = "SOME_CODE"
    ranking = ranked(found, [place("short"), place("long")])
    buys, sells = rows_of(ranking, [[place("short"), place("long")]])
    short = buys[0][0]
    assert short["all_in"] == ["100.060005", "100.060005", None, None]
    assert short["reason"] == [None, None, "SOME_CODE", "SOME_CODE"]
    assert short["best"] == [True, True, False, False]
    assert all(np.isnan(short[name][2]) for name in ("fee_bps", "impact_bps", "all_in_bps"))
    assert buys[0][1]["best"] == [False, False, True, True]
    assert sells[0][0]["reason"] == [None] * 4


def test_rows_are_written_out() -> None:
    pools = [place("a", "0.000001", None, 4), place("b", decimals=0)]
    (buys,), (sells,) = rows_of(ranked(cells((5, 1, 2), (0, 0, 0)), pools), [pools])
    assert buys[0] == {
        "venue": "a",
        "pool": None,
        "all_in": ["100.06", "100.0602", "100.062", "100.08"],
        "fee_bps": [5, 5, 5, 5],
        "spread_bps": [1, 1, 1, 1],
        "impact_bps": [0.002, 0.02, 0.2, 2],
        "all_in_bps": [6.002, 6.02, 6.2, 8],
        "gas_usd": "0.000001",
        "execution_fee_usd": None,
        "best": [False] * 4,
        "reason": [None] * 4,
    }
    assert buys[1]["all_in"] == ["100"] * 4
    assert sells[0]["all_in"] == ["99.94", "99.9398", "99.938", "99.92"]


@pytest.mark.parametrize(
    ("price", "text"),
    [(97_013.123456789, "97013.1234568"), (1e-9 / 3, "0.00000000033333333"), (1e8, "100000000"),
     (0.00001234, "0.00001234"), (9.99999999999999, "10")],
)  # fmt: skip
def test_prices_have_twelve_digits_at_most(price: float, text: str) -> None:
    one: Floats = np.full((2, 1, len(POINTS.notional_usd)), price)
    nothing = np.zeros_like(one)
    found = Cells(one, nothing, nothing, nothing, np.full((2, 1, 4), None, dtype=object))
    rows = rows_of(ranked(found, [place("a", decimals=17)]), [[place("a", decimals=17)]])
    assert rows[0][0][0]["all_in"][0] == text


def test_a_size_is_dealt_out_where_that_is_cheaper() -> None:
    found = cells((5, 1, 40), (5, 1, 40), (5, 1, 40), (5, 1, 40), (5, 1, 0))
    pools = [place(name) for name in ("a", "b", "c", "d")]
    splits = split(found, pools, [place("alone")])
    for side in (0, 1):
        assert splits[side][1] == [None] * 4
        row = splits[side][0][3]
        assert row is not None
        assert sorted(leg["share_bps"] for leg in row["legs"]) == [3_000, 3_000, 4_000]
        # 6 + 40 alone; dealt out 0.16 + 0.09 + 0.09 of the 40.
        assert row["all_in_bps"] == pytest.approx(6 + 0.34 * 40, abs=0.3)
        assert row["saved_bps"] == pytest.approx(0.66 * 40, abs=0.3)
        two = row["two_legs"]
        assert [leg["share_bps"] for leg in two["legs"]] == [5_000, 5_000]
        assert two["all_in_bps"] == pytest.approx(6 + 0.5 * 40, abs=0.3)
        assert two["saved_bps"] == pytest.approx(0.5 * 40, abs=0.3)


def test_a_split_that_saves_nothing_is_none() -> None:
    found = cells((5, 1, 0), (5, 1, 0))
    assert split(found, [place("a"), place("b")])[0][0] == [None] * 4


def test_a_split_reaches_where_no_pool_does() -> None:
    found = without(without(cells((5, 1, 0), (6, 1, 0)), 0, 600_000, 0), 1, 600_000, 0)
    row = split(found, [place("a"), place("b")])[0][0][3]
    assert row is not None
    assert [leg["share_bps"] for leg in row["legs"]] == [6_000, 4_000]
    assert row["saved_bps"] is None
    assert row["two_legs"] is None


def test_without_a_reference_there_is_no_split() -> None:
    found = cells((5, 1, 40), (5, 1, 40))
    none = splits_of(found, POINTS, [[place("a"), place("b")]], np.array([np.nan]))
    assert none[0][0] == [None] * 4


# Exact --------------------------------------------------------------------------------------------


def exact(name: str, side: OrderSide, size: str, price: str, fee: str = "5") -> PricedPool:
    return PricedPool(VenueId(name), None, side, D(size), D(price), D(fee), D("0.5"), D("0.25"))


@pytest.mark.parametrize("side", SIDES)
def test_exact_rows(side: OrderSide) -> None:
    dear, cheap = ("101", "100") if side == "BUY" else ("100", "101")
    gone = UnpricedPool(VenueId("a"), None, side, D(20), "DEPTH")
    costs: list[list[PoolCost]] = [
        [exact("a", side, "10", dear), gone],
        [exact("b", side, size, cheap) for size in ("10", "20")],
    ]
    first, second = exact_rows([place("a", decimals=1), place("b", None)], costs)
    assert first["reason"] == [None, "DEPTH"]
    assert first["best"] == [False, False]
    # 101.0505 and 99.95, cut to one decimal against the taker.
    assert first["all_in"] == ["101.1" if side == "BUY" else "99.9", None]
    assert first["fee_bps"] == [5.0, None]
    assert first["all_in_bps"] == [5.75, None]
    assert second["best"] == [True, True]
    assert second["all_in"] == ["100.05" if side == "BUY" else "100.9495"] * 2
    assert (second["gas_usd"], second["execution_fee_usd"]) == (None, "0")
    assert exact_rows([], []) == []


def test_the_float_choice_is_the_exact_one() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        pools = [tuple(rng.uniform(0, 10, 3)) for _ in range(4)]
        fees = [str(round(float(rng.uniform(0, 3)), 2)) for _ in pools]
        places = [place(f"v{at}", fee) for at, fee in enumerate(fees)]
        found: Any = cells(*pools)
        ranking = ranked(found, places)
        for side, name in enumerate(SIDES):
            for size, point in zip(range(4), POINTS.sizes, strict=True):
                priced = [
                    PricedPool(
                        item.venue, None, name, D(SIZES_USD[size]),
                        D(found.price[side, at, point]), D(found.fee_bps[side, at, point]),
                        D(0), D(0), item.gas_usd, item.execution_fee_usd,
                    )
                    for at, item in enumerate(places)
                ]  # fmt: skip
                best = best_pool(priced)
                assert best is not None
                chosen = int(ranking.best[side, :, size].argmax())
                assert places[chosen].venue == best.venue
