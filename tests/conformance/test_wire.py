"""The same for every venue: prices exact, nothing from what cannot be trusted, back afterwards."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base.protocol import Frame, HttpReply
from tests.conformance.conftest import MakeWire
from tests.conformance.kit import LEAVES_S, A, B, Bench, S, Sent, Touch

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
SPOILED = ("NaN", "1e999", "zero", "negative", "a boolean", "truncated")
WRONG: tuple[Any, ...] = (None, True, "x", [], {})


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
    spoiled = make().spoiled(A, 0)
    assert [name for name in SPOILED if not any(what.startswith(name) for what in spoiled)] == []
    for what in spoiled:
        bench = Bench(make())
        bench.history.clear()
        bench.deliver(bench.wire.spoiled(A, bench.now_ns)[what])
        bench.flush()
        bench.wait(6)
        assert bench.shown() == bench.truth(), what
        shown = {best.bid_e18 for best in bench.history if best.market == A}
        assert shown <= {None, bench.truth()[0]}, what


def body_of(frame: Frame) -> bytes:
    raw = frame.body if isinstance(frame, HttpReply) else frame
    return raw if isinstance(raw, bytes) else raw.encode()


def with_body(frame: Frame, body: bytes) -> Frame:
    return dataclasses.replace(frame, body=body) if isinstance(frame, HttpReply) else body


def unharmed(bench: Bench, spoiled: Sent, what: object) -> None:
    """Neither anything wrong is shown of it nor is anything missing after a while."""
    allowed = {None, bench.said[A].bid_e18, bench.truth()[0]}
    bench.history.clear()
    bench.deliver_all([spoiled])
    bench.wait(6)
    assert (bench.shown(A), bench.shown(B)) == (bench.truth(A), bench.truth(B)), what
    assert {quote.bid_e18 for quote in bench.since()} <= allowed, what


def test_any_frame_may_come_cut(make: MakeWire) -> None:
    kinds = {(source, len(body_of(frame))): frame for source, frame in Bench(make()).delivered}
    assert {source for source, _ in kinds} == {source.source_id for source in make().sources()}
    for (source, length), frame in kinds.items():
        for end in {1, length // 2, length - 1} - {0, length}:
            cut = with_body(frame, body_of(frame)[:end])
            unharmed(Bench(make()), (source, cut), (source, end, frame))


def leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value that is no container."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item)
        else:
            yield value, key


def retyped(raw: bytes) -> Iterator[tuple[Any, bytes]]:
    """A JSON text with one value after the other of each wrong type."""
    message = json.loads(raw)
    for place, key in list(leaves(message)):
        right = place[key]
        for wrong in WRONG:
            if type(wrong) is not type(right):
                place[key] = wrong
                yield (key, wrong), json.dumps(message).encode()
        place[key] = right


def test_a_value_of_the_wrong_type_does_no_harm(make: MakeWire) -> None:
    def changed() -> tuple[Bench, Sent]:
        bench = Bench(make())
        bench.wire.prices[A] = Touch("96000", "96000.2")
        return bench, bench.wire.update(A, bench.now_ns)[-1]

    _, (_, sample) = changed()
    for place, (what, _) in enumerate(retyped(body_of(sample))):
        # Numbers and times in the frame are those of its own bench.
        bench, (source, frame) = changed()
        body = list(retyped(body_of(frame)))[place][1]
        unharmed(bench, (source, with_body(frame, body)), what)


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
