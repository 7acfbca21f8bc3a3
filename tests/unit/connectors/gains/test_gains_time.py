"""Frames that are older than one before: repetitions, late ones, a clock that went back."""

from tests.unit.connectors.gains.test_gains_prices import BTC_QUOTES
from tests.unit.connectors.gains.world import SERVER_MS, World, lively, marks


def test_an_older_frame_is_a_repetition_of_prices_and_of_life() -> None:
    world = World().open()
    world.send({"m": [0, 100000.0], "t": SERVER_MS + 500})
    world.events()
    world.send({"m": [0, 90000.0], "t": SERVER_MS + 499})
    assert world.events() == []
    world.send({"m": [0, 100000.0], "t": SERVER_MS + 500})
    assert world.quotes() == BTC_QUOTES


def test_a_clock_of_the_venue_that_was_set_back_needs_a_new_connection() -> None:
    world = World().open()
    world.send({"m": [0, 100000.0], "t": SERVER_MS + 3_600_000})
    world.send({"m": [0, 100000.0], "t": SERVER_MS})
    assert world.prices.failure is not None
    assert world.prices.failure.code == "TIME_WENT_BACK"


def test_a_late_frame_still_tells_the_pairs_that_no_newer_one_named() -> None:
    world = World().open()
    world.send({"m": [0, 90000.0, 2, 1.5], "t": SERVER_MS + 100})
    world.send({"m": [0, 100000.0], "t": SERVER_MS + 300})
    world.events()
    world.send({"m": [0, 95000.0, 2, 1.6], "i": [0, 1.0], "t": SERVER_MS + 200})
    events = world.events()
    assert marks(events) == [("EUR-USD", 16 * 10**9)]
    assert lively(events) == 0
    world.send({"m": [2, 1.5], "t": SERVER_MS + 100})
    assert world.events() == []


def test_a_late_frame_is_not_newer_than_the_seed_or_than_a_doubt() -> None:
    world = World().open()
    assert world.seed_asked()
    world.send({"t": SERVER_MS + 300})
    world.seed(100000.0)
    world.events()
    world.send({"m": [0, 90000.0], "t": SERVER_MS + 200})
    assert world.quotes() == []
    world.send({"m": [2, 1.5], "t": SERVER_MS + 400})
    world.raw("{")
    world.events()
    world.send({"t": SERVER_MS + 600})
    world.send({"m": [2, 1.6], "t": SERVER_MS + 500})
    assert world.quotes() == []


def test_a_clock_set_back_by_seconds_shows_when_nothing_newer_comes() -> None:
    world = World().open()
    world.send({"m": [0, 100000.0], "t": SERVER_MS + 5_000})
    for number in range(4):
        assert world.prices.failure is None
        world.send({"m": [0, 90000.0 + number], "t": SERVER_MS + number})
        world.wait(0.7, beats=False)
    assert world.prices.failure is not None
    assert world.prices.failure.code == "TIME_WENT_BACK"


def test_repetitions_between_newer_frames_are_no_clock_set_back() -> None:
    world = World().open()
    for number in range(10):
        world.send({"t": SERVER_MS + 1_000 * number})
        world.send({"t": SERVER_MS})
        world.wait(0.9, beats=False)
    assert world.prices.failure is None
