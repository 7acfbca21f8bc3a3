"""Which configured URLs and which addresses may be connected to."""

from collections.abc import Mapping, Sequence

import pytest

from runtime.net import START_LIMIT_S, check_urls, is_public
from runtime.settings import Settings, SettingsError

SECRET = "hidden-key"
PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "172.31.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fd00:ec2::254",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
    ],
)
def test_not_the_internet(address: str) -> None:
    assert not is_public(address)


async def found(
    hosts: Mapping[str, Sequence[str]], *, allow_private: bool = False, **urls: object
) -> list[str]:
    """The hosts that were asked for. Raises SettingsError."""
    asked = []

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        if host not in hosts:
            raise OSError("no such host")
        return hosts[host]

    settings = Settings.model_construct(
        network="live",
        allow_private_urls=allow_private,
        **urls,  # type: ignore[arg-type]
    )
    await check_urls(settings, resolve)
    return asked


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://rpc.example/{SECRET}", "https:// or wss:// expected"),
        (f"ftp://rpc.example/{SECRET}", "https:// or wss:// expected"),
        (SECRET, "https:// or wss:// expected"),
        (f"https:///{SECRET}", "no host"),
        (f"https://[::1/{SECRET}", "not a URL"),
        (f"https://rpc.example:99999/{SECRET}", "not a URL"),
        (f"https://u:{SECRET}@a\u2100b/", "not a URL"),
        (f"https://u:{SECRET}@rpc.example/{SECRET}", r"rpc.example is private \(10.0.0.1\)"),
        (f"wss://both.example/{SECRET}", r"both.example is private \(fd00::1\)"),
    ],
)
async def test_refused_and_the_message_keeps_the_key(url: str, why: str) -> None:
    hosts = {"rpc.example": ["10.0.0.1"], "both.example": [PUBLIC, "fd00::1"]}
    with pytest.raises(SettingsError, match=f"^PERP_RPC_URLS_42161: {why}") as refused:
        await found(hosts, rpc_urls={42161: f"https://good.example,{url}"})
    assert refused.value.code == "BAD_URL"
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("dydx_ws_url", "ws://h.example", "PERP_DYDX_WS_URL: wss://"),
        ("dydx_http_url", "http://h.example", "PERP_DYDX_HTTP_URL: https://"),
        ("gmx_keeper_urls", "https://a.example,http://h.example", "PERP_GMX_KEEPER_URLS: https"),
        ("gmx_api_urls", "wss://h.example", "PERP_GMX_API_URLS: https://"),
        ("gains_pricing_ws_url", "https://h.example", "PERP_GAINS_PRICING_WS_URL: wss://"),
        ("gains_pricing_http_url", "http://h.example", "PERP_GAINS_PRICING_HTTP_URL: https://"),
        ("gains_backend_urls", {137: "http://h.example"}, "PERP_GAINS_BACKEND_URL_137: https"),
        ("gains_backend_ws_urls", {137: "ws://h.example"}, "PERP_GAINS_BACKEND_WS_URL_137: wss"),
    ],
)
async def test_every_variable_is_looked_at(name: str, value: object, variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}"):
        await found({}, **{name: value})


async def test_hosts_of_the_internet_and_unknown_ones_are_taken() -> None:
    """Nobody is kept from starting by a resolver that is away: it is asked at each connection."""
    urls = {42161: "https://rpc.example/key,wss://away.example:8443/"}
    assert sorted(await found({"rpc.example": [PUBLIC]}, rpc_urls=urls)) == [
        "away.example",
        "rpc.example",
    ]
    assert START_LIMIT_S <= 2


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]"])
async def test_numbers_that_resolvers_take_for_addresses(host: str) -> None:
    settings = Settings.model_construct(network="live", rpc_urls={1: f"https://{host}/{SECRET}"})
    with pytest.raises(SettingsError, match="is private"):
        await check_urls(settings)


async def test_in_the_sandbox_everything_is_private() -> None:
    urls = {42161: "http://127.0.0.1:8545,ws://localhost/,https://10.0.0.1/"}
    assert await found({}, allow_private=True, rpc_urls=urls) == []
    with pytest.raises(SettingsError, match="expected"):
        await found({}, allow_private=True, rpc_urls={42161: "ftp://127.0.0.1"})
