"""What must not be read in a stolen database: signed transactions can be broadcast by whoever has
them. AES-256-GCM under a key that is kept beside the database, not in it."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from Crypto.Cipher import AES
from pydantic import SecretStr

from domain.errors import InputError

KEY_FILE: Final = "sealing.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_VERSION: Final = b"\x01"


class Seal:
    """``key``: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise InputError("BAD_KEY", f"a sealing key is {_KEY_BYTES} bytes")
        self._key = key

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """Shape: version, nonce (12), tag (16), ciphertext. ``about``: what it belongs to, as a
        transaction's hash; it is opened with the same one only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce)
        cipher.update(about)
        hidden, tag = cipher.encrypt_and_digest(plain)
        return _VERSION + nonce + tag + hidden

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Raises InputError ``CANNOT_OPEN`` for what another key sealed, or was changed since."""
        tag_at, hidden_at = 1 + _NONCE_BYTES, 1 + _NONCE_BYTES + _TAG_BYTES
        if sealed[:1] != _VERSION or len(sealed) < hidden_at:
            raise InputError("CANNOT_OPEN", "nothing that was sealed here")
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=sealed[1:tag_at])
        cipher.update(about)
        try:
            return cipher.decrypt_and_verify(sealed[hidden_at:], sealed[tag_at:hidden_at])
        except ValueError:
            raise InputError("CANNOT_OPEN", "sealed with another key, or damaged") from None


def seal_of(data_dir: Path, configured: SecretStr | None = None) -> Seal:
    """With the configured key, 32 bytes in unpadded base64url; without one with that of the data
    dir, made when it is not there: processes that start together agree.

    Raises OSError, and InputError ``BAD_KEY`` for what is no key."""
    if configured is not None:
        try:
            return Seal(base64.urlsafe_b64decode(configured.get_secret_value() + "="))
        except ValueError:
            raise InputError("BAD_KEY", "a sealing key is 32 bytes in base64url") from None
    path = data_dir / KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    return Seal(path.read_bytes())
