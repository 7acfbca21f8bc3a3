"""What waits while Redis is slow: bounded, newest of state, every item of a stream."""

from aggregator.conflate import STREAM_BOUND, Outbox


def test_state_is_conflated_and_keeps_the_order_of_publication() -> None:
    outbox: Outbox[str] = Outbox()
    for room, item in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1"), ("a", "a3")):
        outbox.put_newest(room, item)
    assert (len(outbox), outbox.conflated, outbox.high_water) == (3, 2, 3)
    assert outbox.take() == ["b1", "c1", "a3"]
    assert outbox.take() == []
    assert len(outbox) == 0


def test_streams_lose_nothing_until_the_bound_and_then_the_oldest() -> None:
    outbox: Outbox[int] = Outbox()
    for number in range(STREAM_BOUND + 7):
        outbox.put_stream(number)
    outbox.put_newest("a", -1)
    assert (outbox.dropped, outbox.conflated) == (7, 0)
    assert len(outbox) == outbox.high_water == STREAM_BOUND + 1
    assert outbox.take() == [-1, *range(7, STREAM_BOUND + 7)]
    outbox.put_stream(1)
    assert outbox.take() == [1]
