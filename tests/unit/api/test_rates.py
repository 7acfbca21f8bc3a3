"""What policies say of themselves, and where they come from."""

import pytest

from api.limits import RATES, Policy, Rates
from api.realtime.limits import QUOTAS
from api.service import quotas_of, rates_of
from runtime.settings import load_settings


def test_a_policy_tells_its_window_and_what_is_left() -> None:
    policy = Policy("anonymous", 20.0, 60)
    assert policy.header == b'"anonymous";q=60;w=3'
    assert policy.state(60) == b'"anonymous";r=60;t=0'
    assert policy.state(59.5) == b'"anonymous";r=59;t=1'
    assert policy.state(0) == b'"anonymous";r=0;t=3'
    assert policy.scaled(0.001) == Policy("anonymous", 0.02, 1)


def test_the_defaults_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERP_NETWORK", "live")
    assert rates_of(load_settings()) == RATES
    assert quotas_of(load_settings()) == QUOTAS
    monkeypatch.setenv("PERP_NETWORK", "sandbox")
    assert rates_of(load_settings()) == RATES.scaled(100)
    assert quotas_of(load_settings()) == QUOTAS.scaled(100)


def test_every_rate_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RATE_LIMIT_FACTOR": "2",
        "RATE_ANONYMOUS_PER_S": "0.5",
        "RATE_ANONYMOUS_BURST": "3",
        "RATE_ACCOUNT_PER_S": "4",
        "RATE_ACCOUNT_BURST": "5",
        "RATE_LOGINS_PER_MINUTE": "6",
        "RATE_ORDERS_PER_S": "7",
        "RATE_ORDERS_BURST": "8",
        "RATE_ADDRESS_SOCKETS": "9",
        "RATE_SOCKET_ROOMS": "10",
    }.items():
        monkeypatch.setenv(f"PERP_{name}", value)
    assert rates_of(load_settings()) == Rates(
        Policy("anonymous", 1.0, 6),
        Policy("account", 8.0, 10),
        Policy("login", 0.2, 12, closed=True),
        Policy("orders", 14.0, 16),
    )
    quotas = quotas_of(load_settings())
    assert (quotas.address_sockets, quotas.socket_rooms, quotas.address_rooms) == (18, 10, 180)
