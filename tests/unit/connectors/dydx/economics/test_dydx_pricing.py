"""Depth of a book as the feed publishes it, and ladders on the recorded ETH book."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from connectors.base import markets
from connectors.base.economics import PoolDepth
from connectors.dydx.connector import DydxConnector
from connectors.dydx.economics.pricing import ECONOMICS, BookInputs
from connectors.dydx.economics.quote import Scale, scale_of
from domain.book import Book, BookLevels
from domain.costs import UnpricedPool
from domain.errors import InputError
from tests.servers import LOOPBACK
from tests.unit.connectors.dydx.economics.kit import D, crossed_eth_book, eth_book
from tests.unit.connectors.dydx.link import market

MARKET, BIDS, ASKS = eth_book()
SIZES = [1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0]


def inputs_of(bids: Any = BIDS, asks: Any = ASKS) -> BookInputs:
    return BookInputs(scale_of(MARKET), tuple(bids), tuple(asks))


def connector() -> DydxConnector:
    return DydxConnector("ws://none", "http://none", LOOPBACK, "none", markets.load())


def test_the_ladder_of_a_recorded_book_is_that_of_exact_prices() -> None:
    _, book = crossed_eth_book()
    levels = book.levels()
    inputs = [inputs_of(), inputs_of(levels.bids, levels.asks), inputs_of(BIDS[:1], ASKS[:3])]
    found = ECONOMICS.ladder(inputs, np.array(SIZES))
    for at, item in enumerate(inputs):
        for place, size in enumerate(SIZES):
            for side in (0, 1):
                cell = side, at, place
                exact = ECONOMICS.price(None, item, ("BUY", "SELL")[side], Decimal(size))
                if isinstance(exact, UnpricedPool):
                    assert found.reason is not None
                    assert found.reason[cell] == exact.reason == "DEPTH"
                    parts = (values[cell] for values in found[:4])
                    assert all(np.isnan(value) for value in parts)
                    continue
                assert found.price[cell] == pytest.approx(float(exact.price), rel=1e-12)
                assert found.fee_bps[cell] == 5
                assert found.spread_bps[cell] == pytest.approx(float(exact.spread_bps), rel=1e-9)
                assert found.impact_bps[cell] == pytest.approx(float(exact.impact_bps), rel=1e-9)
    assert not np.isnan(found.price[:, 0, :3]).any()


@pytest.mark.parametrize(("bids", "asks"), [((), ()), (BIDS, ()), ((), ASKS)])
def test_a_book_without_a_side_has_no_touch(bids: Any, asks: Any) -> None:
    item = inputs_of(bids, asks)
    found = ECONOMICS.ladder([item, inputs_of()], np.array(SIZES[:2]))
    assert np.isnan(found.price[:, 0]).all()
    assert found.reason is not None
    assert set(found.reason[:, 0].flat) == {"NO_BOOK"}
    assert not np.isnan(found.price[:, 1]).any()
    exact = ECONOMICS.price(None, item, "BUY", D(1000))
    assert isinstance(exact, UnpricedPool)
    assert exact.reason == "NO_BOOK"


def test_less_than_a_step_is_no_order() -> None:
    found = ECONOMICS.ladder([inputs_of()], np.array([3.3, 3.4]))
    assert found.reason is not None
    assert found.reason[:, 0].tolist() == [["BELOW_STEP", None], ["BELOW_STEP", None]]


def test_big_integers_are_strings() -> None:
    inputs = BookInputs(Scale(10**18, 10**9), ((10**16, 2),), ((10**16 + 1, 2**53),), 450)
    row = ECONOMICS.encode(inputs)
    assert row["tick_e18"] == str(10**18)
    assert row["bids"] == [str(10**16), 2]
    assert row["asks"] == [str(10**16 + 1), str(2**53)]
    assert ECONOMICS.decode(row) == inputs


@pytest.mark.parametrize(
    "change",
    [
        {"bids": [1]}, {"bids": [1, 0]}, {"bids": [1, "x"]}, {"bids": [1, 1.0]}, {"bids": None},
        {"bids": [1, 1, 2, 1]}, {"asks": [2, 1, 1, 1]}, {"asks": [2, 1, 2, 1]},
        {"bids": [5, 1], "asks": [5, 1]}, {"tick_e18": "-1"}, {"tick_e18": ""},
        {"taker_ppm": "5"}, {"taker_ppm": 0.5}, {"step_e18": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_depth(change: dict[str, Any]) -> None:
    row = ECONOMICS.encode(inputs_of(BIDS[:2], ASKS[:2]))
    for bad in (row | change, {name: row[name] for name in row if name not in change}, None, []):
        with pytest.raises(InputError) as refused:
            ECONOMICS.decode(bad)
        assert refused.value.code == "BAD_DEPTH"


def test_depth_is_the_same_object_while_the_book_is() -> None:
    made, listed, book = connector(), market(), Book()
    book.snapshot(((100, 5), (99, 5)), ((101, 5),), 1)
    (first,) = made.depth(listed, book.levels(), 0)
    assert first == PoolDepth(
        None, BookInputs(scale_of(listed), ((100, 5), (99, 5)), ((101, 5),)), D(0), D(0)
    )
    assert made.depth(listed, book.levels(), 1)[0] is first
    book.apply(True, 98, 1, 2)
    (second,) = made.depth(listed, book.levels(), 2)
    assert second != first
    # Other scales are another market.
    assert made.depth(market(tick="0.5"), book.levels(), 2)[0] != second
    assert made.depth(listed, BookLevels((), ()), 3) == ()
    assert made.depth(listed, None, 3) == ()
