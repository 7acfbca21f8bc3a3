"""The formulas against the venue's own library, to 1e-9; where the contracts differ, that stands in
``tests/data/gains/exceptions.toml`` with what they give instead."""

import tomllib
from fractions import Fraction
from typing import Any

import pytest

from tests.unit.connectors.gains.economics.sdk import FILES
from tests.unit.connectors.gains.economics.sdk_units import Leaf
from tests.unit.connectors.gains.economics.vectors import flat
from tests.unit.connectors.gains.world import RECORDED, recorded

Key = tuple[str, int, str]

RELATIVE = Fraction(1, 10**9)
ABSOLUTE = Fraction(1, 10**12)
RESOLUTION = "whole 1e-10 percent"

LISTED = tomllib.loads((RECORDED / "exceptions.toml").read_text())["exception"]
EXCEPTIONS: dict[Key, dict[str, Any]] = {
    (entry["file"], entry["case"], entry["field"]): entry for entry in LISTED
}
DOCUMENTS = {file: recorded(file) for file in FILES}


def expected(file: str, place: int) -> dict[str, Any]:
    return {
        path: str(item) if isinstance(item, list) else item
        for path, item in flat(DOCUMENTS[file]["cases"][place]["out"])
    }


def close(ours: Leaf, theirs: Any) -> bool:
    if not isinstance(ours, Fraction) or isinstance(theirs, bool | str) or theirs is None:
        return ours == theirs
    exact = Fraction(theirs)
    return abs(ours - exact) <= max(ABSOLUTE, RELATIVE * abs(exact))


@pytest.mark.parametrize(
    ("file", "place"),
    [(file, place) for file in FILES for place in range(len(DOCUMENTS[file]["cases"]))],
)
def test_every_result_is_the_same_or_a_listed_exception(file: str, place: int) -> None:
    document = DOCUMENTS[file]
    ours = FILES[file](document, document["cases"][place])
    theirs = expected(file, place)
    assert set(ours) == set(theirs)
    for field, value in theirs.items():
        entry = EXCEPTIONS.get((file, place, field))
        if entry is None:
            assert close(ours[field], value), field
            continue
        assert not close(ours[field], value), f"{field}: no exception"
        found = ours[field]
        assert (found if isinstance(found, str) else Fraction(entry["value"])) == (
            entry["value"] if isinstance(found, str) else found
        ), field


def test_exceptions_are_of_cases_and_say_why() -> None:
    assert len(EXCEPTIONS) == len(LISTED)
    for (file, place, field), entry in EXCEPTIONS.items():
        assert field in expected(file, place)
        assert set(entry) == {"file", "case", "field", "reason", "value"}
        assert entry["reason"]


def test_resolution_excuses_no_more_than_the_last_digits() -> None:
    """A factor of protection multiplies what was cut off."""
    coarse = {key: entry for key, entry in EXCEPTIONS.items() if entry["reason"] == RESOLUTION}
    assert coarse
    for (file, place, field), entry in coarse.items():
        difference = Fraction(entry["value"]) - Fraction(expected(file, place)[field])
        assert abs(difference) < Fraction(1, 10**9)


def test_every_file_of_the_library_is_compared() -> None:
    files = {f"vectors/{path.name}" for path in (RECORDED / "vectors").glob("*.json")}
    assert files | {"market_hours.json"} == set(FILES)
