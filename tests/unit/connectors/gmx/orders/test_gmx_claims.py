"""Claims of a pool: what is asked of the chain, and what the router is told to pay."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.base.order_tag import tag_of, untagged
from connectors.base.orders import Call, Due, Place, Step
from connectors.gmx.addresses import contracts
from connectors.gmx.orders import calls, reads
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.calls import ClaimCollateral, ClaimFundingFees
from connectors.gmx.orders.tables import TradedPool
from domain.errors import InputError, VenueProtocolError
from domain.orders import OrderIntent
from tests.unit.connectors.gmx.orders import kit as k
from tests.unit.connectors.gmx.orders.test_gmx_calls import VERSIONS

MARKET, HOUR = k.ETH_USDC.lower(), 498_611
KEPT = f"{k.USDC}:{HOUR}"
ROUTER = contracts(42161, "v2.2c", {})["EXCHANGE_ROUTER"]
STORE = contracts(42161, "v2.2c", {})["DATA_STORE"]
NONE: dict[str, Any] = {f"funding:{k.WETH}": 0, f"funding:{k.USDC}": 0}


def claim(*kept: str, **leg_changes: Any) -> Place:
    place = k.place(k.claim_intent(), collateral_amount=None, guard_price=None, **leg_changes)
    return replace(place, kept=kept)


def amounts(*units: int) -> bytes:
    return encode(["uint256[]"], [list(units)])


def step(request: Place, version: Version = "v2.2c", **answers: Any) -> Step:
    (found,) = k.builder(version=version).build(request, k.facts(request, version, **answers))
    return found


def sent(found: Step, version: Version = "v2.2c") -> list[calls.Call]:
    assert tag_of(found.data) == k.TAG
    return list(calls.decode_all(version, untagged(found.data)))


def codes(request: Place, **answers: Any) -> list[str]:
    return [item.code for item in k.builder().check(request, k.facts(request, **answers))]


def store_key(name: str, types: list[str], values: list[Any]) -> bytes:
    base = keccak(encode(["string"], [name]))
    return keccak(encode(["bytes32", *types], [base, *values]))


def test_the_bases_of_the_keys_are_those_of_the_reference() -> None:
    """gmx-io/gmx-interface, prebuilt hashes."""
    base = "06fc3f5466c175728538f97bb3af89978c1db23c9c7f107930c4bb1b84305a1d"
    assert keccak(encode(["string"], ["CLAIMABLE_FUNDING_AMOUNT"])).hex() == base
    base = "95b0f9aac7537ff0053f80e854f6a799bd4d922442234dd163aff199d65ffb48"
    assert keccak(encode(["string"], ["CLAIMABLE_COLLATERAL_AMOUNT"])).hex() == base


def test_what_the_chain_is_asked() -> None:
    asked = reads.calls(k.tables(), claim(KEPT))
    get_uint = keccak(text="getUint(bytes32)")[:4]
    place = ["address", "address"], [MARKET, k.USDC]
    funding = store_key("CLAIMABLE_FUNDING_AMOUNT", [*place[0], "address"], [*place[1], k.OWNER])
    assert asked[f"funding:{k.USDC}"] == Call(STORE, get_uint + funding)
    hour = [*place[0], "uint256", "address"], [*place[1], HOUR, k.OWNER]
    for part, name in (("kept", "CLAIMABLE"), ("taken", "CLAIMED")):
        key = store_key(f"{name}_COLLATERAL_AMOUNT", *hour)
        assert asked[f"{part}:{KEPT}"] == Call(STORE, get_uint + key)
    # Tried as its owner: only the router knows how much of it may leave by now.
    tried = bytes.fromhex(k.VIEM["calls"]["claim_collateral"][2:])
    assert asked[f"payable:{KEPT}"] == Call(ROUTER, tried, k.OWNER)
    assert list(reads.calls(k.tables(), claim())) == list(NONE)


@pytest.mark.parametrize("version", VERSIONS)
def test_funding_of_both_tokens_is_claimed_as_viem_says_it(version: Version) -> None:
    funded = {f"funding:{k.WETH}": 5, f"funding:{k.USDC}": 7}
    found = step(claim(), version, **funded)
    (inner,) = calls.decode_all(version, untagged(found.data))
    assert calls.encode(version, inner).hex() == k.VIEM["calls"]["claim_funding"][2:]
    assert (found.id, found.value_wei, found.gas, found.guard) == ("order", 0, 1_000_000, None)
    assert found.to == contracts(42161, version, {})["EXCHANGE_ROUTER"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_kept_back_is_claimed_as_viem_says_it(version: Version) -> None:
    answers = NONE | {f"kept:{KEPT}": 9, f"taken:{KEPT}": 0, f"payable:{KEPT}": amounts(9)}
    found = step(claim(KEPT), version, **answers)
    (inner,) = calls.decode_all(version, untagged(found.data))
    assert calls.encode(version, inner).hex() == k.VIEM["calls"]["claim_collateral"][2:]
    assert found.gas == 500_000


def test_all_that_is_due_comes_in_one_transaction_and_nothing_else() -> None:
    others = [f"{k.USDC}:{HOUR + 1}", f"{k.WETH}:{HOUR}", f"{k.WBTC}:{HOUR}", KEPT]
    request = claim(KEPT, *others)
    answers = NONE | {f"funding:{k.WETH}": 5}
    for name in (KEPT, *others):
        answers |= {f"kept:{name}": 9, f"taken:{name}": 0, f"payable:{name}": amounts(9)}
    answers[f"payable:{others[0]}"] = None
    assert sent(step(request, **answers)) == [
        ClaimFundingFees((MARKET,), (k.WETH,), k.OWNER),
        ClaimCollateral((MARKET, MARKET), (k.USDC, k.WETH), (HOUR, HOUR), k.OWNER),
    ]
    assert codes(request, **answers) == []
    assert step(request, **answers).due == (
        Due("funding", "ETH", Decimal("5e-18")),
        Due("impact", "USDC", Decimal("0.000009")),
        Due("impact", "ETH", Decimal("9e-18")),
    )


def test_nothing_to_claim_is_refused_before_it_is_signed() -> None:
    assert codes(claim(), **NONE) == ["NOTHING"]
    reverts = {f"payable:{KEPT}": None}
    paid = NONE | reverts | {f"kept:{KEPT}": 9, f"taken:{KEPT}": 9}
    assert codes(claim(KEPT), **paid) == ["NOTHING"]
    early = NONE | reverts | {f"kept:{KEPT}": 9, f"taken:{KEPT}": 4}
    assert codes(claim(KEPT), **early) == ["TOO_EARLY"]
    with pytest.raises(InputError) as refused:
        step(claim(KEPT), **early)
    assert refused.value.code == "TOO_EARLY"


def test_a_pool_of_one_token_is_asked_once() -> None:
    (token,) = {k.POOLS[MARKET].long_token}
    pools = {MARKET: TradedPool(MARKET, 18, token, token)}
    asked = reads.calls(replace(k.tables(), pools=pools), claim())
    assert list(asked) == [f"funding:{k.WETH}"]


def test_what_cannot_be_read_is_no_zero() -> None:
    with pytest.raises(VenueProtocolError):
        step(claim(), **NONE | {f"funding:{k.USDC}": None})
    for name in (k.USDC, f"{k.USDC}:", f"{k.USDC}:x"):
        with pytest.raises(InputError) as refused:
            reads.calls(k.tables(), claim(name))
        assert refused.value.code == "BAD_REFS"
    with pytest.raises(InputError) as refused:
        reads.calls(k.tables(), claim(pool="0x" + "9" * 40))
    assert refused.value.code == "UNKNOWN_POOL"


def test_a_claim_trades_nothing() -> None:
    assert claim().intent.reduces
    for change in (
        {"notional_usd": Decimal(1)},
        {"size_base": Decimal(1)},
        {"leverage": Decimal(2)},
        {"type": "limit", "limit_price": Decimal(1)},
    ):
        with pytest.raises(InputError) as refused:
            OrderIntent(
                **{"market": "ETH-USD", "side": "SELL", "intent": "claim", "type": "market"}
                | change
            )  # type: ignore[arg-type]
        assert refused.value.code == "BAD_CLAIM"
