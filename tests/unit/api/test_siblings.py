import socket
import stat
from pathlib import Path

import pytest

from api.realtime.passing import with_address
from api.realtime.siblings import PATH_BOUND, Siblings
from runtime.settings import SettingsError


@pytest.mark.parametrize(
    ("sid", "file"),
    [
        ("a.1.xyz", "gateway-1.sock"),
        ("a.3.x-_z", "gateway-3.sock"),
        ("a.2.own", None),
        ("a.4.more-than-there-are", None),
        ("b.1.other-host", None),
        ("a.1", None),
        ("a.1.x.y", None),
        ("a.01.x", None),
        ("a./../1.x", None),
        ("", None),
        (".", None),
    ],
)
def test_the_id_of_a_session_says_who_has_it(tmp_path: Path, sid: str, file: str | None) -> None:
    siblings = Siblings("a", 2, 3, tmp_path)
    assert siblings.name == "a.2"
    assert siblings.path_of(sid) == (str(tmp_path / file) if file else None)


def test_one_alone_listens_nowhere(tmp_path: Path) -> None:
    alone = Siblings("a", 1, 1, tmp_path)
    assert alone.listen() is None
    assert alone.path_of("a.1.xyz") is None
    assert list(tmp_path.iterdir()) == []


def test_the_socket_is_of_the_owner_and_replaces_one_that_was_left(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    path = folder / "gateway-1.sock"
    for _ in range(2):
        listener = Siblings("a", 1, 2, folder).listen()
        assert listener is not None
        with listener, socket.socket(socket.AF_UNIX) as client:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            client.connect(str(path))
        assert path.exists()


def test_two_of_the_same_number_are_refused(tmp_path: Path) -> None:
    first = Siblings("a", 1, 2, tmp_path).listen()
    assert first is not None
    with first:
        with pytest.raises(SettingsError, match=r"another gateway is a\.1"):
            Siblings("a", 1, 2, tmp_path).listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "gateway-1.sock"))


def test_a_number_beyond_the_count_is_refused() -> None:
    with pytest.raises(SettingsError, match="PERP_WORKER is 3, PERP_GATEWAYS 2"):
        Siblings("a", 3, 2)


def test_a_folder_that_is_too_deep_is_refused_in_plain_words(tmp_path: Path) -> None:
    file = "/gateway-1.sock"
    folder = str(tmp_path / "x").ljust(PATH_BOUND - len(file), "x")
    longest = Siblings("a", 1, 2, Path(folder)).listen()
    assert longest is not None
    longest.close()
    with pytest.raises(SettingsError, match=r"PERP_DATA_DIR is too long .* 108 bytes"):
        Siblings("a", 1, 2, Path(folder + "x")).listen()


def test_what_a_client_says_of_its_address_is_replaced() -> None:
    request = (
        b"GET /socket.io/?sid=a.1.x HTTP/1.1\r\nhost: h\r\nx-forwarded-for: 192.0.2.1\r\n"
        b"upgrade: websocket\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n"
    )
    assert with_address(request, "198.51.100.1") == (
        b"GET /socket.io/?sid=a.1.x HTTP/1.1\r\nx-forwarded-for: 198.51.100.1\r\nhost: h\r\n"
        b"upgrade: websocket\r\n\r\n"
    )
