"""The environment: what is taken, what is refused and with which words."""

import os

import pytest

from connectors import desks
from domain.ids import VenueId
from runtime.settings import Settings, SettingsError, comma_urls, ignored_names, load_settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PERP_") or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_defaults_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, REDIS_URL="redis://:hidden@localhost:1/0")
    assert settings.network == "sandbox"
    assert settings.private_urls_allowed
    assert settings.market_filter is None
    assert "hidden" not in repr(settings)
    assert settings.require_redis_url() == "redis://:hidden@localhost:1/0"
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        settings.require_database_url()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PERP_NETWROK": "live"}, "unknown setting PERP_NETWROK; did you mean PERP_NETWORK?"),
        ({"PERP_ZZZ": "1"}, "unknown setting PERP_ZZZ"),
        ({"PERP_NETWORK": "moon"}, "PERP_NETWORK: "),
        ({"PERP_HTTP_PORT": "70000"}, "PERP_HTTP_PORT: "),
        ({"PERP_HTTP_PORT": "80 80"}, "PERP_HTTP_PORT: "),
        ({"PERP_SANDBOX_RATE": "nan"}, "PERP_SANDBOX_RATE: "),
        ({"PERP_HOST_NAME": "a.b"}, "PERP_HOST_NAME: 1 to 16 letters"),
        ({"PERP_HOST_NAME": ""}, "PERP_HOST_NAME: "),
        ({"PERP_HOST_NAME": "x" * 17}, "PERP_HOST_NAME: "),
        ({"PERP_TRUSTED_PROXIES": "10.0.0.1,proxy"}, "PERP_TRUSTED_PROXIES: 'proxy' does not"),
        ({"PERP_TRUSTED_PROXIES": "10.0.0.1/8"}, "PERP_TRUSTED_PROXIES: 10.0.0.1/8 has host bits"),
    ],
)
def test_a_typo_is_no_default(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, **environment)
    assert refused.value.message.startswith(message)
    assert "hidden" not in refused.value.message


def test_names_of_parts_that_are_not_here_are_taken_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load(monkeypatch, PERP_SIGNER_KEK="x", PERP_GAINS_GLOBAL_URL="y")
    assert ignored_names() == ["PERP_GAINS_GLOBAL_URL", "PERP_SIGNER_KEK"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", None),
        ("", None),
        (" , ", None),
        ("BTC-USD, ETH-USD,", {"BTC-USD", "ETH-USD"}),
    ],
)
def test_lists(monkeypatch: pytest.MonkeyPatch, text: str, names: set[str] | None) -> None:
    assert load(monkeypatch, PERP_MARKETS=text).market_filter == names


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).trusted_networks == ()
    settings = load(monkeypatch, PERP_TRUSTED_PROXIES="10.0.0.1, fd00::/8,")
    assert list(map(str, settings.trusted_networks)) == ["10.0.0.1/32", "fd00::/8"]


@pytest.mark.parametrize("name", ["btc-usd", "BTC", "BTC/USD", "BTC-USD;ETH-USD", "all,BTC"])
def test_what_is_no_market_name_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, PERP_MARKETS=f"ETH-USD,{name}")
    assert refused.value.code == "BAD_SETTING"
    assert "PERP_MARKETS" in refused.value.message


def test_names_by_chain_and_by_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        PERP_RPC_URLS_42161="https://a.example, https://b.example",
        PERP_GAINS_BACKEND_URL_137="https://c.example",
        PERP_GMX_ROLE_STORE_ADDRESS="0x1",
    )
    assert comma_urls(settings.rpc_urls[42161]) == ("https://a.example", "https://b.example")
    assert settings.gains_backend_urls == {137: "https://c.example"}
    assert settings.gmx_addresses == {"ROLE_STORE": "0x1"}


@pytest.mark.parametrize("name", ["PERP_RPC_URLS", "PERP_RPC_URLS_X", "PERP_GMX_NOPE_ADDRESS"])
def test_names_outside_their_family_are_unknown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, **{name: "x"})
    assert refused.value.code == "UNKNOWN_SETTING"


@pytest.mark.parametrize(
    ("environment", "traded"),
    [
        ({}, True),
        ({"PERP_NETWORK": "testnet"}, True),
        ({"PERP_NETWORK": "live"}, False),
        ({"PERP_NETWORK": "live", "PERP_TRADING": "on"}, False),
        ({"PERP_NETWORK": "live", "PERP_TRADING": "on", "URLS": "https://a,wss://b"}, False),
        ({"PERP_NETWORK": "live", "PERP_TRADING": "on", "URLS": "https://a,https://a"}, False),
        ({"PERP_NETWORK": "live", "PERP_TRADING": "on", "URLS": "https://a,https://b"}, True),
        ({"PERP_NETWORK": "live", "PERP_TRADING": "off", "URLS": "https://a,https://b"}, False),
    ],
)
def test_real_money_is_asked_for_and_needs_two_nodes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], traded: bool
) -> None:
    given = {name.replace("URLS", "PERP_RPC_URLS_137"): url for name, url in environment.items()}
    settings = load(monkeypatch, **given)
    assert settings.trades_on(137) is traded
    chains = desks.traded_chains(settings)
    assert (137 in chains[VenueId("gains")]) is (traded and settings.network != "testnet")
