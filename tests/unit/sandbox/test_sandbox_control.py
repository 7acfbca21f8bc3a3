import asyncio
from typing import Any

import httpx
import pytest

from sandbox.chain.desk import Instructions
from sandbox.control import Control
from sandbox.faults import KINDS, FaultBoard
from sandbox.gains.hours import MarketHours
from sandbox.prices import PriceProcess, load_assets

CLAIMABLE = {"address": "0x" + "1" * 40, "pool": "0x" + "2" * 40, "amount": "1.5"}


class Client:
    def __init__(self, control: Control) -> None:
        self._transport = httpx.ASGITransport(control.app())

    def request(self, method: str, path: str, **body: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://control"
            ) as client:
                return await client.request(method, path, **body)

        return asyncio.run(send())


@pytest.fixture
def prices() -> PriceProcess:
    return PriceProcess(load_assets(), 1)


@pytest.fixture
def hours() -> MarketHours:
    return MarketHours()


@pytest.fixture
def instructions() -> Instructions:
    return Instructions()


@pytest.fixture
def client(prices: PriceProcess, hours: MarketHours, instructions: Instructions) -> Client:
    board = FaultBoard()
    board.register("dydx", KINDS, ["BTC-USD"])
    return Client(Control(board, prices, hours, instructions, {}))


def test_faults_are_posted_listed_and_cleared(client: Client) -> None:
    posted = client.request(
        "POST", "/faults", json={"venue": "dydx", "kind": "gap", "market": "BTC-USD"}
    )
    assert posted.status_code == 200
    assert posted.json() == {
        "venue": "dydx",
        "kind": "gap",
        "market": "BTC-USD",
        "seconds_left": 10.0,
    }
    (listed,) = client.request("GET", "/faults").json()["faults"]
    assert (listed["kind"], listed["market"]) == ("gap", "BTC-USD")
    assert 9 < listed["seconds_left"] <= 10
    assert client.request("DELETE", "/faults").json() == {"ended": 1}
    assert client.request("GET", "/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"venue": "nyse", "kind": "gap"}, "venue"),
        ({"venue": "dydx", "kind": "explode"}, "kind"),
        ({"venue": "dydx", "kind": "gap", "market": "FOO-USD"}, "market"),
        ({"venue": "dydx", "kind": "gap", "seconds": "1"}, "seconds"),
        ({"venue": "dydx", "kind": "gap", "seconds": True}, "seconds"),
        ({"venue": "dydx", "kind": "gap", "seconds": 0}, "seconds"),
        ({"venue": "dydx", "kind": "gap", "seconds": 1e9}, "seconds"),
        ({"venue": "dydx", "kind": "gap", "until": 1}, "until"),
        ({"venue": "dydx"}, "kind"),
        (["dydx"], ""),
    ],
)
def test_bad_faults_name_what_is_wrong(client: Client, body: Any, path: str) -> None:
    answer = client.request("POST", "/faults", json=body)
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert client.request("GET", "/faults").json() == {"faults": []}


def test_a_body_that_is_no_json_or_too_long_is_refused(client: Client) -> None:
    for body in (b"", b"{", b"\xff"):
        assert client.request("POST", "/faults", content=body).status_code == 400
    assert client.request("POST", "/faults", content=b" " * 70_000).status_code == 413


def test_prices_are_set(client: Client, prices: PriceProcess) -> None:
    answer = client.request("POST", "/prices", json={"BTC-USD": "97000", "ETH-USD": "0.5"})
    assert answer.json() == {"prices": {"BTC-USD": "97000", "ETH-USD": "0.5"}}
    assert prices.price("BTC-USD") == 97_000
    assert prices.price("ETH-USD") == 0.5


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"FOO-USD": "1"},
        {"BTC-USD": 97000},
        {"BTC-USD": "0"},
        {"BTC-USD": "0.000"},
        {"BTC-USD": "-1"},
        {"BTC-USD": "1e5"},
        {"BTC-USD": "NaN"},
        {"BTC-USD": "\u0661"},
        {"BTC-USD": "97000", "ETH-USD": "x"},
    ],
)
def test_bad_prices_change_nothing(
    client: Client, prices: PriceProcess, body: dict[str, Any]
) -> None:
    before = list(prices.values)
    assert client.request("POST", "/prices", json=body).status_code == 422
    assert prices.values == before


def test_what_does_not_exist_is_404(client: Client) -> None:
    for path in ("/funds", "/keepers"):
        answer = client.request("POST", path, json={})
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (404, "")
    assert client.request("PUT", "/faults", json={}).status_code == 405


def test_hours_are_held_and_given_back_to_the_clock(client: Client, hours: MarketHours) -> None:
    thursday_us = 1_780_000_000_000_000 - 5 * 3600 * 1_000_000
    assert hours.is_open("stocks", thursday_us)
    answer = client.request("POST", "/hours", json={"stocks": "closed", "forex": "open"})
    assert answer.json() == {"hours": {"stocks": "closed", "forex": "open"}}
    assert not hours.is_open("stocks", thursday_us)
    assert not hours.open_classes(thursday_us)["stocks"]
    saturday_us = thursday_us + 2 * 86_400 * 1_000_000
    assert hours.open_classes(saturday_us)["forex"]
    assert client.request("POST", "/hours", json={"stocks": "clock"}).status_code == 200
    assert hours.is_open("stocks", thursday_us)


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, ""), ({"bonds": "open"}, "bonds"), ({"stocks": True}, "stocks"), (["stocks"], "")],
)
def test_bad_hours_change_nothing(client: Client, hours: MarketHours, body: Any, path: str) -> None:
    before = hours.open_classes(0)
    answer = client.request("POST", "/hours", json=body)
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert hours.open_classes(0) == before


def test_the_keeper_is_instructed(client: Client, instructions: Instructions) -> None:
    answer = client.request("POST", "/keeper", json={"mode": "hold"})
    assert answer.json() == {"mode": "hold", "delay_ms": 800}
    answer = client.request("POST", "/keeper", json={"mode": "cancel", "delay_ms": 0})
    assert answer.json() == {"mode": "cancel", "delay_ms": 0}
    assert (instructions.mode, instructions.delay_ms) == ("cancel", 0)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/keeper", {"mode": "sleep"}, "mode"),
        ("/keeper", {"mode": "auto", "delay_ms": -1}, "delay_ms"),
        ("/fund", {"address": "0x12", "chain_id": 42161}, "address"),
        ("/fund", {"address": "0x" + "1" * 40, "chain_id": 42161, "usdc": "1e9"}, "usdc"),
        ("/fund", {"address": "0x" + "1" * 40, "chain_id": 1, "usdc": "1"}, "chain_id"),
        ("/claimable", CLAIMABLE | {"pool": "0x12"}, "pool"),
        ("/claimable", CLAIMABLE | {"amount": "1e9"}, "amount"),
        ("/claimable", CLAIMABLE | {"token": "NONE"}, "token"),
        ("/claimable", CLAIMABLE, "chain_id"),
        ("/mining", {"chain_id": 42161, "mode": "hold"}, "chain_id"),
        ("/mining", {"chain_id": 42161, "mode": "fast"}, "mode"),
    ],
)
def test_what_no_chain_can_do_is_refused(
    client: Client, path: str, body: dict[str, object], field: str
) -> None:
    answer = client.request("POST", path, json=body)
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == [field]
