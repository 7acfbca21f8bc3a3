"""What a wallet lacks for a route: never a made-up zero."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from api.routing.needs import Grant, Held, grant_of, lacking, nobody
from api.routing.router import Leg
from api.routing.wallets import held_of, requests
from connectors.base.routes import Paid
from domain.ids import VenueId
from tests.unit.api.test_router import BODY, depth, route, row
from tests.unit.connectors.gains.economics.pools import POOL

TOKEN = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
SPENDER = "0xFF162c694eAA571f685030649814282eA457f169"
GRANT = Grant(TOKEN, SPENDER)
GWEI = 10**9
RICH = Held(10**18, GWEI, {TOKEN: 10**12}, {GRANT: 10**12})


async def leg() -> Leg:
    """10,000 USD at 10 x in USDC, at Gains: 1,000 are posted and 3.15 M gas at most."""
    [found] = (await route(BODY, depth(row("gains", "42161:USDC", POOL)))).legs
    return found


async def test_what_is_paid_and_to_whom() -> None:
    found = await leg()
    assert found.paid == Paid(TOKEN, "USDC", 6, 1_000_000_000, 0, 3_150_000)
    assert grant_of(found, {(VenueId("gains"), 42161): SPENDER}) == GRANT
    assert grant_of(found, {(VenueId("gains"), 137): SPENDER}) is None
    assert nobody(found) is None


@pytest.mark.parametrize(
    ("held", "needs"),
    [
        (RICH, []),
        (replace(RICH, balances={TOKEN: 999_999_999}), [("BALANCE", "1000", "999.999999")]),
        (replace(RICH, allowances={GRANT: 0}), [("ALLOWANCE", "1000", "0")]),
        (replace(RICH, native_wei=10**14), [("GAS", "0.00315", "0.0001")]),
        (replace(RICH, native_wei=3_150_000 * GWEI), []),
        (Held(0, GWEI, {TOKEN: 0}, {GRANT: 0}),
         [("BALANCE", "1000", "0"), ("ALLOWANCE", "1000", "0"), ("GAS", "0.00315", "0")]),
        (replace(RICH, balances={}), None),
        (replace(RICH, allowances={}), None),
    ],
)  # fmt: skip
async def test_what_is_lacking(held: Held, needs: Any) -> None:
    found = lacking(await leg(), held, GRANT)
    told = found and [(each["code"], each["needed"], each["available"]) for each in found]
    assert told == needs
    for each in found or ():
        assert each["spender"] == (SPENDER if each["code"] == "ALLOWANCE" else None)


async def test_a_coin_of_the_chain_is_posted_with_its_gas() -> None:
    found = await leg()
    native = replace(found, paid=Paid(None, "ETH", 18, 10**18, 10**15, 1_000_000))
    told = lacking(native, RICH, None)
    assert told is not None
    # 1 + 0.001 for the keeper + 0.001 for gas.
    assert [(each["code"], each["needed"]) for each in told] == [("GAS", "1.002")]
    told = lacking(native, replace(RICH, native_wei=10**17), None)
    assert told is not None
    assert [each["code"] for each in told] == ["BALANCE", "GAS"]


async def test_what_is_not_known_is_not_said() -> None:
    found = await leg()
    assert lacking(found, RICH, None) is None
    assert lacking(replace(found, paid=None), RICH, GRANT) is None
    fee = Paid(None, "ETH", 18, 0, None, 1)
    assert lacking(replace(found, paid=fee), RICH, None) is None


def word(value: int) -> str:
    return f"0x{value:064x}"


def answers(*results: Any) -> list[dict[str, Any]]:
    return [{"id": number, "result": result} for number, result in enumerate(results)]


GOOD = (hex(42161), {"baseFeePerGas": hex(3 * GWEI)}, hex(GWEI), hex(5))


def test_a_batch_and_its_answer() -> None:
    asked = orjson.loads(requests(SPENDER, [GRANT]))
    assert [each["method"] for each in asked[:4]] == [
        "eth_chainId", "eth_getBlockByNumber", "eth_maxPriorityFeePerGas", "eth_getBalance",
    ]  # fmt: skip
    assert [each["params"][0]["to"] for each in asked[4:]] == [TOKEN, TOKEN]
    held = held_of(list(reversed(answers(*GOOD, word(7), word(8)))), 42161, [GRANT])
    assert held == Held(5, 7 * GWEI, {TOKEN: 7}, {GRANT: 8})
    # Fees are never more than the executor offers, whatever a node says.
    dear = answers(GOOD[0], {"baseFeePerGas": hex(10**15)}, None, GOOD[3])
    assert held_of(dear, 42161, []).fee_per_gas_wei == 10 * GWEI


@pytest.mark.parametrize("bad", [None, "0x", "x", "0x12", 5])
def test_a_token_that_cannot_be_read_is_left_out(bad: Any) -> None:
    held = held_of(answers(*GOOD, bad, word(8)), 42161, [GRANT])
    assert (held.balances, held.allowances) == ({}, {GRANT: 8})


@pytest.mark.parametrize(
    "answer",
    [
        None, {}, [], "x", [5], answers("0x1", *GOOD[1:]), answers(*GOOD[:3], None),
        answers(GOOD[0], {}, *GOOD[2:]), answers(None, *GOOD[1:]),
    ],
)  # fmt: skip
def test_what_is_no_answer(answer: Any) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        held_of(answer, 42161, [])
