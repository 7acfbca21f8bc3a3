"""All that is asked of GMX's contracts, or read from what they say, is in the ABIs of their
deployments, with the same selector, layout and topic, in both releases."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from connectors.base.abi import Function, Parameter
from connectors.gmx import constants as c
from connectors.gmx import eventlog
from connectors.gmx.orders import abi, event_values, keys
from connectors.gmx.orders.abi import Contract, Version
from tests.unit.connectors.gmx.kit import RECORDED

FOLDER = RECORDED / "abi"
WHOLE: dict[tuple[Version, Contract], Path] = {
    ("v2.2b", "ExchangeRouter"): FOLDER / "v2.2b" / "ExchangeRouter.json",
    ("v2.2b", "Reader"): FOLDER / "v2.2b" / "Reader.json",
    ("v2.2c", "ExchangeRouter"): FOLDER / "ExchangeRouter.json",
    ("v2.2c", "Reader"): FOLDER / "Reader.json",
}


def entries(path: Path, kind: str = "function") -> list[Any]:
    return [entry for entry in json.loads(path.read_bytes()) if entry["type"] == kind]


def shape(parameters: list[Any]) -> list[Any]:
    """Names and types, all the way in."""
    return [(item["name"], item["type"], shape(item.get("components", []))) for item in parameters]


def by_selector(contract: str) -> dict[bytes, Any]:
    found = entries(FOLDER / f"{contract}.json")
    return {keccak(text=canonical(entry))[:4]: entry for entry in found}


def ours(parameters: tuple[Parameter, ...]) -> list[Any]:
    found = []
    for item in parameters:
        end = item.type[item.type.rfind(")") + 1 :]
        found.append((item.name, f"tuple{end}" if item.parts else item.type, ours(item.parts)))
    return found


def canonical(entry: Any) -> str:
    def kind(part: Any) -> str:
        if not part["type"].startswith("tuple"):
            return str(part["type"])
        inner = ",".join(kind(each) for each in part["components"])
        return f"({inner}){part['type'][5:]}"

    return f"{entry['name']}({','.join(kind(part) for part in entry['inputs'])})"


@pytest.mark.parametrize(("version", "contract"), WHOLE)
def test_every_pinned_function_is_that_of_the_deployment(
    version: Version, contract: Contract
) -> None:
    whole = {entry["name"]: entry for entry in entries(WHOLE[version, contract])}
    found = abi.functions(version, contract)
    assert found
    for name, function in found.items():
        entry = whole[name]
        assert function.selector == keccak(text=canonical(entry))[:4], name
        assert ours(function.inputs) == shape(entry["inputs"]), name
        assert ours(function.outputs) == shape(entry["outputs"]), name


def test_values_are_read_by_functions_of_the_store() -> None:
    whole = {
        keccak(text=canonical(entry))[:4]: entry for entry in entries(FOLDER / "DataStore.json")
    }
    used = [value for value in vars(keys).values() if isinstance(value, Function)]
    assert {function.name for function in used} == {"getUint", "getInt", "getBool", "getBytes32"}
    for function in used:
        entry = whole[function.selector]
        assert entry["name"] == function.name
        assert [item.type for item in function.inputs] == [item["type"] for item in entry["inputs"]]
        assert [item.type for item in function.outputs] == [
            item["type"] for item in entry["outputs"]
        ]
    assert whole[bytes.fromhex(c.GET_UINT[2:])]["name"] == "getUint"


def test_roles_are_asked_for_as_the_store_of_roles_has_it() -> None:
    whole = {
        keccak(text=canonical(entry))[:4]: entry for entry in entries(FOLDER / "RoleStore.json")
    }
    assert whole[bytes.fromhex(c.HAS_ROLE[2:])]["name"] == "hasRole"


def test_logs_are_those_of_the_emitter() -> None:
    whole = {
        f"0x{keccak(text=canonical(entry)).hex()}": entry
        for entry in entries(FOLDER / "EventEmitter.json", "event")
    }
    for kind, topic in c.EVENT_KINDS.items():
        entry = whole[topic]
        plain = [item for item in entry["inputs"] if not item["indexed"]]
        assert entry["name"] == kind
        assert canonical({"name": "", "inputs": plain}) == f"({','.join(eventlog._TYPES)})"


def test_events_that_are_read_have_names_that_the_contracts_use() -> None:
    names = set(json.loads((FOLDER / "event-names.json").read_bytes()))
    assert c.EVENTS.keys() <= names
    assert event_values._READERS.keys() <= names
    hashes = {f"0x{keccak(text=name).hex()}" for name in names}
    assert {*c.EVENTS.values(), *event_values.TOPICS} <= hashes


def test_every_pinned_error_is_one_of_the_contracts() -> None:
    whole = json.loads((FOLDER / "errors.json").read_bytes())
    for selector, error in abi.errors().items():
        signature = f"{error.name}({','.join(item.type for item in error.inputs)})"
        assert whole[f"0x{selector.hex()}"] == signature
    assert len(abi.errors()) == len(whole)
