import pytest

from sandbox.faults import KINDS, NO_FAULTS, FaultBoard, FaultError

SECOND_NS = 1_000_000_000


@pytest.fixture
def board() -> FaultBoard:
    board = FaultBoard()
    board.register("dydx", KINDS, ["BTC-USD", "ETH-USD"])
    return board


def test_a_fault_ends_by_itself(board: FaultBoard) -> None:
    board.add("dydx", "freeze", None, 2, now_ns=0)
    assert board.active("dydx", 2 * SECOND_NS - 1).whole("freeze")
    assert not board.active("dydx", 2 * SECOND_NS)
    assert board.running(2 * SECOND_NS) == []


def test_a_market_s_fault_leaves_others_alone(board: FaultBoard) -> None:
    board.add("dydx", "spike", "BTC-USD", 2, now_ns=0)
    active = board.active("dydx", 1)
    assert active.hits("spike", "BTC-USD")
    assert not active.hits("spike", "ETH-USD")
    assert not active.hits("spike", None)
    assert not active.hits("cross", "BTC-USD")
    assert not active.whole("spike")


def test_a_whole_venue_includes_every_market(board: FaultBoard) -> None:
    board.add("dydx", "gap", None, 2, now_ns=0)
    active = board.active("dydx", 1)
    assert active.whole("gap")
    assert active.hits("gap", "ETH-USD")
    assert active.hits("gap", None)


def test_the_same_fault_again_gets_a_new_end(board: FaultBoard) -> None:
    board.add("dydx", "freeze", None, 10, now_ns=0)
    board.add("dydx", "freeze", None, 1, now_ns=0)
    assert len(board.running(0)) == 1
    assert not board.active("dydx", SECOND_NS)


def test_faults_of_the_connection_drop_the_market(board: FaultBoard) -> None:
    assert board.add("dydx", "drop", "BTC-USD", 1, now_ns=0).market is None
    assert board.active("dydx", 1).whole("drop")


def test_clear_ends_all(board: FaultBoard) -> None:
    board.add("dydx", "freeze", None, 10, now_ns=0)
    board.add("dydx", "gap", "BTC-USD", 10, now_ns=0)
    assert board.clear() == 2
    assert board.active("dydx", 1) is NO_FAULTS


@pytest.mark.parametrize(
    ("venue", "kind", "market", "seconds", "field"),
    [
        ("gmx", "freeze", None, 1, "venue"),
        ("dydx", "explode", None, 1, "kind"),
        ("dydx", "spike", "FOO-USD", 1, "market"),
        ("dydx", "freeze", None, 0, "seconds"),
        ("dydx", "freeze", None, 3601, "seconds"),
        ("dydx", "freeze", None, float("nan"), "seconds"),
    ],
)
def test_what_no_replica_can_show_is_refused(
    board: FaultBoard, venue: str, kind: str, market: str | None, seconds: float, field: str
) -> None:
    with pytest.raises(FaultError) as refused:
        board.add(venue, kind, market, seconds, now_ns=0)
    assert refused.value.field == field
    assert board.running(0) == []
