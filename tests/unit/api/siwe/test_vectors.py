"""The public vectors; tests/data/siwe/README.md says where they come from and disagree."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.siwe import SiweError, SiweMessage, grammar, parse_message, verify
from api.siwe.verify import VALID

DATA = Path(__file__).parents[3] / "data" / "siwe"
FIELDS = {
    "chainId": "chain_id",
    "issuedAt": "issued_at",
    "expirationTime": "expiration_time",
    "notBefore": "not_before",
    "requestId": "request_id",
}
# Good messages by the standard, though the file has them: see the README.
GOOD_AFTER_ALL = {"domain not RFC4501 authority", "version not 1"}


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_bytes())
    return found


def message(fields: dict[str, Any]) -> SiweMessage:
    known = {FIELDS.get(name, name): value for name, value in fields.items()}
    return SiweMessage(
        **{name: known[name] for name in SiweMessage.__dataclass_fields__ if name in known}
    )


def cases(name: str) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(v, id=k) for k, v in load(name).items()])


@cases("parsing_positive")
def test_a_good_message_is_read_and_written_back(case: dict[str, Any]) -> None:
    fields = case["fields"] | {"chainId": int(case["fields"]["chainId"])}
    parsed = parse_message(case["message"])
    assert parsed == message(fields)
    assert str(parsed) == case["message"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=name)
        for name, text in load("parsing_negative").items()
        if name not in GOOD_AFTER_ALL
    ],
)
def test_a_bad_message_is_refused(text: str) -> None:
    with pytest.raises(SiweError):
        parse_message(text)


@cases("parsing_negative_objects")
def test_bad_fields_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises((SiweError, TypeError)):
        message(case)


@cases("message_objects")
def test_objects(case: dict[str, Any]) -> None:
    if case["error"] == "none":
        built = message(case["msg"])
        assert parse_message(str(built)) == built
    else:
        with pytest.raises(SiweError):
            message(case["msg"])


@pytest.mark.parametrize("uri", load("uris")["good"])
def test_a_uri_of_rfc_3986(uri: str) -> None:
    text = str(message(load("message_objects").popitem()[1]["msg"] | {"notBefore": GOOD_TIME}))
    text = text.replace("URI: https://service.org", f"URI: {uri}") + f"\nResources:\n- {uri}"
    parsed = parse_message(text)
    assert (parsed.uri, parsed.resources) == (uri, [uri])


@pytest.mark.parametrize("uri", load("uris")["bad"])
@pytest.mark.parametrize("line", ["URI: {}\n", "- {}"])
def test_no_uri_of_rfc_3986(uri: str, line: str) -> None:
    good = "https://service.org/a"
    text = str(message(load("message_objects").popitem()[1]["msg"] | {"notBefore": GOOD_TIME}))
    text = text.replace("URI: https://service.org", f"URI: {good}") + f"\nResources:\n- {good}"
    assert parse_message(text).resources == [good]
    with pytest.raises(SiweError, match=r"uri|resource"):
        parse_message(text.replace(line.format(good), line.format(uri)))


# Where a rule of the grammar can be seen alone.
RULES: dict[str, Callable[[str], bool]] = {
    "scheme": grammar.is_scheme,
    "statement": grammar.is_statement,
    "pct-encoded": grammar.is_request_id,
    "userinfo": lambda text: grammar.is_domain(f"{text}@host"),
    "IPvFuture": lambda text: grammar.is_domain(f"[{text}]"),
    "reg-name": grammar.is_domain,
    "segment-nz": grammar.is_request_id,
    "fragment": lambda text: grammar.is_uri(f"https://host#{text}"),
}


@pytest.mark.parametrize("good", [True, False])
def test_characters_of_every_rule(good: bool) -> None:
    found = load("characters")["good" if good else "bad"]
    assert set(found) == set(RULES) - (set() if good else {"pct-encoded"})
    for rule, texts in found.items():
        assert [text for text in texts if RULES[rule](text) is not good] == []


GOOD_TIME = "2022-03-17T12:45:13.610Z"


def check(case: dict[str, Any]) -> str:
    return verify(
        message(case),
        case["signature"],
        now=case.get("time") or datetime(2026, 1, 1, tzinfo=UTC),
        domain=case.get("domainBinding"),
        nonce=case.get("matchNonce"),
    )


@cases("verification_positive")
def test_a_good_signature(case: dict[str, Any]) -> None:
    assert check(case) == case["address"]


@cases("verification_negative")
def test_a_bad_signature(case: dict[str, Any]) -> None:
    with pytest.raises(SiweError):
        check(case)


@cases("eip1271")
@pytest.mark.parametrize("answer", [VALID.ljust(32, b"\0"), b"\xff" * 4 + bytes(28), b""])
def test_a_contract_is_asked_on_its_chain(case: dict[str, Any], answer: bytes) -> None:
    asked: list[tuple[int, str | None, bytes]] = []

    def eth_call(chain_id: int, to: str | None, data: bytes) -> bytes:
        asked.append((chain_id, to, data))
        return answer

    parsed = parse_message(case["message"])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(SiweError, match=parsed.address):
        verify(parsed, case["signature"], now=moment)
    if answer[:4] == VALID:
        assert verify(parsed, case["signature"], now=moment, eth_call=eth_call) == parsed.address
    else:
        with pytest.raises(SiweError, match=parsed.address):
            verify(parsed, case["signature"], now=moment, eth_call=eth_call)
    ((chain_id, to, data),) = asked
    assert (chain_id, to) == (1, None)
    assert bytes.fromhex(parsed.address[2:]) in data


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, None),
        ({"domain": "login.xyz", "nonce": "bTyXgcQxn2htgkjJn", "chain_id": 1}, None),
        ({"uri": "https://login.xyz"}, None),
        ({"domain": "LOGIN.xyz"}, "DOMAIN_MISMATCH"),
        ({"domain": ""}, "DOMAIN_MISMATCH"),
        ({"nonce": "bTyXgcQxn2htgkjJ"}, "NONCE_MISMATCH"),
        ({"uri": "https://login.xyz/"}, "URI_MISMATCH"),
        ({"chain_id": 42161}, "CHAIN_ID_MISMATCH"),
        ({"now": "2100-01-07T14:31:43.951999Z"}, None),
        ({"now": "2100-01-07T14:31:43.952Z"}, "EXPIRED"),
        ({"now": 4103015503.95}, None),
        ({"now": 4103015504}, "EXPIRED"),
        ({"now": datetime.fromisoformat("2100-01-07T14:31:43.953")}, "EXPIRED"),
    ],
)
def test_what_is_given_must_be_what_the_message_says(
    given: dict[str, Any], code: str | None
) -> None:
    case = load("verification_positive")["example message"]
    arguments = {"now": datetime(2026, 1, 1, tzinfo=UTC)} | given
    if code is None:
        assert verify(str(message(case)), case["signature"], **arguments) == case["address"]
    else:
        with pytest.raises(SiweError) as found:
            verify(str(message(case)), case["signature"], **arguments)
        assert found.value.code == code


def high_s(signature: bytes) -> bytes:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


def test_forms_of_a_signature() -> None:
    case = load("verification_positive")["example message"]
    text, moment = str(message(case)), datetime(2026, 1, 1, tzinfo=UTC)
    good = bytes.fromhex(case["signature"][2:])
    for form in (good, good[:64] + b"\0", case["signature"].upper().replace("0X", "0x")):
        assert verify(text, form, now=moment) == case["address"]
    for form in (
        high_s(good),
        good[:64] + b"\x1c",
        good[:64] + b"\x1d",
        good[:64],
        good + b"\0",
        bytes(65),
        b"\xff" * 65,
        b"",
        "",
        "0x",
        "0x1",
        "0xZZ",
        case["signature"][2:],
        case["signature"] + "\n",
    ):
        with pytest.raises(SiweError) as found:
            verify(text, form, now=moment)
        assert found.value.code == "SIGNATURE_INVALID"
