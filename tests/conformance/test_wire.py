"""The same for every venue: prices exact, nothing from what cannot be trusted, back afterwards."""

from collections.abc import Callable

import pytest

from tests.conformance.kit import LEAVES_S, A, B, Bench, S, Wire
from tests.conformance.wires import WIRES

MakeWire = Callable[[], Wire]

RUBBISH = {
    "empty": b"",
    "null": b"null",
    "a text": b'"hello"',
    "html": b"<html>503</html>",
    "no utf-8": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 5_000 + b"]" * 5_000,
    "10 MB": b'{"x":"' + b"x" * 10_000_000 + b'"}',
    "infinite": b"[1e999]",
    "NaN": b"[NaN]",
}


@pytest.fixture(params=WIRES.values(), ids=list(WIRES))
def make(request: pytest.FixtureRequest) -> MakeWire:
    made: MakeWire = request.param
    return made


@pytest.fixture
def bench(make: MakeWire) -> Bench:
    return Bench(make())


def test_prices_are_published_exactly(bench: Bench) -> None:
    assert (bench.shown(A), bench.shown(B)) == (bench.truth(A), bench.truth(B))
    for bid, ask in (("97000", "97000.1"), ("1.5", "1.7"), ("123456.7", "123456.8")):
        bench.price(A, bid, ask)
        assert bench.shown(A) == bench.truth(A)
    assert bench.shown(B) == bench.truth(B)


def test_a_quiet_market_of_a_healthy_venue_stays(bench: Bench) -> None:
    bench.history.clear()
    bench.wait(60)
    assert bench.shown() == bench.truth()
    assert all(best.live for best in bench.history)


def test_a_venue_that_goes_silent_leaves_in_time_and_comes_back(bench: Bench) -> None:
    bench.wait(bench.wire.proof_every_s)
    bench.up = False
    max_age_s = bench.wire.rules.max_age_ns / S
    bench.wait(max_age_s - bench.wire.proof_every_s - 0.1)
    assert bench.shown() == bench.truth()
    bench.wait(bench.wire.proof_every_s + 0.1 + LEAVES_S)
    assert bench.shown() == (None, None)
    assert bench.quote().state in ("stale", "connecting")
    assert bench.quote().reason
    bench.wait(30)
    bench.up = True
    bench.wait(3)
    assert bench.shown() == bench.truth()


def test_after_a_lost_connection_nothing_old_is_shown(bench: Bench) -> None:
    bench.drop()
    assert bench.shown() == (None, None)
    old = bench.truth()
    bench.wire.prices = dict.fromkeys((A, B), bench.wire.prices[B])
    bench.history.clear()
    bench.wait(3)
    assert bench.shown() == bench.truth() != old
    assert old[0] not in {best.bid_e18 for best in bench.history if best.market == A}


def test_a_repeated_frame_changes_nothing(bench: Bench) -> None:
    frames = bench.price(A, "96000", "96000.2")
    for sent in [*frames, *frames]:
        bench.deliver(sent)
    bench.flush()
    assert bench.shown() == bench.truth()


def test_a_late_frame_never_brings_an_old_price_back(bench: Bench) -> None:
    old = bench.price(A, "96000", "96000.2")
    bench.price(A, "96500", "96500.2")
    bench.history.clear()
    for sent in old:
        bench.deliver(sent)
    bench.flush()
    bench.wait(3)
    assert bench.shown() == bench.truth()
    shown = {best.bid_e18 for best in bench.history if best.market == A}
    assert shown <= {None, bench.truth()[0]}


@pytest.mark.parametrize("what", RUBBISH)
def test_rubbish_is_survived(make: MakeWire, what: str) -> None:
    bench = Bench(make())
    bench.history.clear()
    for source in bench.wire.sources():
        source_id = source.source_id
        bench.deliver((source_id, bench.wire.frame(source_id, RUBBISH[what])))
    bench.flush()
    bench.wait(6)
    assert bench.shown() == bench.truth()
    assert {best.bid_e18 for best in bench.history if best.market == A} <= {None, bench.truth()[0]}


def test_no_price_comes_from_a_spoiled_frame(make: MakeWire) -> None:
    for what in make().spoiled(A, 0):
        bench = Bench(make())
        bench.history.clear()
        bench.deliver(bench.wire.spoiled(A, bench.now_ns)[what])
        bench.flush()
        bench.wait(6)
        assert bench.shown() == bench.truth(), what
        shown = {best.bid_e18 for best in bench.history if best.market == A}
        assert shown <= {None, bench.truth()[0]}, what


def test_a_flood_of_spoiled_frames_ends_and_it_comes_back(bench: Bench) -> None:
    for _ in range(100):
        for sent in bench.wire.spoiled(A, bench.now_ns).values():
            bench.deliver(sent)
    bench.wait(6)
    assert bench.shown() == bench.truth()


def test_what_nobody_asked_for_is_passed_over(bench: Bench) -> None:
    for sent in bench.wire.stranger(bench.now_ns):
        bench.deliver(sent)
    bench.flush()
    bench.wait(6)
    assert set(bench.said) == {A, B}
    assert bench.shown() == bench.truth()


@pytest.mark.parametrize("skew_s", [-5, 5])
def test_a_wrong_wall_clock_neither_excludes_nor_keeps(make: MakeWire, skew_s: int) -> None:
    bench = Bench(make(), wall_skew_us=skew_s * 1_000_000)
    bench.wait(20)
    assert bench.shown() == bench.truth()
    bench.up = False
    bench.wait(bench.wire.rules.max_age_ns / S + LEAVES_S)
    assert bench.shown() == (None, None)
