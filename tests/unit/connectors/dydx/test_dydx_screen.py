import json

import pytest

from connectors.base.rest import _refusal
from connectors.base.screens import Barred
from connectors.dydx.screen import standing
from domain.errors import VenueProtocolError


@pytest.mark.parametrize(
    ("status", "code", "exits"),
    [
        ("BLOCKED", "COMPLIANCE_BLOCKED", False),
        ("CLOSE_ONLY", "CLOSE_ONLY", True),
        ("FIRST_STRIKE_CLOSE_ONLY", "CLOSE_ONLY", True),
    ],
)
def test_who_may_not_open(status: str, code: str, exits: bool) -> None:
    said = standing(json.dumps({"status": status, "reason": "US_GEO"}).encode())
    assert said == Barred(code, f"dYdX says {status}, US_GEO", exits)
    without = standing(json.dumps({"status": status, "reason": None}).encode())
    assert without is not None
    assert without.message == f"dYdX says {status}"


@pytest.mark.parametrize("status", ["COMPLIANT", "FIRST_STRIKE"])
def test_who_may(status: str) -> None:
    assert standing(json.dumps({"status": status, "reason": None}).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"null", b"{}", b'{"status":"NEW"}', b'{"status":[]}', b"<html>"]
)
def test_what_says_nothing_is_no_standing(body: bytes) -> None:
    with pytest.raises(VenueProtocolError, match="no standing"):
        standing(body)


def test_the_code_of_a_refusal() -> None:
    assert _refusal(b'{"errors":[{"code":"GEOBLOCKED","msg":"x"}]}') == "GEOBLOCKED"
    for body in (b"", b"<html>", b'{"errors":[]}', b'{"errors":[{"msg":"x"}]}', b"[]", b"null"):
        assert _refusal(body) == ""
