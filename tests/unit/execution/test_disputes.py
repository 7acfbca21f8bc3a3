"""When it is told that nodes differ."""

from execution.disputes import TOLD_AFTER_NS, Disputes
from execution.metrics import RECEIPTS_DISPUTED


def test_what_lasts_is_told_once_and_again_when_it_comes_back() -> None:
    now_ns = 0
    noted = Disputes(7, lambda: now_ns)
    gauge = RECEIPTS_DISPUTED.labels("7")
    assert noted.note({"0xa"}) == []
    assert gauge._value.get() == 0
    now_ns = TOLD_AFTER_NS
    assert noted.note({"0xa", "0xb"}) == ["0xa"]
    assert noted.note({"0xa", "0xb"}) == []
    now_ns = 2 * TOLD_AFTER_NS
    assert noted.note({"0xa", "0xb"}) == ["0xb"]
    assert gauge._value.get() == 2
    assert noted.note(set()) == []
    assert gauge._value.get() == 0
    assert noted.note({"0xa"}) == []
    now_ns = 3 * TOLD_AFTER_NS
    assert noted.note({"0xa"}) == ["0xa"]
