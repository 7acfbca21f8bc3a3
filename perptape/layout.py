"""The addresses of one run: which ports it uses, and what roles and other programs are told."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perptape.process import MARK, Launch
from runtime.settings import Settings, comma_urls
from sandbox.chain import places

_REACHED_BY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_DYDX_CHAIN_ID: Final = "localdydxprotocol"


def http_host(settings: Settings) -> str:
    """The host at which we reach the gateways ourselves."""
    return _REACHED_BY.get(settings.http_host, settings.http_host)


def http_url(settings: Settings) -> str:
    return f"http://{_in_url(http_host(settings))}:{settings.http_port}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


SANDBOX_PORTS: Final = ("control", "dydx", "gmx", "gains")
SANDBOX_CHAINS: Final = places.CHAINS
_COMPANIONS: Final = {
    "PERP_GMX_API_URLS": "PERP_GMX_KEEPER_URLS",
    "PERP_GAINS_PRICING_HTTP_URL": "PERP_GAINS_PRICING_WS_URL",
    **{
        f"PERP_GAINS_BACKEND_WS_URL_{chain}": f"PERP_GAINS_BACKEND_URL_{chain}"
        for chain in SANDBOX_CHAINS
    },
}
"""What is not to come from a replica where the user has named the other one: it would tell of
another world."""


def sandbox_ports(settings: Settings, free: Sequence[int]) -> Mapping[str, int] | None:
    """A port for each of SANDBOX_PORTS: of these free ones, so that two checkouts can run side by
    side, or what the user chose."""
    if settings.network != "sandbox":
        return None
    chosen = settings.model_fields_set
    fields = {name: f"sandbox_{name}_port" for name in SANDBOX_PORTS}
    return {
        name: getattr(settings, field) if field in chosen else port
        for (name, field), port in zip(fields.items(), free, strict=True)
    }


def sandbox_listens(ports: Mapping[str, int]) -> dict[str, str]:
    """Settings that tell the sandbox its ports."""
    return {f"PERP_SANDBOX_{name.upper()}_PORT": str(port) for name, port in ports.items()}


def sandbox_venues(
    ports: Mapping[str, int], chains: Iterable[int] = SANDBOX_CHAINS
) -> dict[str, str]:
    """Settings that lead to the replicas. ``chains``: those that are ours; of the pools of another
    one the replica of the GMX API knows nothing."""
    apis = {"PERP_GMX_API_URLS": f"http://127.0.0.1:{ports['gmx']}"}
    dydx, gmx, gains = (f"127.0.0.1:{ports[venue]}" for venue in ("dydx", "gmx", "gains"))
    return {
        "PERP_DYDX_WS_URL": f"ws://{dydx}/v4/ws",
        "PERP_DYDX_HTTP_URL": f"http://{dydx}",
        "PERP_GMX_KEEPER_URLS": f"http://{gmx}",
        **(apis if places.ARBITRUM in chains else {}),
        "PERP_GAINS_PRICING_WS_URL": f"ws://{gains}/v4",
        "PERP_GAINS_PRICING_HTTP_URL": f"http://{gains}/pricing",
        **{
            f"PERP_GAINS_BACKEND_{kind}URL_{chain}": f"{scheme}://{gains}/backend/{chain}"
            for kind, scheme in (("", "http"), ("WS_", "ws"))
            for chain in SANDBOX_CHAINS
        },
    }


def own_chains(settings: Settings) -> tuple[int, ...]:
    """Chains of the sandbox that we run ourselves: a configured one is used as it is."""
    if settings.network != "sandbox":
        return ()
    return tuple(chain for chain in SANDBOX_CHAINS if not settings.rpc_urls.get(chain))


def chain_settings(urls: Mapping[int, str], control_port: int | None = None) -> dict[str, str]:
    """Settings that lead to our own chains, and tell the sandbox that it may use them. Roles reach
    them through the sandbox, which can be told to lie; without a port of it they ask the nodes."""
    rpc = {}
    for chain, url in urls.items():
        reached = (url,) if control_port is None else _proxied(chain, control_port)
        sockets = (each.replace("http", "ws", 1) for each in reached)
        rpc[f"PERP_RPC_URLS_{chain}"] = ",".join((*reached, *sockets))
    return rpc | {f"PERP_SANDBOX_CHAIN_URL_{chain}": url for chain, url in urls.items()}


def _proxied(chain: int, control_port: int) -> tuple[str, ...]:
    place = f"http://127.0.0.1:{control_port}/rpc/{chain}"
    return tuple(f"{place}/{endpoint}" for endpoint in places.ENDPOINTS)


@dataclass(frozen=True, slots=True)
class Layout:
    """``chains``: URLs of those we run ourselves, by chain id."""

    settings: Settings
    data_dir: Path
    redis_url: str
    database_url: str
    sandbox: Mapping[str, int] | None
    chains: Mapping[int, str]

    def launch_role(
        self, name: str, metrics_port: int, niceness: int = 0, worker: str = ""
    ) -> Launch:
        env = os.environ | {
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "PERP_DATA_DIR": str(self.data_dir),
            # Of one role nobody but the supervisor's page wants to know.
            "PERP_METRICS_HOST": "127.0.0.1",
            "PERP_METRICS_PORT": str(metrics_port),
            "PERP_WORKER": worker or "1",
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.data_dir),
            **chain_settings(
                self.chains, None if self.sandbox is None else self.sandbox["control"]
            ),
        }
        if self.sandbox is not None:
            own = {
                name: url
                for name, url in sandbox_venues(self.sandbox, self.chains).items()
                if _COMPANIONS.get(name) not in env
            }
            env = own | env | sandbox_listens(self.sandbox)
        argv = (sys.executable, "-P", "-m", "perptape", name)
        return Launch(argv=argv, env=env, niceness=niceness)

    def runtime_content(self, pids: Mapping[str, list[int]]) -> dict[str, Any]:
        """What ``runtime.json`` says; a published contract."""
        content: dict[str, Any] = {
            "http_url": http_url(self.settings),
            "metrics_url": self._metrics_url(),
            "redis_url": self.redis_url,
            "database_url": self.database_url,
            "rpc_urls": self._rpc_urls(),
            "pids": dict(pids),
        }
        if self.sandbox is not None:
            content["sandbox"] = {
                "control_url": f"http://127.0.0.1:{self.sandbox['control']}",
                **_deployed(tuple(self.chains)),
                "dydx": {"chain_id": _DYDX_CHAIN_ID, "accounts": []},
            }
        return content

    def _metrics_url(self) -> str:
        host = _REACHED_BY.get(self.settings.metrics_host, self.settings.metrics_host)
        return f"http://{_in_url(host)}:{self.settings.metrics_port}/metrics"

    def _rpc_urls(self) -> dict[str, list[str]]:
        given = {chain: comma_urls(urls) for chain, urls in self.settings.rpc_urls.items()}
        own = {
            chain: _proxied(chain, self.sandbox["control"]) if self.sandbox else (url,)
            for chain, url in self.chains.items()
        }
        return {str(chain): list(urls) for chain, urls in (given | own).items()}


def _deployed(chains: Sequence[int]) -> dict[str, Any]:
    """What stands on our own chains, and who has something there."""
    return {
        "accounts": [account._asdict() for account in places.ACCOUNTS if chains],
        "tokens": {
            str(chain): {symbol: token.address for symbol, token in places.TOKENS[chain].items()}
            for chain in chains
        },
        "contracts": {str(chain): dict(places.CONTRACTS[chain]) for chain in chains},
    }
