"""What is kept of an order is read again as it was, or not at all."""

from decimal import Decimal
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codec import KINDS, decode, encode, kind_of
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.orders import Brackets, OrderIntent, OrderLeg, Reason
from domain.outcomes import (
    Cancelled,
    Claimed,
    Costs,
    EventPlace,
    Executed,
    Frozen,
    Kept,
    Mined,
    Outcome,
    Resting,
    Reverted,
    Updated,
)

AMOUNTS = st.decimals(
    min_value=Decimal("1e-18"), max_value=Decimal("1e18"), allow_nan=False, places=18
)
CHAINS = st.one_of(st.integers(1, 2**53), st.sampled_from(["dydx-mainnet-1"]))
LEGS = st.builds(
    OrderLeg,
    venue=st.sampled_from([VenueId("gmx"), VenueId("dydx")]),
    chain_id=CHAINS,
    collateral_amount=st.none() | AMOUNTS,
    size_base=AMOUNTS,
    notional_usd=AMOUNTS,
    expected_price=AMOUNTS,
    guard_price=st.none() | AMOUNTS,
)
LESS = Decimal(-3)
INTENT = OrderIntent(
    MarketId("BTC-USD"), "BUY", "open", "limit", notional_usd=Decimal("1000.50"),
    leverage=Decimal(5), limit_price=Decimal("97000.10"), brackets=Brackets(stop_loss=Decimal(9)),
    time_in_force="GTT", good_til_s=1_800_000_000,
)  # fmt: skip
LEG = OrderLeg(
    VenueId("gmx"), 42161, None, "USDC", None, Decimal(1), Decimal(2), Decimal(3), Decimal(4)
)


def again(value: Any) -> Any:
    return decode(type(value), orjson.loads(orjson.dumps(encode(value))))


@given(LEGS)
def test_a_leg(leg: OrderLeg) -> None:
    found = again(leg)
    assert found == leg
    assert type(found.chain_id) is type(leg.chain_id)


def test_an_intent_with_its_very_digits() -> None:
    found = again(INTENT)
    assert found == INTENT
    assert str(found.limit_price) == "97000.10"


PLACE = EventPlace(42161, 7, "0xb", "0xt", 3)
WHY = Reason("SLIPPAGE", "moved", "3")
FACTS: list[Outcome] = [
    Mined(PLACE),
    Reverted(PLACE, WHY),
    Resting(PLACE, "0xa", "key", "stop", reduces=True),
    Executed(PLACE, "0xa", "key", Decimal("1.10"), Decimal("0.001"), completes=False),
    Executed(
        PLACE, "0xa", "key", Decimal(5), Decimal(1), True, Costs(Decimal("-0.5"), None), "p", LESS
    ),
    Cancelled(PLACE, "0xa", "key", WHY, by_user=False),
    Frozen(PLACE, "0xa", "key", WHY, needs_update=True),
    Updated(PLACE, "0xa", "key", trigger_price=Decimal(3)),
    Claimed(PLACE, "0xa", "key", "funding", "USDC", Decimal("1.50")),
    Kept(PLACE, "0xa", "key", "0xt:498611", "USDC", Decimal("1.50")),
]


@pytest.mark.parametrize("fact", FACTS)
def test_every_kind_of_fact(fact: Outcome) -> None:
    assert again(fact) == fact
    assert KINDS[kind_of(fact)] is type(fact)


def test_there_is_no_other_kind() -> None:
    assert {type(fact) for fact in FACTS} == set(KINDS.values()) == set(get_args(Outcome))


@pytest.mark.parametrize(
    "change",
    [
        {"venue": 5},
        {"chain_id": None},
        {"chain_id": 1.5},
        {"size_base": 1},
        {"size_base": "x"},
        {"size_base": None},
        {"pool": 7},
        {"surprise": 1},
    ],
)
def test_what_another_version_wrote_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        decode(OrderLeg, encode(LEG) | change)
    assert caught.value.code == "BAD_ROW"


def test_what_is_missing_and_what_is_no_object_are_refused() -> None:
    row = encode(LEG)
    del row["pool"]
    for broken in (row, None, [], "x"):
        with pytest.raises(InputError):
            decode(OrderLeg, broken)
    with pytest.raises(InputError):
        decode(OrderIntent, encode(INTENT) | {"side": "LONG"})
    assert again(Reason("A", "b")) == Reason("A", "b")
