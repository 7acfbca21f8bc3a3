"""What the public vectors leave out."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api.siwe
from api.siwe import SiweError, SiweMessage, parse_message
from api.siwe.grammar import instant

GOOD = SiweMessage(
    scheme="https",
    domain="desk.example:8443",
    address="0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    statement="Sign in",
    uri="https://desk.example:8443/login",
    version="1",
    chain_id=42161,
    nonce="abcdefgh",
    issued_at="2026-01-02T03:04:05.678Z",
    expiration_time="2026-01-02T03:09:05+02:00",
    not_before="2026-01-02T03:04:05-00:00",
    request_id="id%20:@",
    resources=["ipfs://x", "urn:y"],
)


def refused(text: str) -> str:
    with pytest.raises(SiweError) as found:
        parse_message(text)
    return found.value.code


@pytest.mark.parametrize(
    "message",
    [
        GOOD,
        replace(GOOD, scheme=None),
        replace(GOOD, statement=None),
        replace(GOOD, statement=""),
        replace(GOOD, statement="URI: https://elsewhere.example"),
        replace(GOOD, request_id=None),
        replace(GOOD, request_id=""),
        replace(GOOD, resources=None),
        replace(GOOD, resources=[]),
        replace(GOOD, expiration_time=None, not_before=None, request_id=None, resources=None),
        replace(GOOD, chain_id=0),
        replace(GOOD, chain_id=2**256 - 1),
        replace(GOOD, domain="[::1]:80"),
        replace(GOOD, domain="[v1.a:b]"),
    ],
)
def test_text_and_back(message: SiweMessage) -> None:
    assert parse_message(str(message)) == message
    assert str(parse_message(str(message))) == str(message)


def test_the_text() -> None:
    assert str(replace(GOOD, statement=None, resources=[])) == (
        "https://desk.example:8443 wants you to sign in with your Ethereum account:\n"
        "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n"
        "\n"
        "\n"
        "URI: https://desk.example:8443/login\n"
        "Version: 1\n"
        "Chain ID: 42161\n"
        "Nonce: abcdefgh\n"
        "Issued At: 2026-01-02T03:04:05.678Z\n"
        "Expiration Time: 2026-01-02T03:09:05+02:00\n"
        "Not Before: 2026-01-02T03:04:05-00:00\n"
        "Request ID: id%20:@\n"
        "Resources:"
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("https://desk.example:8443 wants", "1s://desk.example wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", " wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "https:// wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "a@:80 wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "desk.example/a wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "[::1%25eth0] wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "[1.2.3.4::] wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "[] wants", "DOMAIN_INVALID"),
        ("https://desk.example:8443 wants", "d\u00e9sk.example wants", "DOMAIN_INVALID"),
        ("0xC02", "0XC02", "ADDRESS_INVALID"),
        ("C756Cc2", "C756CC2", "ADDRESS_INVALID"),
        ("C756Cc2", "C756Cc", "ADDRESS_INVALID"),
        ("Sign in\n", "Sign \u00edn\n", "STATEMENT_INVALID"),
        ("Sign in\n", "Sign\tin\n", "STATEMENT_INVALID"),
        ("Sign in\n", "Sign\rin\n", "STATEMENT_INVALID"),
        ("Sign in\n", "a\nb\n", "MESSAGE_MALFORMED"),
        ("Sign in\n", "\n\n", "MESSAGE_MALFORMED"),
        ("URI: https", "URI:  https", "URI_INVALID"),
        ("URI: https", "uri: https", "MESSAGE_MALFORMED"),
        ("8443/login", "8443/%4", "URI_INVALID"),
        ("8443/login", "x/", "URI_INVALID"),
        ("Version: 1", "Version: 1 ", "VERSION_INVALID"),
        ("Chain ID: 42161", "Chain ID: 042161", "CHAIN_ID_INVALID"),
        ("Chain ID: 42161", "Chain ID: \u0664", "CHAIN_ID_INVALID"),
        ("Chain ID: 42161", "Chain ID: -1", "CHAIN_ID_INVALID"),
        ("Chain ID: 42161", f"Chain ID: {2**256}", "CHAIN_ID_INVALID"),
        ("Chain ID: 42161", "Chain ID: " + "9" * 10_000, "CHAIN_ID_INVALID"),
        ("Nonce: abcdefgh", "Nonce: abcdefg", "NONCE_INVALID"),
        ("Nonce: abcdefgh", "Nonce: abcdefg-", "NONCE_INVALID"),
        ("Nonce: abcdefgh", "Nonce: abcdefg\u0661", "NONCE_INVALID"),
        ("05.678Z", "05.678", "TIME_INVALID"),
        ("05.678Z", "05.678Z ", "TIME_INVALID"),
        ("id%20:@", "id%2", "REQUEST_ID_INVALID"),
        ("id%20:@", "a/b", "REQUEST_ID_INVALID"),
        ("- urn:y", "- urn:y\n", "MESSAGE_MALFORMED"),
        ("- urn:y", "-urn:y", "MESSAGE_MALFORMED"),
        ("- urn:y", "- y", "RESOURCE_INVALID"),
        ("\n", "\r\n", "MESSAGE_MALFORMED"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, code: str) -> None:
    text = str(GOOD)
    assert old in text
    assert refused(text.replace(old, new)) == code


@pytest.mark.parametrize("text", ["", "\n", "\0", "a" * 100_000, "a@" * 50_000, "\ud800"])
def test_no_message_at_all(text: str) -> None:
    assert refused(text) == "MESSAGE_MALFORMED"


@given(st.text(max_size=5))
def test_a_statement_is_of_uri_characters(text: str) -> None:
    allowed = frozenset(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;= "
    )
    if allowed.issuperset(text):
        assert parse_message(str(replace(GOOD, statement=text))).statement == text
    else:
        with pytest.raises(SiweError, match="statement"):
            replace(GOOD, statement=text)


@pytest.mark.parametrize("byte", range(256))
def test_every_ascii_character_in_a_statement(byte: int) -> None:
    good = chr(byte).isascii() and chr(byte).isprintable() and chr(byte) not in '"%<>\\^`{|}'
    try:
        replace(GOOD, statement=chr(byte))
    except SiweError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.500000+00:00"),
        ("2026-01-02T03:04:05.1234567899Z", "2026-01-02T03:04:05.123456+00:00"),
        ("2026-01-02T01:04:05+02:30", "2026-01-01T22:34:05+00:00"),
        ("2026-01-02T01:04:05-00:00", "2026-01-02T01:04:05+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T01:59:60.25+02:00", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_times(text: str, moment: str) -> None:
    assert instant(text).isoformat() == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02",
        "2026-01-02T03:04Z",
        "2026-01-02 03:04:05Z",
        "2026-01-02t03:04:05z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T23:59:61Z",
        "26-01-02T03:04:05Z",
        "0000-01-02T03:04:05Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "\u0662026-01-02T03:04:05Z",
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        instant(text)


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        (Path(api.siwe.__file__).parent, "SignatureValidator.sol"),
        (Path(__file__).parents[3] / "data" / "siwe", "Wallets.sol"),
    ],
)
def test_what_is_built_is_of_this_source(folder: Path, source: str) -> None:
    built = json.loads((folder / "built.json").read_bytes())
    assert built["source_sha256"] == hashlib.sha256((folder / source).read_bytes()).hexdigest()
