"""Two hosts behind the nginx of `deploy/nginx.conf`. A missing nginx is a failure here: whoever has
none leaves this file out by name."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.peers import Peers
from api.realtime.session import Session
from api.realtime.siblings import Siblings
from tests.integration.followers import Following
from tests.integration.gateway_kit import Feed, Rig, until_it_serves
from tests.integration.siblings_kit import beating_feed, gateway_here
from tests.protocol.test_javascript import POLLING, UPGRADE, WEBSOCKET, free_port
from tests.servers import open_folder

CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
HOSTS: Final = {"a": "10.0.0.11:8000", "b": "10.0.0.12:8000"}
OPEN: Final = "/socket.io/?EIO=4&transport=polling"
ON_UVLOOP: Final = True

pytestmark = pytest.mark.timeout(150)


def replaced(text: str, old: str, new: str, times: int) -> str:
    assert text.count(old) == times
    return text.replace(old, new)


def configured(folder: Path, port: int, hosts: dict[str, Rig]) -> Path:
    """The configuration we ship with the addresses of a test, and what it needs around it."""
    text = replaced(CONFIGURATION.read_text(), "listen 80 ", f"listen 127.0.0.1:{port} ", 1)
    for name, rig in hosts.items():
        text = replaced(text, HOSTS[name], rig.url.removeprefix("http://"), 2)
    (folder / "perptape.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "main.conf"
    main.write_text(
        f"daemon off; master_process off; events {{}}\n"
        f"pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"http {{ access_log {folder}/access.log; {temporary} include {folder}/perptape.conf; }}\n"
    )
    return main


@contextlib.asynccontextmanager
async def running_nginx(hosts: dict[str, Rig]) -> AsyncIterator[str]:
    """Its URL. It may only complain of hosts that were taken from it."""
    program = os.environ.get("NGINX") or shutil.which(
        "nginx", path=f"{os.environ['PATH']}:/usr/sbin"
    )
    assert program, "no nginx: install Debian's nginx-light or name one in NGINX"
    port = free_port()
    with open_folder() as folder:
        main, log = configured(folder, port, hosts), folder / "error.log"
        process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(main))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                await until_it_serves(http)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()
        complaints = [line for line in log.read_text().splitlines() if "[notice]" not in line]
        assert [line for line in complaints if "upstream" not in line] == []


@dataclass
class Deployment:
    url: str
    feed: Feed
    hosts: dict[str, Rig]


@pytest.fixture
async def deployment(embedded_redis_url: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    trusting = Peers((ip_network("127.0.0.1"),))
    async with contextlib.AsyncExitStack() as stack:
        feed = await stack.enter_async_context(beating_feed(embedded_redis_url))
        hosts = {
            name: await stack.enter_async_context(
                gateway_here(
                    embedded_redis_url, feed, Siblings(name, 1, 1, tmp_path / name), peers=trusting
                )
            )
            for name in HOSTS
        }
        url = await stack.enter_async_context(running_nginx(hosts))
        yield Deployment(url, feed, hosts)


async def test_every_transport_at_both_hosts(deployment: Deployment) -> None:
    async with contextlib.AsyncExitStack() as stack:
        following = Following(deployment.url, stack)
        for transports in (POLLING, WEBSOCKET, UPGRADE):
            # They are dealt out to the host with fewer connections.
            seen: set[str] = set()
            while seen != {"a.1", "b.1"}:
                follower = await following.add(transports)
                seen.add(follower.gateway)
                if transports == UPGRADE and "upgrade" not in follower.events:
                    await follower.client.next("upgrade")
        for step in range(5):
            seq = await deployment.feed.price(f"9710{step}", "99999")
            for follower in following.all:
                await follower.hears(seq)
        assert [follower.losses for follower in following.all] == [0] * len(following.all)


async def test_a_host_that_goes_loses_only_its_own_sockets(deployment: Deployment) -> None:
    async with contextlib.AsyncExitStack() as stack:
        following = Following(deployment.url, stack)
        for transports in (POLLING, WEBSOCKET, UPGRADE):
            before = len(following.all)
            while {each.gateway for each in following.all[before:]} != {"a.1", "b.1"}:
                await following.add(transports)
        lost = [follower for follower in following.all if follower.gateway == "a.1"]
        kept = [follower for follower in following.all if follower.gateway == "b.1"]
        deployment.hosts["a"].stop.set()
        for follower in lost:
            await follower.client.next("disconnect")
            await follower.subscribed()
            assert follower.gateway == "b.1"
        seq = await deployment.feed.price("98200", "99999")
        for follower in following.all:
            await follower.hears(seq)
        assert [follower.losses for follower in kept] == [0] * len(kept)


async def test_clients_keep_their_address(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    original = Session.open

    def noted(self: Session, transport: Any, peer: str) -> None:
        found.append(peer)
        original(self, transport, peer)

    monkeypatch.setattr(Session, "open", noted)
    spoofed = {"x-forwarded-for": "192.0.2.66"}
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx.AsyncClient(transport=transport, base_url=deployment.url) as http:
        await http.get(OPEN, headers=spoofed)
    uri = deployment.url.replace("http", "ws") + OPEN.replace("polling", "websocket")
    async with connect(uri, additional_headers=spoofed, local_addr=("127.0.0.2", 0)):
        pass
    assert found == ["127.0.0.2", "127.0.0.2"]


async def test_origins_are_those_of_the_browser(deployment: Deployment) -> None:
    uri = deployment.url.replace("http", "ws") + OPEN.replace("polling", "websocket")
    async with httpx.AsyncClient(base_url=deployment.url) as http:
        for origin, status in ((deployment.url, 200), ("https://elsewhere.example", 403)):
            assert (await http.get(OPEN, headers={"origin": origin})).status_code == status
    async with connect(uri, origin=deployment.url):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(uri, origin="https://elsewhere.example"):  # type: ignore[arg-type]
            pass


async def test_the_rest_goes_to_any_host(deployment: Deployment) -> None:
    async with httpx.AsyncClient(base_url=deployment.url) as http:
        for _ in range(4):
            assert (await http.get("/v1/quotes/BTC-USD")).json()["data"]["data"]["bid"] == "97000"
        assert (await http.get("/")).headers["content-type"].startswith("text/html")
        deployment.hosts["b"].stop.set()
        for _ in range(4):
            assert (await http.get("/v1/markets")).status_code == 200
