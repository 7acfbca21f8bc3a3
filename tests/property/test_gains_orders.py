"""Orders on Gains, for all numbers: bytes mean what they were made of, a bound is never worse than
what was asked for, and no field of a signed transaction differs unseen."""

from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.orders import Step, Transaction
from connectors.gains.constants import PRICE_MAX_E10
from connectors.gains.economics.closing import slipped
from connectors.gains.orders import calls as c
from connectors.gains.orders.guards import MAX_SLIPPAGE_E3, anchored, guard
from connectors.gains.orders.verify import differing
from domain.errors import InputError
from tests.unit.connectors.gains.orders.chain import DIAMOND, TRADER
from tests.unit.connectors.gains.orders.desk import TAG, Desk, exited, opened

T = TypeVar("T")
E10 = 10**10
PRICES = st.integers(1, 10**18)
SLIPPAGES = st.integers(1, MAX_SLIPPAGE_E3)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda data: f"0x{data.hex()}")


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def attempt(make: Callable[[], T]) -> T | str:
    """What is made, or the code of why not."""
    try:
        return make()
    except InputError as error:
        return error.code


INDICES = uint(32).map(c.TradeIndex)
OPENINGS = st.builds(
    c.OpenTrade,
    trader=ADDRESSES,
    pair_index=uint(16),
    leverage_e3=uint(24),
    long=st.booleans(),
    collateral_index=uint(8),
    trade_type=st.sampled_from(c.TradeType),
    collateral=uint(120),
    price_e10=uint(64),
    max_slippage_e3=uint(16),
    tp_e10=uint(64),
    sl_e10=uint(64),
    is_counter=st.booleans(),
    referrer=ADDRESSES,
    native=st.just(False),
)
PLAIN = st.one_of(
    OPENINGS,
    st.builds(c.CloseTrade, INDICES, uint(64)),
    st.builds(c.UpdateClosingSlippage, INDICES, uint(16)),
    st.builds(c.UpdateTakeProfit, INDICES, uint(64)),
    st.builds(c.UpdateStopLoss, INDICES, uint(64)),
    st.builds(c.UpdateOpenOrder, INDICES, uint(64), uint(64), uint(64), uint(16)),
    st.builds(c.CancelOpenOrder, INDICES),
    st.builds(c.UpdateLeverage, INDICES, uint(24)),
    st.builds(c.IncreasePosition, INDICES, uint(120), uint(24), uint(64), uint(16)),
    st.builds(c.DecreasePosition, INDICES, uint(120), uint(24), uint(64)),
    st.builds(c.WithdrawProfit, INDICES, uint(120)),
    st.builds(c.CancelAfterTimeout, uint(32).map(c.PendingIndex)),
    st.builds(c.SetDelegate, ADDRESSES),
    st.just(c.RemoveDelegate()),
)
BATCHES = st.lists(PLAIN, min_size=1, max_size=4).map(lambda calls: c.Batch(tuple(calls)))
CALLS = st.one_of(
    PLAIN,
    OPENINGS.map(lambda call: replace(call, native=True)),
    BATCHES,
    st.builds(c.Delegated, ADDRESSES, st.one_of(PLAIN, BATCHES)),
)


@given(CALLS)
@settings(max_examples=150)
def test_a_call_is_what_its_bytes_say(call: c.Call) -> None:
    assert c.decode(c.encode(call)) == call


@given(PLAIN, st.data())
@settings(max_examples=100)
def test_bytes_that_are_changed_are_another_call_or_none(call: c.Single, data: Any) -> None:
    encoded = c.encode(call)
    at = data.draw(st.integers(0, len(encoded) - 1))
    flipped = bytearray(encoded)
    flipped[at] ^= data.draw(st.integers(1, 255))
    assert attempt(lambda: c.decode(bytes(flipped))) != call


@given(PLAIN, st.data())
@settings(max_examples=100)
def test_a_field_that_differs_is_named(call: c.Single, data: Any) -> None:
    names = [field.name for field in fields(call) if field.name != "native"]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    value = getattr(call, name)
    changed: Any = not value if isinstance(value, bool) else value
    if isinstance(value, c.TradeType):
        changed = c.TradeType((value + 1) % 3)
    elif isinstance(value, int) and not isinstance(value, bool):
        changed = value - 1 if value else 1
    elif isinstance(value, str):
        changed = data.draw(ADDRESSES.filter(lambda other: other != value))
    step = Step("order", DIAMOND, 0, c.encode(call) + TAG, 1)
    theirs = c.encode(replace(call, **{name: changed})) + TAG
    field = differing(step, Transaction(42161, TRADER, DIAMOND, 0, theirs, 0, 1))
    assert field is not None
    assert field.startswith("data.")
    assert field.count(".") >= 2


@given(PRICES, SLIPPAGES, PRICES, st.booleans())
def test_a_guard_is_never_worse_than_the_limit_nor_wider_than_the_slippage(
    expected: int, slippage: int, limit: int, up: bool
) -> None:
    found = guard(expected, slippage, limit, up_is_worse=up)
    assert found.worst_e10 <= limit if up else found.worst_e10 >= limit
    assert 1 <= found.max_slippage_e3 <= slippage
    # What the contract still fills is never past the limit, and one step further is.
    sign = 1 if up else -1
    worst = found.worst_e10
    assert not slipped(worst, found.expected_e10, found.max_slippage_e3, up_is_worse=up)
    assert slipped(worst + sign, found.expected_e10, found.max_slippage_e3, up_is_worse=up)
    if found.expected_e10 == expected and found.max_slippage_e3 < slippage:
        wider = guard(expected, found.max_slippage_e3 + 1, up_is_worse=up).worst_e10
        assert wider > limit if up else wider < limit


@given(PRICES, SLIPPAGES, st.booleans())
def test_an_anchor_is_as_near_to_the_limit_as_there_is(limit: int, slippage: int, up: bool) -> None:
    found = attempt(lambda: anchored(limit, slippage, up_is_worse=up))
    if isinstance(found, str):
        assert found == "BAD_PRICE"
        return
    sign = 1 if up else -1
    assert sign * (limit - found.worst_e10) >= 0
    following = found.expected_e10 + sign
    if 0 < following <= PRICE_MAX_E10:
        assert sign * (guard(following, slippage, up_is_worse=up).worst_e10 - limit) > 0


CENTS = st.integers(1_000, 20_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
SIDES = st.sampled_from(["BUY", "SELL"])


@given(CENTS, CENTS, SIDES)
@settings(max_examples=60)
def test_an_opening_is_never_filled_past_its_bound(
    expected: Decimal, bound: Decimal, side: str
) -> None:
    """What the contract takes of the built call, against what was asked for."""
    request = opened({"expected_price": expected, "guard_price": bound}, side=side)
    step = Desk().step(request)
    call = c.decode(step.data[:-32])
    assert isinstance(call, c.OpenTrade)
    up = side == "BUY"
    past = int(bound * E10) + (1 if up else -1)
    assert slipped(past, call.price_e10, call.max_slippage_e3, up_is_worse=up)
    assert step.guard is not None
    assert step.guard.price <= bound if up else step.guard.price >= bound


@given(CENTS, SIDES, st.integers(0, MAX_SLIPPAGE_E3))
@settings(max_examples=60)
def test_a_close_is_never_filled_past_its_bound(bound: Decimal, side: str, stored: int) -> None:
    trade = Desk().answers["trade"] | {"long": side == "SELL"}
    request = exited({"guard_price": bound}, side=side)
    step = Desk(trade=trade, info={"maxSlippageP": stored}).step(request)
    batch = c.decode(step.data[:-32])
    assert isinstance(batch, c.Batch)
    slippage, close = batch.calls
    assert isinstance(slippage, c.UpdateClosingSlippage)
    assert isinstance(close, c.CloseTrade)
    assert slippage.max_slippage_e3 == (stored or 1_000)
    up = side == "BUY"
    past = int(bound * E10) + (1 if up else -1)
    assert slipped(past, close.expected_price_e10, slippage.max_slippage_e3, up_is_worse=up)


@given(
    st.integers(1, 10**9).map(lambda units: Decimal(units).scaleb(-6)),
    st.integers(10, 10**9).map(lambda cents: Decimal(cents).scaleb(-2)),
    st.integers(90_000_000, 110_000_000),
    st.one_of(st.none(), st.integers(1_100, 200_000)),
)
@settings(max_examples=80)
def test_neither_size_nor_collateral_exceed_what_was_asked_for(
    posted: Decimal, notional: Decimal, price_e8: int, leverage_e3: int | None
) -> None:
    leverage = None if leverage_e3 is None else Decimal(leverage_e3).scaleb(-3)
    margin = {"leverage": leverage, "collateral_amount": posted if leverage is None else None}
    request = opened({"collateral_amount": posted, "notional_usd": notional}, **margin)
    call = attempt(lambda: c.decode(Desk(collateral_price=price_e8).step(request).data[:-32]))
    if isinstance(call, str):
        assert call in ("COLLATERAL", "BAD_ARGUMENT")
        return
    assert isinstance(call, c.OpenTrade)
    size = Decimal(call.collateral * call.leverage_e3 // 1_000).scaleb(-6)
    assert call.collateral <= posted.scaleb(6)
    assert size * price_e8 <= notional * 10**8
    if leverage_e3 is not None:
        assert call.leverage_e3 == leverage_e3
