"""What the settings make of sign-in."""

from pathlib import Path

import pytest

from api.service import auth_config
from runtime.settings import SettingsError, load_settings

ONE = "one:" + "A" * 43


@pytest.fixture(autouse=True)
def _data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERP_DATA_DIR", str(tmp_path))


def test_the_sandbox_makes_itself_a_key_once(tmp_path: Path) -> None:
    first, second = auth_config(load_settings()), auth_config(load_settings())
    assert first.keys is not None
    assert first.keys == second.keys
    assert (tmp_path / "auth-keys").exists()


def test_elsewhere_keys_are_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERP_NETWORK", "live")
    assert auth_config(load_settings()).keys is None
    monkeypatch.setenv("PERP_AUTH_KEYS", ONE)
    keys = auth_config(load_settings()).keys
    assert keys is not None
    assert keys.signing == "one"
    assert not (tmp_path / "auth-keys").exists()


def test_wrong_keys_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_AUTH_KEYS", ONE + "A")
    with pytest.raises(SettingsError, match="PERP_AUTH_KEYS") as found:
        auth_config(load_settings())
    assert "AAA" not in str(found.value)


@pytest.mark.parametrize(
    ("names", "url", "domain", "secure"),
    [
        ({}, "http://127.0.0.1:8000", "127.0.0.1:8000", False),
        ({"PERP_HTTP_HOST": "0.0.0.0"}, "http://127.0.0.1:8000", "127.0.0.1:8000", False),
        ({"PERP_HTTP_HOST": "::"}, "http://[::1]:8000", "[::1]:8000", False),
        ({"PERP_PUBLIC_URL": "https://a.b"}, "https://a.b", "a.b", True),
    ],
)
def test_where_we_are(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str], url: str, domain: str, secure: bool
) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    config = auth_config(load_settings())
    assert (config.public_url, config.domain, config.is_secure) == (url, domain, secure)


@pytest.mark.parametrize(
    "url",
    ["a.b", "ftp://a.b", "https://a.b/", "https://a.b/c", "https://u@a.b", "https://a.b:x", ""],
)
def test_no_place_for_browsers(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PERP_PUBLIC_URL", url)
    with pytest.raises(SettingsError, match="PERP_PUBLIC_URL"):
        load_settings()
