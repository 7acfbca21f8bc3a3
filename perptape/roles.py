"""The table of roles. A new role is one line here; the order is the order of starting, and its
reverse the order of stopping."""

import importlib
from dataclasses import dataclass
from typing import Final, cast

from runtime import beside
from runtime.settings import Settings
from runtime.tasks import RoleMain


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    module: str
    # Seconds to end by itself before it is killed. Their sum, with that of the embedded servers,
    # keeps a whole stop below 10 s.
    stop_grace_s: float
    sandbox_only: bool = False
    replicated: bool = False  # PERP_GATEWAYS copies instead of one
    beside: bool = False  # computes in a process beside it, from its first second on

    def workers(self, settings: Settings) -> list[str]:
        """One name per process; a role that runs once needs none."""
        if self.sandbox_only and settings.network != "sandbox":
            return []
        if not self.replicated or settings.gateways == 1:
            return [""]
        return [str(number) for number in range(1, settings.gateways + 1)]

    def load(self) -> RoleMain:
        # Imported only in the process that runs it: each role pays for its own imports alone.
        main = cast(RoleMain, importlib.import_module(self.module).main)
        if self.beside:
            beside.begin()
        return main


ROLES: Final = (
    Role("sandbox", "sandbox.service", stop_grace_s=1.0, sandbox_only=True),
    Role("feed", "aggregator.service", stop_grace_s=1.5, beside=True),
    Role("gateway", "api.service", stop_grace_s=4.2, replicated=True),
    Role("executor", "execution.service", stop_grace_s=0.6),
)
