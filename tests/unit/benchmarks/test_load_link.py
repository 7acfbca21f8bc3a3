"""One socket of the load client: its handshake, and the order of what it is sent."""

import socket
from collections.abc import Iterator

import orjson
import pytest

from benchmarks.load import scanner
from benchmarks.load.link import Link, LinkEnd, Stage, subscription
from benchmarks.load.plan import Counts
from benchmarks.load.scanner import Scanner
from tests.unit.benchmarks.load_frames import close, frame, price

BTC, ETH = "price:BTC-USD", "price:ETH-USD"


class Rig:
    """A link, and the other end of its connection."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.caught_up: list[int] = []
        subscribe = subscription((BTC, ETH), "max")
        self.link = Link((BTC, ETH), subscribe, False, self.counts, self.caught_up.append)
        ours, self.server = socket.socketpair()
        self.server.setblocking(False)
        self.link.opened(ours, 1)
        self.link.stage = Stage.JOINING

    def give(self, *packets: bytes) -> None:
        chunk = Scanner().read(b"".join(map(frame, packets)))
        for message in chunk.messages:
            self.link.take(message)

    def subscribed(self, **seqs: int) -> None:
        rooms = {f"price:{market}-USD": {"seq": seq} for market, seq in seqs.items()}
        self.give(b"430" + orjson.dumps([{"ok": True, "rooms": rooms}]))

    @property
    def said(self) -> bytes:
        return self.server.recv(65536)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.link.socket.close()
    rig.server.close()


def test_the_handshake_asks_for_the_rooms_and_answers_pings(rig: Rig) -> None:
    rig.give(b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
    assert rig.said == scanner.masked(scanner.TEXT, b"40")
    rig.give(b'40{"sid":"b"}')
    expected = b'420["subscribe",{"rooms":["price:BTC-USD","price:ETH-USD"]}]'
    assert rig.said == scanner.masked(scanner.TEXT, expected)
    rig.give(b"2")
    assert rig.said == scanner.masked(scanner.TEXT, b"3")
    assert rig.link.stage is Stage.JOINING
    rig.subscribed(BTC=5, ETH=6)
    assert rig.link.stage is Stage.SUBSCRIBED
    assert rig.link.last == {BTC: 5, ETH: 6}


def test_a_rate_is_asked_for() -> None:
    assert subscription((BTC,), 10).endswith(b'{"rooms":["price:BTC-USD"],"rate":10}]')


@pytest.mark.parametrize("answer", [b"430[]", b'430[{"ok":true}]', b"430[null]"])
def test_a_mere_acknowledgement_joins_all_rooms(rig: Rig, answer: bytes) -> None:
    rig.give(answer, price(ETH, 1))
    assert rig.link.last == {BTC: -1, ETH: 1}
    assert not any(rig.counts.violations.values())


def test_refused_rooms_are_counted_by_code(rig: Rig) -> None:
    errors = [{"room": ETH, "code": "UNKNOWN_MARKET", "message": "no"}]
    answer = {"ok": False, "rooms": {BTC: {"seq": 5}}, "errors": errors}
    rig.give(b"430" + orjson.dumps([answer]))
    assert rig.counts.rooms_refused == {"UNKNOWN_MARKET": 1}
    assert rig.link.last == {BTC: 5}


@pytest.mark.parametrize(
    ("updates", "violations"),
    [
        ([price(BTC, 6), price(ETH, 11), price(BTC, 9)], {}),
        ([price(BTC, 6), price(BTC, 4)], {"backwards": 1}),
        ([price(BTC, 6), price(BTC, 6)], {"repeated": 1}),
        ([price(BTC, 5)], {"repeated": 1}),
        ([price("price:SOL-USD", 1)], {"before_answer": 1}),
        # The feed fell silent, and is back with nothing new.
        ([price(BTC, 6), price(BTC, 6, cause="status"), price(BTC, 6)], {}),
        ([price(BTC, 6, cause="status"), price(BTC, 6), price(BTC, 6)], {"repeated": 2}),
        ([price(BTC, 6), price(BTC, 6, cause="status"), *[price(BTC, 6)] * 2], {"repeated": 1}),
        (
            [price(BTC, 5, cause="status"), price(BTC, 6), price(BTC, 6)],
            {"repeated": 1},
        ),
        ([price(BTC, 6), price(BTC, 4, cause="status")], {"backwards": 1}),
    ],
)
def test_sequences(rig: Rig, updates: list[bytes], violations: dict[str, int]) -> None:
    rig.subscribed(BTC=5, ETH=10)
    rig.give(*updates)
    assert {name: n for name, n in rig.counts.violations.items() if n} == violations
    assert rig.counts.deliveries == len(updates)


def test_a_slow_reader_may_get_the_end_of_a_silence_alone(rig: Rig) -> None:
    rig.link.slow = True
    rig.subscribed(BTC=5, ETH=10)
    rig.give(price(BTC, 5))
    assert rig.counts.repeated == 0


def test_an_update_before_the_answer_is_counted(rig: Rig) -> None:
    rig.give(price(BTC, 6), b'40{"sid":"b"}')
    assert rig.counts.before_answer == 1


def test_snapshots_of_the_next_connection_are_not_older(rig: Rig) -> None:
    rig.subscribed(BTC=5, ETH=10)
    rig.give(price(BTC, 8))
    rig.link.forget()
    # A try that fails on the way changes nothing.
    rig.link.forget()
    rig.subscribed(BTC=7, ETH=10)
    assert rig.counts.older_snapshots == 1


def test_a_slow_reader_has_caught_up_with_an_update_made_since(rig: Rig) -> None:
    rig.subscribed(BTC=5, ETH=10)
    rig.link.resumed_us = 1_000
    rig.give(price(BTC, 6, published_us=999))
    assert rig.caught_up == []
    rig.give(price(BTC, 7, published_us=1_000), price(BTC, 8, published_us=1_001))
    assert rig.caught_up == [1_000]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (close(4008, "SLOW_CONSUMER"), "closed with 4008 SLOW_CONSUMER"),
        (frame(b"", 8), "closed with 1005"),
        (frame(b"1"), "closed by Engine.IO"),
        (frame(b"41"), "disconnected from the namespace"),
        (frame(b'44{"message":"no"}'), 'connect error {"message":"no"}'),
    ],
)
def test_ends_have_a_reason(rig: Rig, data: bytes, reason: str) -> None:
    (message,) = Scanner().read(data).messages
    with pytest.raises(LinkEnd) as end:
        rig.link.take(message)
    assert end.value.reason == reason


ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: 7E6hdHfVP7kfkm1iTTruVB7ri/M=\r\n\r\n"
)


def test_the_http_answer_may_come_in_pieces(rig: Rig) -> None:
    rig.link.stage = Stage.UPGRADING
    for byte in ACCEPTED[:-1]:
        assert rig.link.upgraded(bytes([byte])) is None
    assert rig.link.upgraded(ACCEPTED[-1:] + b"\x81\x01") == b"\x81\x01"
    assert rig.link.stage is Stage.JOINING


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Unavailable\r\n\r\n" + b'{"code":3}', 'HTTP 503 Unavailable {"code":3}'),
        (ACCEPTED.replace(b"7E6h", b"7E6i"), "another WebSocket key was accepted"),
        (b"x" * 20_000, "no HTTP answer"),
    ],
)
def test_refusals_have_a_reason(rig: Rig, answer: bytes, reason: str) -> None:
    with pytest.raises(LinkEnd) as end:
        rig.link.upgraded(answer)
    assert end.value.reason == reason
