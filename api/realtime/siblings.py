"""The gateways of one host. Which of them has a session is in the session's id,
``<host>.<number>.<random>``; what reaches another one is passed on over unix sockets."""

import os
import socket
from pathlib import Path
from typing import Final

from runtime.settings import SettingsError

BACKLOG: Final = 2048
PATH_BOUND: Final = 107
"""Bytes of a unix socket's path on Linux."""
PROBE_S: Final = 1.0


class Siblings:
    """``host``: unique over the hosts of one deployment. ``number``: this gateway's, 1 to
    ``count``. ``folder``: where the sockets are; not used by a gateway that is alone.

    Raises SettingsError.
    """

    def __init__(
        self, host: str = "a", number: int = 1, count: int = 1, folder: Path | None = None
    ) -> None:
        if number > count:
            raise SettingsError("BAD_SETTING", f"PERP_WORKER is {number}, PERP_GATEWAYS {count}")
        self.name = f"{host}.{number}"
        self._folder = folder or Path()
        self._paths = {
            f"{host}.{each}": str(self._folder / f"gateway-{each}.sock")
            for each in range(1, count + 1)
        }
        self.count = count
        self._own_path = self._paths.pop(self.name)

    def path_of(self, sid: str) -> str | None:
        """The socket of the gateway that has the session; None when it is no other one here."""
        return self._paths.get(sid.rpartition(".")[0])

    def listen(self) -> socket.socket | None:
        """For what others pass on; None without others. Raises SettingsError and OSError."""
        if not self._paths:
            return None
        path = self._own_path
        length = len(os.fsencode(path))
        if length > PATH_BOUND:
            raise SettingsError(
                "BAD_SETTING",
                f"PERP_DATA_DIR is too long for several gateways: the socket {path} would have "
                f"{length} bytes, and {PATH_BOUND} are possible",
            )
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        if _is_in_use(path):
            raise SettingsError(
                "BAD_SETTING",
                f"another gateway is {self.name} in this data dir; PERP_WORKER tells them apart",
            )
        Path(path).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(path)
            # Nobody can connect before ``listen``.
            os.chmod(path, 0o600)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener


def _is_in_use(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except TimeoutError:
            return True
    return True
