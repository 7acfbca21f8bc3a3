"""The addresses of one run: which ports it uses, and what roles and other programs are told."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perptape.process import MARK, Launch
from runtime.settings import Settings

_REACHED_BY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_DYDX_CHAIN_ID: Final = "localdydxprotocol"


def http_host(settings: Settings) -> str:
    """The host at which we reach the gateways ourselves."""
    return _REACHED_BY.get(settings.http_host, settings.http_host)


def http_url(settings: Settings) -> str:
    host = http_host(settings)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    control: int
    dydx: int


def sandbox_ports(settings: Settings, control: int, dydx: int) -> SandboxPorts | None:
    """These free ports, so that two checkouts can run side by side, or those the user chose."""
    if settings.network != "sandbox":
        return None
    chosen = settings.model_fields_set
    return SandboxPorts(
        settings.sandbox_control_port if "sandbox_control_port" in chosen else control,
        settings.sandbox_dydx_port if "sandbox_dydx_port" in chosen else dydx,
    )


@dataclass(frozen=True, slots=True)
class Layout:
    settings: Settings
    data_dir: Path
    redis_url: str
    database_url: str
    sandbox: SandboxPorts | None

    def launch_role(self, name: str, metrics_port: int) -> Launch:
        env = os.environ | {
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "PERP_DATA_DIR": str(self.data_dir),
            "PERP_METRICS_PORT": str(metrics_port),
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.data_dir),
        }
        if self.sandbox is not None:
            venue = f"127.0.0.1:{self.sandbox.dydx}"
            env["PERP_SANDBOX_CONTROL_PORT"] = str(self.sandbox.control)
            env["PERP_SANDBOX_DYDX_PORT"] = str(self.sandbox.dydx)
            env.setdefault("PERP_DYDX_WS_URL", f"ws://{venue}/v4/ws")
            env.setdefault("PERP_DYDX_HTTP_URL", f"http://{venue}")
        return Launch(argv=(sys.executable, "-P", "-m", "perptape", name), env=env)

    def runtime_content(self, pids: Mapping[str, list[int]]) -> dict[str, Any]:
        """What ``runtime.json`` says; a published contract."""
        content: dict[str, Any] = {
            "http_url": http_url(self.settings),
            "metrics_url": f"http://127.0.0.1:{self.settings.metrics_port}/metrics",
            "redis_url": self.redis_url,
            "database_url": self.database_url,
            "rpc_urls": {},
            "pids": dict(pids),
        }
        if self.sandbox is not None:
            content["sandbox"] = {
                "control_url": f"http://127.0.0.1:{self.sandbox.control}",
                "accounts": [],
                "tokens": {},
                "contracts": {},
                "dydx": {"chain_id": _DYDX_CHAIN_ID, "accounts": []},
            }
        return content
