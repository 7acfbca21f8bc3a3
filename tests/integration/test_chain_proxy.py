"""What stands between the roles and a chain of the sandbox: what it passes on, what it refuses, and
what it says when it is told to lie."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from eth_account import Account
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from perptape.embedded_anvil import EmbeddedAnvil
from perptape.ports import free_ports
from sandbox.chain.desk import Instructions
from sandbox.chain.keeper import Chain
from sandbox.chain.lies import STALE_BLOCKS
from sandbox.chain.node import Node
from sandbox.chain.places import ACCOUNTS, ARBITRUM, TOKENS
from sandbox.control import Control, serve
from sandbox.faults import FaultBoard
from sandbox.gains.hours import MarketHours
from sandbox.prices import PriceProcess, load_assets
from tests.servers import running

GWEI = 10**9
OTHER = "0x" + "12" * 20


class Sandbox:
    """Its control endpoint, and a client of both endpoints of the chain."""

    def __init__(self, client: httpx.AsyncClient, chain: Chain) -> None:
        self.client = client
        self.chain = chain

    async def fault(self, kind: str, **more: Any) -> None:
        body = {"chain_id": ARBITRUM, "kind": kind, "seconds": 60} | more
        assert (await self.client.post("/chain-faults", json=body)).status_code == 200

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ask(self, method: str, *params: Any, endpoint: str = "a") -> Any:
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = await self.client.post(f"/rpc/{ARBITRUM}/{endpoint}", json=request)
        told = answer.json()
        assert told["id"] == 7
        return told["result"] if "result" in told else told["error"]["message"]

    async def signed(self, nonce: int, cap: int = GWEI, tip: int = 0, value: int = 1) -> str:
        """Of the last faucet account, whose nonces nobody else uses."""
        transaction = {
            "chainId": ARBITRUM,
            "nonce": nonce,
            "to": OTHER,
            "value": value,
            "gas": 21_000,
            "maxFeePerGas": cap,
            "maxPriorityFeePerGas": tip,
        }
        raw = Account.sign_transaction(transaction, ACCOUNTS[4].private_key).raw_transaction
        return "0x" + bytes(raw).hex()

    async def nonce(self) -> int:
        return int(await self.ask("eth_getTransactionCount", ACCOUNTS[4].address, "pending"), 16)


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with running(partial(EmbeddedAnvil, ARBITRUM)) as url:
        yield url


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Sandbox]:
    chain = Chain(ARBITRUM, Node(url, ARBITRUM))
    prices = PriceProcess(load_assets()[:1], 1)
    control = Control(FaultBoard(), prices, MarketHours(), Instructions(), {ARBITRUM: chain})
    (port,) = free_ports(1)
    stop = asyncio.Event()
    server = asyncio.create_task(serve(control.app(), port, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        for _ in range(500):
            try:
                await client.get("/chain-faults")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
        yield Sandbox(client, chain)
        await client.delete("/chain-faults")
    stop.set()
    await server
    await chain.node.close()


@pytest.fixture
async def sandbox(node_url: str) -> AsyncIterator[Sandbox]:
    async with serving(node_url) as sandbox:
        yield sandbox


async def test_it_says_what_the_node_says(sandbox: Sandbox) -> None:
    assert await sandbox.ask("eth_chainId") == hex(ARBITRUM)
    assert "not found" in (await sandbox.ask("eth_nothing")).lower()
    batch = [{"jsonrpc": "2.0", "id": i, "method": "eth_chainId", "params": []} for i in (3, 4)]
    answer = await sandbox.client.post(f"/rpc/{ARBITRUM}/b", json=batch)
    assert [each["id"] for each in answer.json()] == [3, 4]
    assert (await sandbox.client.post("/rpc/1/a", json=batch)).status_code == 404
    assert (await sandbox.client.post(f"/rpc/{ARBITRUM}/c", json=batch)).status_code == 404
    broken = await sandbox.client.post(f"/rpc/{ARBITRUM}/a", content=b"{")
    assert broken.json()["error"]["code"] == -32700


async def test_a_fault_of_one_endpoint_leaves_the_other(sandbox: Sandbox) -> None:
    await sandbox.fault("wrong_chain", endpoint="a")
    assert await sandbox.ask("eth_chainId") == "0x1"
    assert await sandbox.ask("eth_chainId", endpoint="b") == hex(ARBITRUM)
    listed = (await sandbox.client.get("/chain-faults")).json()["faults"]
    assert [(each["kind"], each["endpoint"]) for each in listed] == [("wrong_chain", "a")]
    assert (await sandbox.client.delete("/chain-faults")).json() == {"ended": 1}
    assert await sandbox.ask("eth_chainId") == hex(ARBITRUM)


async def test_lies(sandbox: Sandbox) -> None:
    await sandbox.ask("anvil_mine", hex(STALE_BLOCKS + 5))
    head = int(await sandbox.ask("eth_blockNumber"), 16)
    price = int(await sandbox.ask("eth_gasPrice"), 16)
    raw = await sandbox.signed(await sandbox.nonce())
    mined = await sandbox.ask("eth_sendRawTransaction", raw)
    while await sandbox.ask("eth_getTransactionReceipt", mined) is None:
        await asyncio.sleep(0.01)
    await sandbox.fault("stale_head")
    assert int(await sandbox.ask("eth_blockNumber"), 16) == head + 1 - STALE_BLOCKS
    block = await sandbox.ask("eth_getBlockByNumber", "latest", False)
    assert int(block["number"], 16) == head + 1 - STALE_BLOCKS
    await sandbox.fault("inflated_gas", endpoint="b")
    assert int(await sandbox.ask("eth_gasPrice", endpoint="b"), 16) > 50 * price
    await sandbox.fault("fake_receipt")
    assert (await sandbox.ask("eth_getTransactionReceipt", mined))["status"] == "0x0"
    nothing = "0x" + "ab" * 32
    assert (await sandbox.ask("eth_getTransactionReceipt", nothing))["status"] == "0x1"
    await sandbox.fault("null_transaction")
    assert await sandbox.ask("eth_getTransactionReceipt", mined) is None
    assert await sandbox.ask("eth_getTransactionByHash", mined) is None


async def test_a_transaction_is_forgotten(sandbox: Sandbox) -> None:
    await sandbox.fault("forget")
    nonce = await sandbox.nonce()
    told = await sandbox.ask("eth_sendRawTransaction", await sandbox.signed(nonce))
    await sandbox.client.delete("/chain-faults")
    assert await sandbox.ask("eth_getTransactionByHash", told) is None
    assert await sandbox.nonce() == nonce


async def test_a_transaction_is_taken_and_no_answer_comes(sandbox: Sandbox) -> None:
    await sandbox.fault("mute", endpoint="a")
    nonce = await sandbox.nonce()
    raw = await sandbox.signed(nonce)
    sending = asyncio.create_task(sandbox.ask("eth_sendRawTransaction", raw))
    while await sandbox.nonce() == nonce:
        await asyncio.sleep(0.01)
    assert not sending.done()
    await sandbox.client.delete("/chain-faults")
    assert (await sending).startswith("0x")


async def test_a_replacement_has_to_pay_a_tenth_more(sandbox: Sandbox) -> None:
    assert await sandbox.control("/mining", chain_id=ARBITRUM, mode="hold")
    nonce = await sandbox.nonce()
    cap, tip = GWEI, 10**7
    raw = await sandbox.signed(nonce, cap, tip)
    first = await sandbox.ask("eth_sendRawTransaction", raw)
    assert await sandbox.ask("eth_sendRawTransaction", raw) == "already known"
    for new_cap, new_tip in ((cap * 109 // 100, tip * 2), (cap * 2, tip * 109 // 100)):
        cheap = await sandbox.signed(nonce, new_cap, new_tip)
        assert await sandbox.ask("eth_sendRawTransaction", cheap) == (
            "replacement transaction underpriced"
        )
    dear = await sandbox.signed(nonce, cap * 11 // 10, tip * 11 // 10)
    second = await sandbox.ask("eth_sendRawTransaction", dear)
    assert await sandbox.control("/mining", chain_id=ARBITRUM, mode="auto")
    while (receipt := await sandbox.ask("eth_getTransactionReceipt", second)) is None:
        await asyncio.sleep(0.01)
    assert receipt["status"] == "0x1"
    assert await sandbox.ask("eth_getTransactionReceipt", first) is None


async def test_accounts_are_funded(sandbox: Sandbox) -> None:
    usdc = TOKENS[ARBITRUM]["USDC"].address
    someone = "0x00000000000000000000000000000000000ABc01"
    for _ in range(2):
        await sandbox.control(
            "/fund", address=someone, chain_id=ARBITRUM, eth="1.5", usdc="2000.25"
        )
    assert int(await sandbox.ask("eth_getBalance", someone, "latest"), 16) == 3 * 10**18
    call = {"to": usdc, "data": "0x70a08231" + someone[2:].rjust(64, "0")}
    while int(await sandbox.ask("eth_call", call, "latest"), 16) != 4_000_500_000:
        await asyncio.sleep(0.01)


async def test_the_chain_goes_back(sandbox: Sandbox) -> None:
    await sandbox.ask("anvil_mine", "0x50")
    nonce = await sandbox.nonce()
    sent = await sandbox.ask("eth_sendRawTransaction", await sandbox.signed(nonce))
    while await sandbox.ask("eth_getTransactionReceipt", sent) is None:
        await asyncio.sleep(0.01)
    await sandbox.ask("anvil_mine", "0x3e")
    head = int(await sandbox.ask("eth_blockNumber"), 16)
    await sandbox.ask("anvil_reorg", 64, [])
    assert int(await sandbox.ask("eth_blockNumber"), 16) == head
    assert await sandbox.ask("eth_getTransactionReceipt", sent) is None


async def test_sockets_are_passed_on_and_cut(sandbox: Sandbox) -> None:
    url = str(sandbox.client.base_url).replace("http", "ws") + f"/rpc/{ARBITRUM}/a"
    async with connect(url, proxy=None) as socket:
        for number, method, params in ((1, "eth_chainId", []), (1, "eth_subscribe", ["newHeads"])):
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await socket.send(json.dumps(request))
        answers = [json.loads(await socket.recv()) for _ in range(2)]
        assert [each["id"] for each in answers] == [1, 1]
        assert hex(ARBITRUM) in [each["result"] for each in answers]
        await sandbox.ask("evm_mine", endpoint="b")
        head = json.loads(await socket.recv())
        assert head["method"] == "eth_subscription"
        await sandbox.fault("refuse", endpoint="a")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    answer = await sandbox.client.post(f"/rpc/{ARBITRUM}/a", json={})
    assert answer.status_code == 503


async def test_answers_overtake_each_other(sandbox: Sandbox) -> None:
    await sandbox.fault("reorder")
    order: list[int] = []

    async def ask(number: int) -> None:
        await sandbox.ask("eth_chainId")
        order.append(number)

    await asyncio.gather(*(ask(number) for number in range(6)))
    assert sorted(order) == list(range(6)) != order
