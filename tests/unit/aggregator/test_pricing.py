"""Ladders from the process beside: what stands for long is told once, also to a new process."""

import os
import pickle
import signal
from collections.abc import Iterator
from decimal import Decimal

import pytest

from aggregator import pricing
from aggregator.depth import Known
from aggregator.ladders import ladders
from aggregator.pricing import Durables, ForgottenError, Pricer, priced
from connectors.base.ladders import OpenPool
from connectors.dydx.economics.pricing import BookInputs
from connectors.dydx.economics.quote import Scale
from connectors.registry import ECONOMICS
from domain.ids import MarketId, VenueId
from domain.ladder import Place
from runtime import beside

HERE, THERE = (Place(VenueId("dydx"), None, Decimal("0.25"), None) for _ in range(2))
BOOK = BookInputs(Scale(10**17, 10**15), ((1000, 10**7),), ((1001, 10**7),))


def known(place: Place) -> Known:
    return Known((OpenPool(place, BOOK, (True, True)),), (), 10**20, 100.0)


BTC, ETH = MarketId("BTC-USD"), MarketId("ETH-USD")
FOUND = {BTC: known(HERE), ETH: known(THERE)}


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    pricing._durables.clear()
    yield
    pricing._durables.clear()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_they_are_those_that_would_be_made_here() -> None:
    durables = Durables()
    expected = ladders(ECONOMICS, FOUND)
    assert priced(durables.packed(FOUND)) == expected
    assert priced(durables.packed(FOUND)) == expected


def test_what_stands_is_told_once_and_equal_things_apart() -> None:
    durables = Durables()
    known_before, told, _ = pickle.loads(durables.packed({BTC: known(HERE)}))
    assert (known_before, told) == (0, [HERE])
    known_before, told, _ = pickle.loads(durables.packed(FOUND))
    assert (known_before, told) == (1, [THERE])
    assert pickle.loads(durables.packed(FOUND))[:2] == (2, [])


def test_another_process_says_that_it_was_not_told() -> None:
    durables = Durables()
    durables.packed(FOUND)
    with pytest.raises(ForgottenError):
        priced(durables.packed(FOUND))


def test_what_is_forgotten_is_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "DURABLES_BOUND", 1)
    durables = Durables()
    for _ in range(3):
        assert priced(durables.packed(FOUND)) == ladders(ECONOMICS, FOUND)
        assert pickle.loads(durables.packed(FOUND))[0] == 0
    assert len(pricing._durables) == 2


async def test_a_lost_process_changes_nothing() -> None:
    pricer = Pricer()
    expected = ladders(ECONOMICS, FOUND)
    assert await pricer.price(FOUND) == expected
    with pytest.raises(beside.BesideLost):
        await beside.call(die)
    assert await pricer.price(FOUND) == expected
    assert await pricer.price(FOUND) == expected
