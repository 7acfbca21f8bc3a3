"""The same for every venue: what cannot be trusted any more leaves, says why, and comes back."""

from connectors.base.protocol import WsTransport
from tests.conformance.kit import LEAVES_S, A, B, Bench, S, Touch, prices_of, touches, unexplained

CROSSED_S = 4.0
"""A book that crosses for a block or two is usual."""
HALF_OPEN_S = 10.0
LONG_S = 60.0


def gone_and_told(bench: Bench) -> bool:
    return bench.shown() == (None, None) and bool(bench.quote().reason)


def test_what_got_lost_is_made_up_for(bench: Bench) -> None:
    old = bench.truth()
    bench.wire.prices[A] = Touch("96000", "96000.2")
    bench.history.clear()
    bench.deliver_all(bench.wire.lost(A, bench.now_ns))
    bench.wait(bench.wire.rules.max_age_ns / S + LEAVES_S)
    assert bench.shown() in ((None, None), bench.truth())
    bench.wait(6)
    assert bench.shown() == bench.truth()
    assert prices_of(bench.since()) <= {*old, *bench.truth()}
    assert unexplained(bench.since()) == []


def test_frames_in_the_wrong_order_never_show_the_older_price(bench: Bench) -> None:
    """The price that comes too late has the better bid."""
    first = bench.truth()
    bench.wire.prices[A] = Touch("96500.1", "96500.3")
    late = bench.wire.update(A, bench.now_ns)
    bench.history.clear()
    bench.price(A, "96500", "96500.2")
    bench.deliver_all(late)
    bench.wait(6)
    assert bench.shown() == bench.truth()
    assert prices_of(bench.since()) <= {*first, *bench.truth()}


def test_levels_and_pools_of_a_lost_connection_are_no_ghosts(bench: Bench) -> None:
    """After the reconnect the market is below and then above all that was, so that anything left
    of it would be the best bid or the best ask."""
    for bid, ask in (("97000", "97001"), ("97100", "97101")):
        bench.price(A, bid, ask)
    bench.drop()
    bench.wire.prices[A] = Touch("90000", "90001")
    bench.history.clear()
    bench.wait(3)
    said = {bench.truth()}
    assert bench.shown() == bench.truth()
    for bid, ask in (("80000", "80001"), ("99000", "99001"), ("90000", "90001")):
        bench.price(A, bid, ask)
        said.add(bench.truth())
        assert bench.shown() == bench.truth()
    assert prices_of(bench.since()) <= {price for touch in said for price in touch}


def test_each_connection_may_be_lost_alone(bench: Bench) -> None:
    for source_id in bench.sources:
        bench.drop(source_id)
        bench.wait(3)
        bench.price(A, "96000", "96000.2")
        assert (bench.shown(A), bench.shown(B)) == (bench.truth(A), bench.truth(B)), source_id
        bench.price(A, "95000", "95000.2")
        bench.wait(3)
        assert bench.shown() == bench.truth(), source_id


def test_a_bid_above_the_ask_is_never_shown_and_does_not_stay(bench: Bench) -> None:
    bench.history.clear()
    bench.price(A, "97013.5", "97012.5")
    bench.wait(CROSSED_S + 2 * LEAVES_S)
    assert gone_and_told(bench)
    bench.wait(LONG_S)
    assert gone_and_told(bench)
    assert bench.shown(B) == bench.truth(B)
    bench.price(A, "97012.5", "97013.5")
    bench.wait(6)
    assert bench.shown() == bench.truth()
    for place in touches(bench.since()):
        assert place.bid_e18 is None or place.ask_e18 is None or place.bid_e18 <= place.ask_e18


def test_prices_that_nothing_proves_leave_and_stay_out_whatever_else_comes(bench: Bench) -> None:
    bench.wire.stalled = True
    bench.wait(bench.wire.stall_s + LEAVES_S)
    assert gone_and_told(bench)
    bench.history.clear()
    bench.wait(LONG_S)
    assert [best for best in bench.history if best.live] == []
    bench.wire.stalled = False
    bench.price(A, "96000", "96000.2")
    bench.wait(6)
    assert bench.shown() == bench.truth()


def test_a_socket_whose_other_end_is_gone_is_given_up(bench: Bench) -> None:
    """Nothing comes and nothing is refused: only the session's own deadlines tell."""
    sockets = [s for s in bench.sources.values() if isinstance(s.transport, WsTransport)]
    bench.up = False
    bench.wait(HALF_OPEN_S)
    carrying = [s.source_id for s in sockets if s.markets]
    assert [name for name in carrying if bench.connected(name)] == []
    bench.wait(LONG_S)
    assert [s.source_id for s in sockets if bench.connected(s.source_id)] == []
    assert gone_and_told(bench)
    bench.up = True
    bench.wait(6)
    assert bench.shown() == bench.truth()
