"""What one client and one address may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.buckets import Bucket, address_of
from api.realtime import limits
from api.realtime.handshake import Refused
from api.realtime.limits import Limiter, Quotas, Verdict

S = 1_000_000_000
SMALL = Quotas(
    socket_rooms=3,
    socket_messages_per_s=2,
    socket_messages_burst=4,
    socket_bytes_per_s=100,
    socket_bytes_burst=1_000,
    address_sockets=3,
    address_connects_per_s=1,
    address_connects_burst=5,
    address_rooms=4,
    address_messages_per_s=10,
    address_messages_burst=6,
    address_bytes_per_s=1_000,
    address_bytes_burst=10_000,
)


@given(st.lists(st.tuples(st.integers(0, 5 * S), st.integers(0, 50)), max_size=40))
def test_no_more_is_spent_than_burst_and_rate_allow(steps: list[tuple[int, int]]) -> None:
    bucket, now_ns, spent = Bucket(7, 20, 0), 0, 0
    for wait_ns, amount in steps:
        now_ns += wait_ns
        if bucket.spend(amount, now_ns) >= 0:
            spent += amount
        assert -20 <= bucket.level <= 20
    assert spent <= 20 + 7 * now_ns / S + 1e-6


def test_too_many_messages_are_refused_and_a_flood_is_closed() -> None:
    use = Limiter(SMALL).admit("10.0.0.1", 0)
    assert [use.spend(1, 0) for _ in range(8)] == (
        [Verdict.TAKE] * 4 + [Verdict.REFUSE] * 3 + [Verdict.CLOSE]
    )
    assert use.spend(1, 10 * S) is Verdict.TAKE


def test_bytes_count_as_messages_do() -> None:
    use = Limiter(SMALL).admit("10.0.0.1", 0)
    assert use.spend(900, 0) is Verdict.TAKE
    assert use.spend(200, 0) is Verdict.REFUSE
    assert use.spend(5_000, 0) is Verdict.CLOSE


def test_an_address_is_bounded_over_its_clients_which_are_not_closed_for_others() -> None:
    limiter = Limiter(SMALL)
    first, second = (limiter.admit("10.0.0.1", 0) for _ in range(2))
    assert {first.spend(1, 0) for _ in range(4)} == {Verdict.TAKE}
    assert [second.spend(1, 0) for _ in range(3)] == [Verdict.TAKE] * 2 + [Verdict.REFUSE]
    assert limiter.admit("10.0.0.2", 0).spend(1, 0) is Verdict.TAKE


def test_rooms_are_bounded_for_a_client_and_for_an_address() -> None:
    use = Limiter(SMALL).admit("10.0.0.1", 0)
    assert use.may_join(2)
    assert not use.may_join(3)
    use.address.rooms = 4
    assert not use.may_join(0)


def test_open_clients_of_an_address_are_bounded() -> None:
    limiter = Limiter(SMALL)
    uses = [limiter.admit("10.0.0.1", 0) for _ in range(3)]
    with pytest.raises(Refused) as refused:
        limiter.admit("10.0.0.1", 0)
    assert refused.value.status == 429
    limiter.release(uses[0])
    limiter.admit("10.0.0.1", 0)


def test_coming_and_going_is_bounded() -> None:
    limiter = Limiter(SMALL)
    for _ in range(5):
        limiter.release(limiter.admit("10.0.0.1", 0))
    with pytest.raises(Refused):
        limiter.admit("10.0.0.1", 0)
    # The refused one counted as well: who only tries again stays out.
    limiter.release(limiter.admit("10.0.0.1", 2 * S))


def test_what_is_idle_is_forgotten() -> None:
    limiter = Limiter(SMALL)
    use, other = limiter.admit("10.0.0.1", 0), limiter.admit("10.0.0.2", 0)
    limiter.release(other)
    limiter.sweep(0)
    assert len(limiter) == 2
    limiter.sweep(60 * S)
    assert len(limiter) == 1
    limiter.release(use)
    limiter.sweep(61 * S)
    assert len(limiter) == 0


def test_all_are_swept_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SWEPT_AT_ONCE", 2)
    limiter = Limiter(SMALL)
    stays = limiter.admit("10.0.0.1", 0)
    for number in range(2, 7):
        limiter.release(limiter.admit(f"10.0.0.{number}", 0))
    for _ in range(4):
        limiter.sweep(60 * S)
    assert len(limiter) == 1
    assert limiter.admit("10.0.0.1", 60 * S).address is stays.address


def test_remembered_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES_BOUND", 3)
    limiter = Limiter(SMALL)
    limiter.admit("10.0.0.1", 0)
    for number in range(2, 10):
        limiter.release(limiter.admit(f"10.0.0.{number}", 0))
        assert len(limiter) <= 3
    assert [limiter.admit("10.0.0.1", 0).address.sockets for _ in range(2)] == [2, 3]


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:0:1::5", "20010db800000001"),
        ("2001:db8:0:1:ffff::6%eth0", "20010db800000001"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(peer: str, name: str) -> None:
    assert address_of(peer) == name


def test_scaling_leaves_the_rooms_of_a_client() -> None:
    scaled = Quotas().scaled(0.001)
    assert scaled.socket_rooms == Quotas().socket_rooms
    assert scaled.address_sockets == 1
    assert scaled.socket_messages_per_s == 1
