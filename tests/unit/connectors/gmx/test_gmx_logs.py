"""The event subscription: replay after every connect, repeated and removed logs, nonsense."""

import json
from collections import Counter
from typing import Any

import pytest
from eth_abi.abi import encode

from connectors.base.protocol import HttpReply
from connectors.gmx import constants as c
from connectors.gmx import eventlog
from connectors.gmx.logs import LogsSession
from connectors.gmx.state import GmxState, InterestKey, Listing, LogMirror
from domain.events import VenueStatus
from domain.ids import MarketId
from tests.unit.connectors.gmx.kit import START_NS, S, recorded

EMITTER = "0xC8ee91A54287DB53897056e12D9819156D3822Fb"
MARKET, USDC = "0x" + "7" * 40, "0x" + "a" * 40
LONG = InterestKey("OpenInterestUpdated", MARKET, USDC, True)
EMPTY: Any = [[], []]
LISTING = Listing(MarketId("BTC-USD"), "0x" + "9" * 40, 8, "BTC", (MARKET,))


def interest(
    value: int, block: int, index: int = 0, fork: str = "a", name: str = LONG.event, **fields: Any
) -> dict[str, Any]:
    """A log that says: the open interest of longs is now ``value``."""
    addresses = [[["market", MARKET], ["collateralToken", USDC]], []]
    groups = [
        addresses, [[["nextValue", value]], []], [[["delta", -1]], []], [[["isLong", True]], []],
        EMPTY, EMPTY, EMPTY,
    ]  # fmt: skip
    data = encode(eventlog._TYPES, ["0x" + "1" * 40, name, groups])
    return {
        "address": EMITTER.lower(),
        "topics": [c.EVENT_KINDS["EventLog1"], c.EVENTS[LONG.event], "0x" + MARKET[2:].zfill(64)],
        "data": "0x" + data.hex(),
        "blockNumber": hex(block),
        "blockHash": "0x" + f"{fork}{block:x}".zfill(64),
        "transactionHash": "0x" + f"{fork}{block:x}".zfill(64),
        "logIndex": hex(index),
        "removed": False,
    } | fields


class Node:
    """A connection to a node that answers at once unless it is told to be silent.

    ``chain``: logs that eth_getLogs finds; ``replays``: the ranges it was asked for.
    """

    def __init__(self, mirror: LogMirror | None = None) -> None:
        self.state = GmxState()
        self.mirror = self.state.mirror = mirror or LogMirror()
        self.state.list_markets([LISTING])
        self.now_ns = START_NS
        self.session = LogsSession(self.state, EMITTER, 42161, self.now_ns)
        self.chain: list[dict[str, Any]] = []
        self.replays: list[tuple[int, int]] = []
        self.results: dict[str, Any] = {"eth_chainId": "0xa4b1"}
        self.errors: dict[str, Any] = {}
        self.silent: set[str] = set()
        self.states: list[Any] = []

    def open(self, head: int = 100) -> "Node":
        self.serve()
        self.head(head)
        return self

    def serve(self) -> None:
        """Answers until nothing more is asked."""
        while requests := self.session.outgoing():
            for text in requests:
                request = json.loads(text)
                if request["method"] not in self.silent:
                    self._answer(request)
        self.states += self.session.events()

    def _answer(self, request: dict[str, Any]) -> None:
        method, params = request["method"], request["params"]
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if method in self.errors:
            self.send(answer | {"error": self.errors[method]})
            return
        result = self.results.get(method)
        if method == "eth_subscribe":
            result = f"0x{params[0]}"
        elif method == "eth_getLogs" and result is None:
            assert params[0]["address"] == EMITTER.lower()
            first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
            self.replays.append((first, last))
            result = [log for log in self.chain if first <= int(log["blockNumber"], 16) <= last]
        self.send(answer | {"result": result})

    def send(self, message: Any) -> None:
        self.raw(json.dumps(message).encode())

    def raw(self, frame: bytes) -> None:
        self.session.receive(frame, 0, self.now_ns)

    def notice(self, name: str, result: Any) -> None:
        params = {"subscription": f"0x{name}", "result": result}
        self.send({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})
        self.serve()

    def head(self, block: int) -> None:
        self.notice("newHeads", {"number": hex(block), "hash": "0x1"})

    def log(self, raw: dict[str, Any]) -> None:
        self.notice("logs", raw)

    def wait(self, seconds: float) -> None:
        """Moves the clock as the driver does, without any frame."""
        end_ns = self.now_ns + round(seconds * S)
        while self.now_ns < end_ns:
            wanted_ns = max(self.session.next_deadline_ns(), self.now_ns + 5_000_000)
            self.now_ns = min(end_ns, wanted_ns)
            self.session.advance(self.now_ns)
            self.serve()

    @property
    def value(self) -> int | None:
        found = self.mirror.open_interest.get(LONG)
        return None if found is None else found.value

    @property
    def failure(self) -> str | None:
        return None if self.session.failure is None else self.session.failure.code


def test_what_is_subscribed() -> None:
    node = Node()
    asked: list[Any] = []
    for _ in range(2):
        for text in node.session.outgoing():
            asked.append(json.loads(text))
            node._answer(asked[-1])
    methods = [(item["method"], item["params"][:1]) for item in asked]
    subscribe = "eth_subscribe"
    assert methods == [("eth_chainId", []), (subscribe, ["logs"]), (subscribe, ["newHeads"])]
    wanted = {"address": EMITTER.lower(), "topics": asked[1]["params"][1]["topics"]}
    assert asked[1]["params"][1] == wanted
    assert wanted["topics"] == [list(c.EVENT_KINDS.values()), list(c.EVENTS.values())]


def test_the_first_connection_has_nothing_to_catch_up_with() -> None:
    node = Node()
    node.serve()
    assert not node.session.healthy
    node.head(100)
    assert node.session.healthy
    assert node.states == [VenueStatus("live")]
    assert node.replays == []
    node.log(interest(7, 101))
    assert node.value == 7
    assert node.session.decoded == {"OpenInterestUpdated": 1}


def test_recorded_logs_are_counted_by_name() -> None:
    node = Node().open()
    rows = recorded("eventemitter-logs.42161.json")
    rows += recorded("synthetic-order-lifecycle-logs.json")["logs"]
    wanted = [row for row in rows if row["eventName"] in c.EVENTS]
    for index, row in enumerate(wanted):
        node.log({"blockHash": "0x" + "0" * 64} | row["log"] | {"logIndex": hex(index)})
    assert node.session.decoded == Counter(row["eventName"] for row in wanted)
    assert len(node.session.decoded) == 8
    assert node.failure is None


def test_a_log_is_taken_once() -> None:
    node = Node().open()
    for _ in range(3):
        node.log(interest(7, 101))
    assert node.session.decoded == {"OpenInterestUpdated": 1}


def test_after_a_reconnect_the_missed_blocks_are_read() -> None:
    first = Node().open(100)
    first.log(interest(7, 101))
    first.head(101)
    again = Node(first.mirror)
    again.chain = [interest(7, 101), interest(8, 105), interest(9, 140)]
    again.open(145)
    assert again.replays == [(85, 104), (105, 124), (125, 144), (145, 145)]
    assert again.value == 9
    assert again.session.decoded == {"OpenInterestUpdated": 3}
    assert again.mirror.synced_block == 145
    assert again.session.healthy
    again.head(150)
    assert again.mirror.synced_block == 150


def test_events_that_come_while_the_missed_ones_are_read_stay_newest() -> None:
    first = Node().open(100)
    again = Node(first.mirror)
    again.silent = {"eth_getLogs"}
    again.serve()
    again.head(110)
    again.log(interest(50, 111))
    assert not again.session.healthy
    again.send({"id": 4, "result": [interest(40, 108)]})
    again.silent = set()
    again.serve()
    assert again.value == 50
    assert again.session.healthy


def test_a_connection_lost_while_reading_goes_on_where_it_was() -> None:
    first = Node().open(100)
    lost = Node(first.mirror)
    lost.silent = {"eth_getLogs"}
    lost.serve()
    lost.head(200)
    lost.send({"id": 4, "result": []})
    again = Node(first.mirror).open(205)
    assert again.replays[0] == (103 - 16, 103 + 3)


@pytest.mark.parametrize(("head", "kept"), [(4100, True), (4101, False)])
def test_after_too_long_an_absence_nothing_is_known(head: int, kept: bool) -> None:
    first = Node().open(100)
    first.log(interest(7, 100))
    again = Node(first.mirror).open(head)
    assert bool(again.replays) == kept
    assert again.value == (7 if kept else None)
    assert again.session.healthy
    assert again.mirror.synced_block == head


def test_a_node_that_refuses_the_missed_logs_leaves_them_unknown() -> None:
    first = Node().open(100)
    first.log(interest(7, 100))
    again = Node(first.mirror)
    again.errors = {"eth_getLogs": {"code": -32005, "message": "too many"}}
    again.open(110)
    assert again.value is None
    assert again.session.healthy


def test_a_node_a_little_behind_takes_nothing_back() -> None:
    first = Node().open(100)
    first.log(interest(7, 100))
    again = Node(first.mirror).open(90)
    assert again.replays == [(84, 90)]
    assert again.session.healthy
    assert again.mirror.synced_block == 100
    assert again.value == 7


def test_what_another_chain_has_told_is_forgotten() -> None:
    first = Node().open(100)
    first.log(interest(7, 100))
    again = Node(first.mirror).open(50)
    assert again.session.healthy
    assert again.value is None
    assert again.mirror.synced_block == 50
    again.log(interest(8, 51))
    assert again.value == 8


def test_a_removed_log_takes_its_value_with_it() -> None:
    node = Node().open()
    node.log(interest(7, 101))
    node.log(interest(8, 102, fork="b"))
    node.log(interest(7, 101) | {"removed": True})
    assert node.value == 8
    node.log(interest(8, 102, fork="b") | {"removed": True})
    assert node.value is None
    # The chain may come back to it.
    node.log(interest(8, 102, fork="b"))
    assert node.value == 8


def test_a_removed_log_that_was_never_seen_changes_nothing() -> None:
    node = Node().open()
    node.log(interest(7, 101))
    node.log(interest(9, 101, fork="c") | {"removed": True})
    assert node.value == 7
    assert node.session.decoded == {"OpenInterestUpdated": 1}


def test_the_replacement_of_a_removed_log_wins() -> None:
    node = Node().open()
    node.log(interest(7, 101))
    node.log(interest(6, 101, fork="b"))
    node.log(interest(7, 101) | {"removed": True})
    assert node.value == 6


@pytest.mark.parametrize(
    "change",
    [{"data": "0x"}, {"name": "OpenInterestInTokensUpdated"}, {"data": "0x" + "ff" * 20_000}],
    ids=["empty", "other name", "too long"],
)
def test_an_event_that_cannot_be_decoded_leaves_open_interest_unknown(change: Any) -> None:
    node = Node().open()
    node.log(interest(7, 101))
    node.log(interest(8, 102, **change))
    assert node.value is None
    assert node.mirror.undecodable == 1
    assert node.failure is None
    node.log(interest(9, 103))
    assert node.value == 9


def test_what_is_remembered_is_bounded() -> None:
    mirror = LogMirror()
    raw = interest(7, 1, data="0x")
    for index in range(c.LOGS_REMEMBERED + 10):
        mirror.take(eventlog.log(raw | {"logIndex": hex(index)}))  # type: ignore[arg-type]
    assert len(mirror._seen) == c.LOGS_REMEMBERED


def notice(result: Any, name: str = "0xlogs") -> bytes:
    params = {"subscription": name, "result": result}
    return json.dumps({"method": "eth_subscription", "params": params}).encode()


UNREADABLE = [
    b"", b"{", b"null", b"[]", b"7", b"NaN", b"{}", b"\xff", b"[" * 5000, b'{"id":1e999}',
    b'"' + b"x" * 10_000_000 + b'"', b'{"id":true,"result":"0x1"}', b'{"id":99,"result":"0x1"}',
    b'{"id":null,"error":{"code":-32700}}', b'{"method":"eth_subscription"}',
    b'{"method":"eth_subscription","params":[]}', notice(None), notice({}),
    notice([interest(1, 1)]),
    notice(interest(1, 1), "0xother"), notice(interest(1, 1), "0xnewHeads"),
    notice({"number": 7}, "0xnewHeads"), notice({"number": True}, "0xnewHeads"),
    notice(interest(1, 1) | {"address": USDC}), notice(interest(1, 1) | {"blockHash": None}),
    notice(interest(1, 1) | {"topics": [c.EVENT_KINDS["EventLog1"]]}),
]  # fmt: skip


@pytest.mark.parametrize("frame", UNREADABLE, ids=lambda frame: repr(frame[:60]))
def test_a_frame_that_cannot_be_read_ends_the_connection(frame: bytes) -> None:
    node = Node().open()
    node.raw(frame)
    assert node.failure == "GARBAGE"
    assert not node.session.healthy
    node.log(interest(7, 101))
    assert node.value is None


def test_a_reply_of_a_poll_is_no_frame() -> None:
    node = Node().open()
    node.session.receive(HttpReply("/", b"{}"), 0, node.now_ns)
    assert node.failure == "GARBAGE"


@pytest.mark.parametrize(
    ("results", "errors", "failure"),
    [
        ({"eth_chainId": "0x1"}, {}, "WRONG_CHAIN"),
        ({"eth_chainId": 42161}, {}, "GARBAGE"),
        ({}, {"eth_chainId": {"code": -32601}}, "REFUSED"),
        ({}, {"eth_subscribe": {"message": "no notifications"}}, "REFUSED"),
        ({"eth_getLogs": {}}, {}, "GARBAGE"),
        ({"eth_getLogs": [None]}, {}, "GARBAGE"),
    ],
)
def test_a_node_that_is_of_no_use(
    results: dict[str, Any], errors: dict[str, Any], failure: str
) -> None:
    mirror = LogMirror()
    mirror.synced_block = 90
    node = Node(mirror)
    node.results |= results
    node.errors = errors
    node.serve()
    if failure not in ("WRONG_CHAIN", "REFUSED") and "eth_getLogs" in results:
        node.head(100)
    assert node.failure == failure


@pytest.mark.parametrize(
    ("silent", "seconds", "failure"),
    [
        ("eth_chainId", 9.9, None), ("eth_chainId", 10, "TIMEOUT"),
        ("eth_subscribe", 10, "TIMEOUT"), ("", 9.9, None), ("", 10, "NO_HEAD"),
    ],
)  # fmt: skip
def test_silence_ends_the_connection(silent: str, seconds: float, failure: str | None) -> None:
    node = Node()
    node.silent = {silent}
    node.serve()
    node.wait(seconds)
    assert node.failure == failure


def test_only_new_blocks_are_a_heartbeat() -> None:
    node = Node().open(100)
    for _ in range(3):
        node.wait(4)
        node.head(100)
        node.log(interest(7, 100))
    assert node.failure == "NO_HEAD"
