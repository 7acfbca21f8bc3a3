import pytest

from api.realtime import handshake
from api.realtime.handshake import Refused

OPEN = "EIO=4&transport=websocket"


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        (None, "a.example", True),
        (None, "", True),
        ("https://a.example", "a.example", True),
        ("http://A.Example", "a.example", True),
        ("http://a.example:8000", "a.example:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://a.example:8000", "a.example", False),
        ("https://b.example", "a.example", False),
        ("https://a.example.evil", "a.example", False),
        ("https://a.example@evil", "a.example", False),
        ("null", "a.example", False),
        ("", "a.example", False),
        ("http://[", "a.example", False),
        ("https://", "", False),
    ],
)
def test_only_pages_of_ours_may_connect(origin: str | None, host: str, same: bool) -> None:
    assert handshake.same_origin(origin, host) is same


def test_the_session_id_is_read_from_the_query() -> None:
    assert handshake.check(OPEN, {}, "websocket") is None
    assert handshake.check(OPEN + "&sid=abc", {}, "websocket") == "abc"
    assert handshake.check(OPEN + "&sid=", {}, "websocket") == ""


@pytest.mark.parametrize(
    ("query", "origin", "status"),
    [
        ("", None, 400),
        ("EIO=4", None, 400),
        ("EIO=3&transport=websocket", None, 400),
        ("transport=websocket&sid=a", None, 400),
        ("EIO=4&transport=polling", None, 400),
        (OPEN + "&j=1", None, 400),
        (OPEN + "&x" * 40, None, 400),
        (OPEN, "http://elsewhere", 403),
    ],
)
def test_what_is_refused(query: str, origin: str | None, status: int) -> None:
    headers = {"host": "a.example", **({"origin": origin} if origin else {})}
    with pytest.raises(Refused) as refused:
        handshake.check(query, headers, "websocket")
    assert refused.value.status == status
    assert refused.value.http().startswith(f"HTTP/1.1 {status} ".encode())


def test_the_answer_to_the_key_of_the_rfc() -> None:
    request = handshake.parse_upgrade(
        b"GET /socket.io/?a=b HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (request.method, request.path, request.query) == ("GET", "/socket.io/", "a=b")
    assert request.headers["host"] == "a"
    answer = handshake.accept_upgrade(request.headers)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer


@pytest.mark.parametrize("key", ["", "short", "!!!!", "dGhlIHNhbXBsZSBub25jZQ", "é" * 24])
def test_bad_keys_are_refused(key: str) -> None:
    with pytest.raises(Refused):
        handshake.accept_upgrade({"sec-websocket-key": key, "sec-websocket-version": "13"})
