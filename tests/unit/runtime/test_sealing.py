"""Sealed bytes: opened by who has the key and knows what they belong to."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from domain.errors import InputError
from runtime.sealing import KEY_FILE, Seal, seal_of

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
PLAIN, ABOUT = b"signed transaction", b"0xhash"


def test_what_is_sealed_opens_again() -> None:
    sealed = Seal(KEY).seal(PLAIN, ABOUT)
    assert PLAIN not in sealed
    assert Seal(KEY).open(sealed, ABOUT) == PLAIN
    assert Seal(KEY).seal(PLAIN, ABOUT) != sealed


@pytest.mark.parametrize("bad", [b"", b"\x01" * 28, b"\x02" + b"\x00" * 60])
def test_what_was_never_sealed_does_not_open(bad: bytes) -> None:
    with pytest.raises(InputError, match="sealed"):
        Seal(KEY).open(bad, ABOUT)


def test_another_key_another_subject_or_a_changed_bit_does_not_open() -> None:
    sealed = Seal(KEY).seal(PLAIN, ABOUT)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for key, given, about in (
        (OTHER, sealed, ABOUT),
        (KEY, sealed, b"0xother"),
        (KEY, changed, ABOUT),
    ):
        with pytest.raises(InputError, match="another key"):
            Seal(key).open(given, about)


def test_a_key_file_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    sealed = seal_of(tmp_path).seal(PLAIN, ABOUT)
    assert seal_of(tmp_path).open(sealed, ABOUT) == PLAIN
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_configured_key_comes_first(tmp_path: Path) -> None:
    configured = SecretStr("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE")
    sealed = seal_of(tmp_path, configured).seal(PLAIN, ABOUT)
    assert Seal(KEY).open(sealed, ABOUT) == PLAIN
    assert not (tmp_path / KEY_FILE).exists()
    with pytest.raises(InputError, match="32 bytes"):
        seal_of(tmp_path, SecretStr("short"))


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(InputError, match="32 bytes"):
        seal_of(tmp_path)
