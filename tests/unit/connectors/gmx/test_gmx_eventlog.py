"""Recorded logs of the EventEmitter -> named values, and what is refused."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.gmx import constants as c
from connectors.gmx import eventlog
from domain.errors import InputError
from tests.unit.connectors.gmx.kit import recorded

MALFORMED = (InputError, KeyError, TypeError, AttributeError)
FILES = {
    "eventemitter-logs.42161.json": 64,
    "eventemitter-logs.421614.json": 56,
    "synthetic-order-lifecycle-logs.json": 6,
}


NOWHERE = {"blockHash": "0x" + "0" * 64, "logIndex": "0x0", "removed": False}


def rows_of(name: str) -> list[dict[str, Any]]:
    body = recorded(name)
    rows: list[dict[str, Any]] = body["logs"] if isinstance(body, dict) else body
    # The synthetic ones have no place in any block.
    return [row | {"log": NOWHERE | row["log"]} for row in rows]


def as_recorded(value: Any) -> Any:
    """Integers stand in the recordings as text."""
    if isinstance(value, tuple):
        return [as_recorded(item) for item in value]
    return str(value) if type(value) is int else value


@pytest.mark.parametrize("name", FILES)
def test_recorded_logs_decode_to_the_values_stored_beside_them(name: str) -> None:
    rows = rows_of(name)
    assert len(rows) == FILES[name]
    for row in rows:
        log = eventlog.log(row["log"])
        assert log.index == int(row["log"]["logIndex"], 16)
        assert log.block == int(row["log"]["blockNumber"], 16)
        assert not log.removed
        event = eventlog.decode(log)
        assert event.name == row["eventName"]
        assert event.sender == row["decoded"].get("msgSender", event.sender)
        items = row["decoded"]["items"]
        assert {key: as_recorded(value) for key, value in event.values.items()} == items
        assert log.topics[1] == "0x" + keccak(text=event.name).hex()


def test_topics_are_the_hashes_of_the_names() -> None:
    for name, topic in c.EVENTS.items():
        assert topic == "0x" + keccak(text=name).hex()
    data = "((string,%s)[],(string,%s[])[])"
    kinds = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
    groups = ",".join(data % (kind, kind) for kind in kinds)
    for count, (name, topic) in enumerate(c.EVENT_KINDS.items(), 1):
        more = ",bytes32" * count
        signature = f"{name}(address,string,string{more},({groups}))"
        assert topic == "0x" + keccak(text=signature).hex()
    for name, role in c.ROUTER_ROLES.items():
        assert role == "0x" + keccak(encode(["string"], [name])).hex()
    assert "0x" + keccak(text="hasRole(address,bytes32)")[:4].hex() == c.HAS_ROLE


GOOD: Any = rows_of("eventemitter-logs.42161.json")[0]["log"]


@pytest.mark.parametrize(
    "change",
    [
        {field: value}
        for field in ("blockNumber", "logIndex")
        for value in (None, 5, True, "5", "0x", "0xg", "0x" + "f" * 16, "-0x1")
    ]
    + [
        {field: value}
        for field in ("address", "blockHash", "topics", "data")
        for value in (None, 5, [None], True)
    ]
    + [
        {"blockHash": "0x12"}, {"topics": []}, {"topics": ["0x12"]}, {"data": "0x123"},
        {"data": "12"}, {"data": "0xzz"}, {"data": "0x 12 34"}, {"removed": 1}, {"removed": "no"},
        {"topics": GOOD["topics"] * 2},
    ],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_a_log_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        eventlog.log(GOOD | change)


@pytest.mark.parametrize("field", ["address", "topics", "data", "blockNumber", "blockHash"])
def test_a_log_that_lacks_something_is_refused(field: str) -> None:
    with pytest.raises(MALFORMED):
        eventlog.log({key: GOOD[key] for key in GOOD if key != field})  # type: ignore[arg-type]


def test_whether_a_log_was_taken_back() -> None:
    assert eventlog.log(GOOD | {"removed": True}).removed
    without = {key: value for key, value in GOOD.items() if key != "removed"}
    assert not eventlog.log(without).removed  # type: ignore[arg-type]


WORD = "%064x"


def broken() -> dict[str, str]:
    data = GOOD["data"]
    empty_group: Any = [[], []]
    twice = [[[["key", 1], ["key", 2]], []]]
    types = ("address", "string", eventlog._TYPES[2])
    groups = [empty_group, *twice, *[empty_group] * 5]
    return {
        "empty": "0x",
        "cut": data[:-640],
        "pointer beyond": data[:66] + WORD % 2**255 + data[130:],
        "pointer to itself": data[:66] + WORD % 0 + data[130:],
        "all ones": "0x" + "f" * 2048,
        "too long": data + "0" * 2 * c.MAX_EVENT_BYTES,
        "two values of a key": "0x" + encode(types, ["0x" + "1" * 40, "Name", groups]).hex(),
        "no text": data.replace(b"GlvDepositExecuted".hex(), "ff" * 18),
    }


def test_places_that_the_contracts_left_empty_say_nothing() -> None:
    uints = [[["", 0], ["sizeDeltaUsd", 7], ["", 0]], []]
    groups = [[[], []], uints, *[[[], []]] * 5]
    data = encode(("address", "string", eventlog._TYPES[2]), ["0x" + "1" * 40, "Name", groups])
    found = eventlog.decode(eventlog.log(GOOD | {"data": f"0x{data.hex()}"}))
    assert found.values == {"sizeDeltaUsd": 7}


@pytest.mark.parametrize("why", broken())
def test_data_that_is_no_event_is_refused(why: str) -> None:
    with pytest.raises(InputError) as refused:
        eventlog.decode(eventlog.log(GOOD | {"data": broken()[why]}))
    assert refused.value.code == "BAD_EVENT"
