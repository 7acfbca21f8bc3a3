"""What a wallet has, read from a real chain of the sandbox, and from nodes that are of no use."""

import asyncio
from collections.abc import Iterator

import pytest

from api.routing.needs import Grant
from api.routing.wallets import WalletReader
from connectors.desks import spenders
from domain.ids import VenueId
from runtime.settings import Settings
from sandbox.chain.places import TOKENS
from tests.integration.chain_kit import Stage, staged
from tests.servers import LOOPBACK

CHAIN = 42161
PATIENT_S = 20.0
NOBODY = "0x000000000000000000000000000000000000bEEF"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(CHAIN) as running:
        yield running


async def test_a_wallet_is_read_in_one_batch(stage: Stage) -> None:
    usdc = TOKENS[CHAIN]["USDC"].address
    allowed = spenders(Settings())
    grants = [Grant(usdc, allowed[VenueId(venue), CHAIN]) for venue in ("gmx", "gains")]
    reader = WalletReader({CHAIN: stage.url}, LOOPBACK, PATIENT_S)
    try:
        rich = (await reader.read(stage.trader, {CHAIN: grants}))[CHAIN]
        token = stage.token("USDC").functions
        assert rich.native_wei == stage.web3.eth.get_balance(stage.trader)  # type: ignore[arg-type]
        assert rich.balances == {usdc: token.balanceOf(stage.trader).call()}
        assert rich.allowances == {
            grant: token.allowance(stage.trader, grant.spender).call() for grant in grants
        }
        base = stage.web3.eth.get_block("latest")["baseFeePerGas"]
        assert base < rich.fee_per_gas_wei <= 10**10
        poor = (await reader.read(NOBODY, {CHAIN: grants}))[CHAIN]
        assert (poor.native_wei, set(poor.balances.values())) == (0, {0})
        # What a contract does not say is left out: there is none here.
        lost = (await reader.read(NOBODY, {CHAIN: [Grant(NOBODY, NOBODY)]}))[CHAIN]
        assert (lost.balances, lost.allowances) == ({}, {})
    finally:
        await reader.close()


async def test_a_second_question_is_answered_from_what_is_kept(stage: Stage) -> None:
    reader = WalletReader({CHAIN: stage.url}, LOOPBACK, PATIENT_S)
    try:
        first = await reader.read(NOBODY, {CHAIN: []})
        stage.rpc("anvil_setBalance", NOBODY, hex(5))
        again = await reader.read(NOBODY, {CHAIN: []})
        assert again[CHAIN] is first[CHAIN]
    finally:
        stage.rpc("anvil_setBalance", NOBODY, hex(0))
        await reader.close()


async def test_nodes_of_no_use_say_nothing_and_cost_little(stage: Stage) -> None:
    """One hangs, one is of another chain, one is not there; beside them a good one is enough."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging, nothing = f"http://127.0.0.1:{port}", "http://127.0.0.1:9"
    bad = WalletReader({CHAIN: hanging, 137: stage.url, 8453: nothing}, LOOPBACK)
    good = WalletReader({CHAIN: f"{hanging},{stage.url}"}, LOOPBACK, PATIENT_S)
    try:
        assert await bad.read(NOBODY, {CHAIN: [], 137: [], 8453: [], 1: []}) == {}
        assert (await good.read(NOBODY, {CHAIN: []}))[CHAIN].native_wei == 0
    finally:
        await bad.close()
        await good.close()
        server.close()
