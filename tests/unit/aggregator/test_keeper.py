"""What waits for the quotes: the newest only, in turn, and what is gone comes back."""

from aggregator import resp
from aggregator.keeper import Keeper
from runtime.wire import Envelope


def said(seq: int) -> Envelope:
    return Envelope("ladder:A", seq, b"{}")


def test_the_newest_is_written_once_with_its_envelope() -> None:
    keeper = Keeper()
    assert not keeper.waits
    keeper.keep("a", {"ladder:A": b"1", "depth:A": b"2"}, 1_000, said(1))
    keeper.keep("a", {"ladder:A": b"3", "depth:A": b"4"}, 1_000, said(2))
    assert keeper.waits
    assert keeper.is_waiting("a")
    written = [resp.set_px("ladder:A", b"3", 1_000), resp.set_px("depth:A", b"4", 1_000)]
    assert keeper.take(1) == (written, [said(2)])
    assert not keeper.waits
    assert keeper.take(1_000) == ([], [])


def test_what_does_not_fit_has_the_next_turn() -> None:
    keeper = Keeper()
    for number, name in enumerate("abc"):
        keeper.keep(name, {name: b"x" * 100}, 1_000, said(number))
    # Said again, it goes behind the others.
    keeper.keep("a", {"a": b"y" * 100}, 1_000, said(3))
    assert [envelope.seq for envelope in keeper.take(150)[1]] == [1, 2]
    assert [envelope.seq for envelope in keeper.take(150)[1]] == [3]


def test_what_stands_lives_on_by_its_life() -> None:
    keeper = Keeper()
    keeper.keep_on("a")
    assert not keeper.waits
    keeper.keep("a", {"ladder:A": b"1", "depth:A": b"2"}, 1_000, said(1))
    keeper.keep("f", {"funding:0": b"3"}, 3_000, said(2))
    keeper.keep_on("f")
    assert keeper.take_lasting() == {}
    keeper.take(1_000)
    for _ in range(2):
        keeper.keep_on("a")
        keeper.keep_on("f")
    assert keeper.waits
    assert keeper.take_lasting() == {
        1_000: (["ladder:A", "depth:A"], ["a", "a"]),
        3_000: (["funding:0"], ["f"]),
    }
    assert not keeper.waits


def test_news_are_written_in_place_of_living_on() -> None:
    keeper = Keeper()
    keeper.keep("a", {"a": b"1"}, 1_000, said(1))
    keeper.take(1_000)
    keeper.keep_on("a")
    keeper.keep("a", {"a": b"2"}, 1_000, said(2))
    assert keeper.take_lasting() == {}
    assert keeper.take(1_000) == ([resp.set_px("a", b"2", 1_000)], [said(2)])


def test_what_is_gone_is_written_again_and_not_told() -> None:
    keeper = Keeper()
    keeper.keep("a", {"a": b"1", "b": b"2"}, 1_000, said(1))
    keeper.take(1_000)
    keeper.gone("a")
    keeper.gone("unknown")
    assert keeper.take(1_000) == (
        [resp.set_px("a", b"1", 1_000), resp.set_px("b", b"2", 1_000)],
        [],
    )
    keeper.keep("a", {"a": b"3"}, 1_000, said(2))
    keeper.gone("a")
    assert keeper.take(1_000) == ([resp.set_px("a", b"3", 1_000)], [said(2)])
    keeper.clear()
    keeper.gone("a")
    assert not keeper.waits
    assert "a" not in keeper
