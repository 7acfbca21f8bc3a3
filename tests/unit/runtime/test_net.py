"""Which configured URLs may be connected to."""

import pytest

from runtime.net import check_url
from runtime.settings import SettingsError

SECRET = "hidden-key"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://rpc.example/{SECRET}", "https:// expected"),
        (f"ftp://rpc.example/{SECRET}", "https:// expected"),
        (f"{SECRET}", "https:// expected"),
        (f"https:///{SECRET}", "no host"),
        (f"https://[::1/{SECRET}", "not a URL"),
        (f"https://u:{SECRET}@a\u2100b/", "not a URL"),
        *(
            (f"https://u:{SECRET}@{host}/{SECRET}", "is private")
            for host in (
                "localhost",
                "a.localhost.",
                "127.0.0.1",
                "127.1",
                "2130706433",
                "0x7f000001",
                "10.0.0.1",
                "192.168.1.1",
                "169.254.169.254",
                "[::1]",
                "[fd00::1]",
                "[fe80::1]",
            )
        ),
    ],
)
def test_refused_and_the_message_keeps_the_key(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        check_url("PERP_RPC_URLS_42161", url, "https", allow_private=False)
    assert refused.value.code == "BAD_URL"
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "scheme", "private"),
    [
        ("https://rpc.example/key", "https", False),
        ("wss://rpc.example:8443/", "wss", False),
        ("https://8.8.8.8/", "https", False),
        ("http://127.0.0.1:8545", "https", True),
        ("ws://localhost/", "wss", True),
        ("https://10.0.0.1/", "https", True),
    ],
)
def test_taken_as_it_is(url: str, scheme: str, private: bool) -> None:
    assert check_url("NAME", url, scheme, allow_private=private) == url
