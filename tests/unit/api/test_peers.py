from ipaddress import ip_network

import pytest

from api.peers import Peers

PROXIES = Peers((ip_network("10.0.0.0/8"), ip_network("::1/128")))


@pytest.mark.parametrize(
    ("connected", "forwarded_for", "found"),
    [
        # Who is no proxy of ours cannot say who it is.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("203.0.113.7", "", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        # What a client said of itself stands before what proxies say.
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66,198.51.100.1 , 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        # A proxy that says nothing, or nonsense, is the one we know.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, _hidden, 10.2.2.2", "10.2.2.2"),
        ("10.0.0.1", "198.51.100.1:4711", "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_proxies_of_ours_are_believed(connected: str, forwarded_for: str, found: str) -> None:
    assert PROXIES.address(connected, forwarded_for) == found


def test_without_proxies_nobody_is() -> None:
    assert Peers().address("10.0.0.1", "198.51.100.1") == "10.0.0.1"


def test_another_gateway_of_this_host_is() -> None:
    assert Peers(passed_on=True).address("", "198.51.100.1") == "198.51.100.1"
