import os
import socket
from pathlib import Path

import pytest

from perptape.errors import StartError
from perptape.ports import free_ports, require_free


def test_free_ports_are_distinct_and_out_of_the_way_of_clients() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < lowest
    for port in ports:
        require_free("127.0.0.1", port, "PERP_X")


def test_free_ports_keep_clear_of_those_that_will_be_needed() -> None:
    ports = free_ports(50, keep_clear_of=range(12_000, 65_536))
    assert all(10_000 <= port < 12_000 for port in ports)


def test_a_taken_port_is_told_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as caught:
            require_free("127.0.0.1", port, "PERP_HTTP_PORT")
    message = str(caught.value)
    assert f"port {port} (PERP_HTTP_PORT) is in use by pid {os.getpid()} (" in message
    assert "set PERP_HTTP_PORT" in message


def test_a_host_that_is_not_ours() -> None:
    with pytest.raises(StartError, match=r"cannot be used on 192\.0\.2\.1: Cannot assign"):
        require_free("192.0.2.1", free_ports(1)[0], "PERP_HTTP_PORT")
