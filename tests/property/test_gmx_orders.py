"""Orders of GMX: what is encoded is decoded, bounds lose nothing, no change goes unseen."""

from contextlib import suppress
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.order_tag import order_tag, tag_of, untagged, with_tag
from connectors.base.orders import Step, Transaction
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import calls, prices
from connectors.gmx.orders.calls import (
    CancelOrder,
    ClaimCollateral,
    ClaimFundingFees,
    CreateOrder,
    SendTokens,
    SendWnt,
    SwapType,
    UpdateOrder,
)
from connectors.gmx.orders.reverts import revert
from domain import exact
from domain.errors import InputError
from tests.unit.connectors.gmx.orders import kit as k

QUICK = settings(max_examples=60, deadline=None)

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: f"0x{raw.hex()}")
uints = st.one_of(st.integers(0, 2**256 - 1), st.integers(0, 3))
words = st.binary(min_size=32, max_size=32)
flags = st.booleans()
paths = st.lists(addresses, max_size=3).map(tuple)

orders = st.builds(
    CreateOrder,
    receiver=addresses,
    market=addresses,
    collateral_token=addresses,
    order_type=st.sampled_from(OrderType),
    is_long=flags,
    size_usd_e30=uints,
    collateral_units=uints,
    acceptable_usd_e30=uints,
    trigger_usd_e30=uints,
    execution_fee_wei=uints,
    min_output=uints,
    valid_from_s=uints,
    swap_type=st.sampled_from(SwapType),
    unwrap_native=flags,
    auto_cancel=flags,
    swap_path=paths,
    cancellation_receiver=addresses,
    callback_contract=addresses,
    callback_gas=uints,
    ui_fee_receiver=addresses,
    referral_code=words,
    data_list=st.lists(words, max_size=3).map(tuple),
)
anything = st.one_of(
    orders,
    st.builds(SendWnt, addresses, uints),
    st.builds(SendTokens, addresses, addresses, uints),
    st.builds(UpdateOrder, words, uints, uints, uints, uints, uints, flags),
    st.builds(CancelOrder, words),
    st.builds(ClaimFundingFees, paths, paths, addresses),
    st.builds(ClaimCollateral, paths, paths, st.lists(uints, max_size=3).map(tuple), addresses),
)
versions = st.sampled_from(("v2.2b", "v2.2c"))
multicalls = st.lists(anything, max_size=5)
tags = st.text(min_size=1, max_size=40).map(order_tag)


@QUICK
@given(versions, multicalls)
def test_what_is_encoded_is_decoded(version: Any, sent: list[calls.Call]) -> None:
    data = calls.encode_all(version, sent)
    assert calls.decode_all(version, data) == tuple(sent)
    assert calls.calldata_differences(version, data, data) == []


@QUICK
@given(multicalls, tags)
def test_a_tag_survives_and_changes_no_argument(sent: list[calls.Call], tag: bytes) -> None:
    data = calls.encode_all("v2.2c", sent)
    tagged = with_tag(data, tag)
    assert tag_of(tagged) == tag
    assert untagged(tagged) == data
    assert tag_of(data) is None


@QUICK
@given(st.data(), orders, orders, st.integers(0, 2))
def test_a_change_of_any_field_is_named(
    data: Any, order: CreateOrder, other: CreateOrder, before: int
) -> None:
    field = data.draw(st.sampled_from([field.name for field in fields(CreateOrder)]))
    changed = replace(order, **{field: getattr(other, field)})
    fee: list[calls.Call] = [SendWnt(k.OWNER, 1)] * before
    made = [calls.encode_all("v2.2c", [*fee, found]) for found in (order, changed)]
    named = calls.calldata_differences("v2.2c", *made)
    if order == changed:
        assert named == []
    else:
        (name,) = named
        assert name.startswith(f"data[{before}].createOrder.params.")


@QUICK
@given(st.data(), multicalls)
def test_no_byte_can_be_changed_unseen(data: Any, sent: list[calls.Call]) -> None:
    tagged = with_tag(calls.encode_all("v2.2c", sent), k.TAG)
    place = data.draw(st.integers(0, len(tagged) - 1))
    mask = data.draw(st.integers(1, 255))
    found = tagged[:place] + bytes([tagged[place] ^ mask]) + tagged[place + 1 :]
    step = Step("order", k.OWNER, 0, tagged, 1)
    transaction = Transaction(42161, k.OWNER, k.OWNER, 0, found, 0, 1)
    told = k.builder().verify(step, transaction)
    assert told is not None
    assert told.startswith("data")


@QUICK
@given(st.binary(max_size=300))
def test_bytes_from_anywhere_are_no_call_of_ours_and_decode_to_words(data: bytes) -> None:
    with suppress(InputError):
        assert calls.encode("v2.2c", calls.decode("v2.2c", data)) == data
    assert revert(data).message


bounds = st.builds(
    lambda digits, places: Decimal(f"{digits}E-{places}"),
    st.integers(1, 10**24),
    st.integers(0, 24),
)


@QUICK
@given(bounds, st.integers(0, 30), flags, st.data())
def test_a_bound_passes_what_the_exact_one_passes(
    price: Decimal, decimals: int, at_most: bool, data: Any
) -> None:
    exactly = Fraction(price) * 10 ** (30 - decimals)
    if at_most and exactly < 1:
        with pytest.raises(InputError):
            prices.raw_price(price, decimals, at_most=at_most)
        return
    raw = prices.raw_price(price, decimals, at_most=at_most)
    # Never worse than the user's own.
    told = Fraction(prices.price_of(raw, decimals))
    assert told <= Fraction(price) if at_most else told >= Fraction(price)
    near = max(0, raw + data.draw(st.integers(-2, 2)))
    assert (near <= raw if at_most else near >= raw) == (
        near <= exactly if at_most else near >= exactly
    )


@QUICK
@given(st.integers(1, 10**30), st.integers(1, 10**30), st.integers(-999, 999), flags)
def test_a_fill_at_a_tightened_trigger_is_within_the_limit(
    limit: int, oracle: int, permille: int, at_most: bool
) -> None:
    executed = max(1, oracle * (1000 + permille) // 1000)
    trigger = prices.tightened(limit, oracle, executed, at_most=at_most)
    assert trigger <= limit if at_most else trigger >= limit
    fill = Fraction(trigger * executed, oracle)
    assert fill <= limit if at_most else fill >= limit


@QUICK
@given(bounds, st.integers(0, 30))
def test_amounts_never_spend_more(amount: Decimal, decimals: int) -> None:
    exactly = Fraction(amount) * 10**decimals
    down, up = (prices.units(amount, decimals, way) for way in ("down", "up"))
    assert down <= exactly <= up
    assert up - down == (exactly.denominator != 1)
    assert exact.floor_div(exactly.numerator, exactly.denominator) == down
