from pathlib import Path

import pytest

from perptape.layout import Layout, http_url, own_chains, sandbox_ports
from perptape.process import MARK
from perptape.roles import ROLES
from runtime.settings import Settings, load_settings
from sandbox.chain.places import ACCOUNTS, CONTRACTS, TOKENS


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PERP_DYDX_WS_URL", "PERP_DYDX_HTTP_URL", "PERP_NETWORK", "PERP_GATEWAYS"):
        monkeypatch.delenv(name, raising=False)


FREE = (4001, 4002, 4003, 4004)


def layout(settings: Settings) -> Layout:
    return Layout(
        settings,
        Path("/data"),
        "redis://r",
        "postgresql://p",
        sandbox_ports(settings, FREE),
        {chain: f"http://127.0.0.1:{4100 + i}" for i, chain in enumerate(own_chains(settings))},
    )


def test_roles_are_told_where_everything_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_MARKETS", "BTC-USD")
    env = layout(load_settings()).launch_role("feed", 5001).env
    expected = {
        "REDIS_URL": "redis://r",
        "DATABASE_URL": "postgresql://p",
        "PERP_DATA_DIR": "/data",
        "PERP_METRICS_PORT": "5001",
        "PERP_MARKETS": "BTC-USD",
        "PERP_SANDBOX_CONTROL_PORT": "4001",
        "PERP_SANDBOX_DYDX_PORT": "4002",
        "PERP_DYDX_WS_URL": "ws://127.0.0.1:4002/v4/ws",
        "PERP_DYDX_HTTP_URL": "http://127.0.0.1:4002",
        "PERP_GMX_KEEPER_URLS": "http://127.0.0.1:4003",
        "PERP_GAINS_PRICING_WS_URL": "ws://127.0.0.1:4004/v4",
        "PERP_GAINS_BACKEND_URL_137": "http://127.0.0.1:4004/backend/137",
        "PERP_GAINS_BACKEND_WS_URL_8453": "ws://127.0.0.1:4004/backend/8453",
        "PERP_RPC_URLS_42161": ",".join(
            f"{scheme}://127.0.0.1:4001/rpc/42161/{endpoint}"
            for scheme in ("http", "ws")
            for endpoint in "ab"
        ),
        "PERP_SANDBOX_CHAIN_URL_42161": "http://127.0.0.1:4100",
        MARK: "/data",
    }
    assert {name: env.get(name) for name in expected} == expected


def test_what_the_user_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_DYDX_WS_URL", "ws://127.0.0.1:1/mine")
    monkeypatch.setenv("PERP_SANDBOX_DYDX_PORT", "4444")
    settings = load_settings()
    env = layout(settings).launch_role("feed", 5001).env
    assert env["PERP_DYDX_WS_URL"] == "ws://127.0.0.1:1/mine"
    assert env["PERP_DYDX_HTTP_URL"] == "http://127.0.0.1:4444"
    assert sandbox_ports(settings, FREE) == {
        "control": 4001,
        "dydx": 4444,
        "gmx": 4003,
        "gains": 4004,
    }


def test_no_replica_talks_into_what_the_user_has_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "PERP_GMX_KEEPER_URLS": "PERP_GMX_API_URLS",
        "PERP_GAINS_PRICING_WS_URL": "PERP_GAINS_PRICING_HTTP_URL",
        "PERP_GAINS_BACKEND_URL_137": "PERP_GAINS_BACKEND_WS_URL_137",
    }
    for name, companion in names.items():
        assert companion in layout(load_settings()).launch_role("feed", 5001).env
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert companion not in layout(load_settings()).launch_role("feed", 5001).env
        monkeypatch.setenv(companion, "http://127.0.0.1:2")
        assert layout(load_settings()).launch_role("feed", 5001).env[companion].endswith(":2")
    assert "PERP_GAINS_BACKEND_WS_URL_8453" in layout(load_settings()).launch_role("feed", 1).env


def test_pools_of_a_chain_that_is_not_ours_are_not_told_by_the_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PERP_RPC_URLS_42161", "http://127.0.0.1:8545")
    env = layout(load_settings()).launch_role("feed", 5001).env
    assert "PERP_GMX_API_URLS" not in env
    assert env["PERP_GMX_KEEPER_URLS"] == "http://127.0.0.1:4003"


def test_live_has_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_NETWORK", "live")
    settings = load_settings()
    made = layout(settings)
    assert "PERP_DYDX_WS_URL" not in made.launch_role("feed", 5001).env
    assert "sandbox" not in made.runtime_content({})
    assert [role.name for role in ROLES if role.workers(settings)] == [
        "feed",
        "gateway",
        "executor",
    ]


def test_runtime_file_keeps_the_contract() -> None:
    content = layout(Settings(http_port=8123, metrics_port=9001)).runtime_content({"feed": [7]})
    assert content == {
        "http_url": "http://127.0.0.1:8123",
        "metrics_url": "http://127.0.0.1:9001/metrics",
        "redis_url": "redis://r",
        "database_url": "postgresql://p",
        "rpc_urls": {
            str(chain): [f"http://127.0.0.1:4001/rpc/{chain}/{endpoint}" for endpoint in "ab"]
            for chain in (42161, 137, 8453)
        },
        "pids": {"feed": [7]},
        "sandbox": {
            "control_url": "http://127.0.0.1:4001",
            "accounts": [account._asdict() for account in ACCOUNTS],
            "tokens": {
                str(chain): {symbol: token.address for symbol, token in tokens.items()}
                for chain, tokens in TOKENS.items()
            },
            "contracts": {str(chain): places for chain, places in CONTRACTS.items()},
            "dydx": {"chain_id": "localdydxprotocol", "accounts": []},
        },
    }


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
    ],
)
def test_the_url_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert http_url(Settings(http_host=host)) == url


def test_several_gateways_are_told_apart() -> None:
    gateway = next(role for role in ROLES if role.name == "gateway")
    assert gateway.workers(Settings()) == [""]
    assert gateway.workers(Settings(gateways=3)) == ["1", "2", "3"]
    made = layout(Settings(gateways=3))
    numbers = [made.launch_role("gateway", 1, worker=each).env["PERP_WORKER"] for each in ("", "3")]
    assert numbers == ["1", "3"]


def test_a_chain_with_a_node_of_its_own_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_RPC_URLS_42161", "http://127.0.0.1:1,ws://127.0.0.1:2")
    settings = load_settings()
    assert own_chains(settings) == (137, 8453)
    made = layout(settings)
    env = made.launch_role("sandbox", 5001).env
    assert "PERP_SANDBOX_CHAIN_URL_42161" not in env
    assert env["PERP_RPC_URLS_42161"] == "http://127.0.0.1:1,ws://127.0.0.1:2"
    urls = ["http://127.0.0.1:1", "ws://127.0.0.1:2"]
    assert made.runtime_content({})["rpc_urls"]["42161"] == urls


def test_only_the_sandbox_runs_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_chains(load_settings()) == (42161, 137, 8453)
    monkeypatch.setenv("PERP_NETWORK", "live")
    assert own_chains(load_settings()) == ()
