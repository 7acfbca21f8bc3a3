"""What the gateway chooses of real pools against trying everything, in fractions of its own."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from api.routing.choice import choose
from api.routing.request import RouteRequest
from api.routing.router import Answer, Leg, Router
from connectors.desks import ROUTES
from connectors.dydx.economics.pricing import BookInputs, Margin
from connectors.dydx.economics.quote import Scale
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.position import LiquidationTerms
from connectors.registry import ECONOMICS
from domain.costs import OrderSide, PricedPool
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent
from runtime.wire import DEPTH_VERSION
from tests.unit.connectors.gains.economics.pools import POOL

PARTS = 10
MID = Decimal(100_000)
VENUES = {
    "dydx": {"chain_ids": ["dydx-mainnet-1"], "max_leverage": "50"},
    "gains": {"chain_ids": [42161, 137], "max_leverage": "150"},
}
TERMS = LiquidationTerms(5 * 10**8, 90 * 10**10, 75 * 10**10, 25_000, 60_000)
LEVELS = st.lists(st.tuples(st.integers(1, 60), st.integers(2_000, 60_000)), min_size=1, max_size=4)
SPREADS = st.integers(0, 12).map(lambda bps: bps * 10**8)


def book(levels: list[tuple[int, int]]) -> BookInputs:
    """Sides that are mirrored about the middle, in ticks of a dollar and steps of 1e-4."""
    bids, asks, off = [], [], 0
    for more, steps in levels:
        off += more
        bids.append((100_000 - off, steps))
        asks.append((100_000 + off, steps))
    return BookInputs(Scale(10**18, 10**14), tuple(bids), tuple(asks), 500, Margin(-10, 20_000, 1))


def gains(spread_p: int) -> Pool:
    pair = replace(POOL.state.pair, spread_p=spread_p)
    return replace(POOL, state=replace(POOL.state, pair=pair, liquidation=TERMS))


Pools = list[tuple[str, str | None, Any]]


def ask(pools: Pools, side: OrderSide, notional: int, legs: int) -> Answer:
    rows = [
        {
            "venue": venue,
            "pool": name,
            "decimals": 10,
            "gas_usd": "0",
            "execution_fee_usd": "0",
            "sides": ["BUY", "SELL"],
            "inputs": ECONOMICS[VenueId(venue)].encode(inputs),
        }
        for venue, name, inputs in pools
    ]
    content = {"version": DEPTH_VERSION, "market": "BTC-USD", "published_us": 1, "mid": str(MID)}
    raw = orjson.dumps(content | {"pools": rows, "excluded": []})
    intent = OrderIntent(
        MarketId("BTC-USD"), side, "open", "market",
        notional_usd=Decimal(notional), leverage=Decimal(5),
    )  # fmt: skip
    request = RouteRequest(intent, None, None, None, legs)
    return asyncio.run(Router(ECONOMICS, ROUTES).route(request, raw, VENUES))


def cost(pool: tuple[str, str | None, Any], side: OrderSide, notional: Fraction) -> Fraction | None:
    """Money in and out against the middle."""
    venue, name, inputs = pool
    size = Decimal(notional.numerator) / Decimal(notional.denominator)
    found = ECONOMICS[VenueId(venue)].price(name, inputs, side, size)
    if not isinstance(found, PricedPool):
        return None
    worth = notional / Fraction(found.price) * Fraction(MID)
    lost = notional - worth if side == "BUY" else worth - notional
    return lost + notional * Fraction(found.fee_bps) / 10_000


def least(table: list[list[Fraction | None]], legs: int) -> Fraction | None:
    sums = []
    for count in range(1, min(legs, len(table)) + 1):
        for rows in combinations(table, count):
            for cuts in combinations(range(1, PARTS), count - 1):
                parts = [end - start for start, end in pairwise((0, *cuts, PARTS))]
                taken = [row[part - 1] for row, part in zip(rows, parts, strict=True)]
                if None not in taken:
                    sums.append(sum((each for each in taken if each is not None), Fraction(0)))
    return min(sums, default=None)


@settings(deadline=None, max_examples=60)
@given(
    LEVELS,
    SPREADS,
    SPREADS,
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from([10_000, 250_000, 900_000, 1_800_000]),
    st.integers(1, 3),
)
def test_the_choice_is_the_best_there_is(
    levels: list[tuple[int, int]],
    one: int,
    other: int,
    side: OrderSide,
    notional: int,
    legs: int,
) -> None:
    pools: Pools = [
        ("dydx", None, book(levels)),
        ("gains", "42161:USDC", gains(one)),
        ("gains", "137:USDC", gains(other)),
    ]
    found = ask(pools, side, notional, legs)
    table = [
        [cost(pool, side, Fraction(notional * part, PARTS)) for part in range(1, PARTS + 1)]
        for pool in pools
    ]
    names = {name: at for at, (_, name, _) in enumerate(pools)}
    whole = sorted((row[-1], at) for at, row in enumerate(table) if row[-1] is not None)
    assert [names[leg.leg.pool] for leg in found.legs] == [at for _, at in whole]
    excluded = {names[item.pool] for item in found.excluded}
    assert excluded == {at for at, row in enumerate(table) if row[-1] is None}
    best = least(table, legs)
    if best is None:
        assert not found.split
        return
    assert sum(share.share_bps for share in found.split) == 10_000
    taken = [
        table[names[share.place.pool]][share.share_bps * PARTS // 10_000 - 1]
        for share in found.split
    ]
    assert sum((each for each in taken if each is not None), Fraction(0)) == best
    assert sum(leg.leg.notional_usd for leg in found.split_legs) == notional
    # No leg more than the best needs.
    fewer = least(table, len(found.split) - 1)
    assert fewer is None or best < fewer


@settings(deadline=None, max_examples=40)
@given(
    LEVELS,
    SPREADS,
    SPREADS,
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from([10_000, 250_000]),
    st.sets(st.sampled_from([None, "42161:USDC", "137:USDC"])),
    st.booleans(),
)
def test_the_best_is_the_cheapest_that_can_be_paid_for(
    levels: list[tuple[int, int]],
    one: int,
    other: int,
    side: OrderSide,
    notional: int,
    payable: set[str | None],
    silent: bool,
) -> None:
    """``silent``: of what cannot be paid for nobody knows."""
    pools: Pools = [
        ("dydx", None, book(levels)),
        ("gains", "42161:USDC", gains(one)),
        ("gains", "137:USDC", gains(other)),
    ]
    found = ask(pools, side, notional, 1)
    costs = [(cost(pool, side, Fraction(notional)), at) for at, pool in enumerate(pools)]
    whole = sorted((usd, at) for usd, at in costs if usd is not None)
    own = [(usd, at) for usd, at in whole if pools[at][1] in payable]

    def lacks(leg: Leg) -> list[dict[str, Any]] | None:
        if leg.leg.pool in payable:
            return [{"code": "ALLOWANCE", "symbol": "USDC"}]
        return None if silent else [{"code": "BALANCE", "symbol": "USDC"}]

    chosen = choose(found.legs, lacks)
    best = min(own or whole, default=None)
    assert (chosen.leg is None) == (best is None)
    if best is not None and chosen.leg is not None:
        assert chosen.leg.leg.pool == pools[best[1]][1]
        assert (chosen.code == "PAYABLE") == (best != whole[0])
