"""The keys that access tokens are signed with. Pure but for the one function that makes a file."""

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from domain.errors import InputError

_ENTRY: Final = re.compile(r"([A-Za-z0-9_-]{1,64}):([A-Za-z0-9_-]{43})", re.ASCII)
_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeyRing:
    """``seeds``: id -> 32 bytes. The key ``signing`` signs, all of them verify."""

    signing: str
    seeds: Mapping[str, bytes] = field(repr=False)
    _public: dict[str, ECC.EccKey] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in self.seeds:
            self._public[name] = self._private(name).public_key()

    def sign(self, body: bytes) -> bytes:
        """Ed25519, 64 bytes, with the signing key."""
        return eddsa.new(self._private(self.signing), "rfc8032").sign(body)

    def verifies(self, name: str, body: bytes, signature: bytes) -> bool:
        """False also for a key that is not known."""
        if name not in self._public:
            return False
        try:
            eddsa.new(self._public[name], "rfc8032").verify(body, signature)
        except ValueError:
            return False
        return True

    def derive(self, secret: bytes) -> bytes:
        """32 bytes that only this program can make of ``secret``, the same ones each time."""
        return hmac.digest(self.seeds[self.signing], b"derived:" + secret, "sha256")

    def _private(self, name: str) -> ECC.EccKey:
        return eddsa.import_private_key(self.seeds[name])


def parse_keys(text: str) -> KeyRing:
    """``id:seed,id:seed``; a seed is 32 bytes in unpadded base64url. The first one signs.

    Raises InputError ``BAD_KEYS``, which never says a seed.
    """
    seeds: dict[str, bytes] = {}
    for number, entry in enumerate(text.strip().split(","), 1):
        found = _ENTRY.fullmatch(entry.strip())
        if found is None:
            raise InputError("BAD_KEYS", f"key {number} is not <id>:<32 bytes in base64url>")
        if found[1] in seeds:
            raise InputError("BAD_KEYS", f"two keys have the id {found[1]}")
        seeds[found[1]] = base64.urlsafe_b64decode(found[2] + "=")
    return KeyRing(next(iter(seeds)), seeds)


def new_key() -> str:
    """One entry for ``parse_keys``. The id is of the key: nobody has to invent one."""
    seed = secrets.token_bytes(_SEED_BYTES)
    name = hashlib.sha256(seed).hexdigest()[:16]
    return f"{name}:{base64.urlsafe_b64encode(seed).rstrip(b'=').decode()}"


def key_file(path: Path) -> str:
    """The text of ``path``, made when it is not there; processes that start together agree."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_key())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    return path.read_text()
