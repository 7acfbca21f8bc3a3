"""Markets of any shape: nothing open, one side only, tiny, huge, odd to the last digit."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from connectors.gmx.economics import impact
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.economics.model import (
    ByToken,
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    PriceRange,
    Sided,
    Signed,
)
from connectors.gmx.economics.refusal import Refused
from connectors.gmx.economics.trades import Increased, increase_position
from tests.unit.connectors.gmx.economics import vectors as v

T = TypeVar("T")

USD = 10**30
NOW_S = 1_795_100_000
BASE = v.named("empty")

amounts = st.one_of(
    st.just(0),
    st.integers(min_value=1, max_value=2 * USD),
    st.integers(min_value=0, max_value=10**8).map(lambda usd: usd * USD),
    st.integers(min_value=USD, max_value=10**9 * USD),
)
"""USD e30, from nothing to a billion."""

sizes = st.one_of(
    st.integers(min_value=1, max_value=10 * USD),
    st.integers(min_value=USD, max_value=10**7 * USD),
    st.integers(min_value=10**7 * USD, max_value=10**12 * USD),
)
index_prices = st.one_of(
    st.integers(min_value=10**6, max_value=10**12),
    st.integers(min_value=10**12, max_value=10**30),
)
factors = st.integers(min_value=0, max_value=10**21)
exponents = st.one_of(
    st.just(2 * 10**30), st.just(10**30), st.integers(min_value=10**30, max_value=2 * 10**30)
)


@st.composite
def configs(draw: st.DrawFn, in_tokens: bool | None = None) -> MarketConfig:
    tokens = draw(st.booleans()) if in_tokens is None else in_tokens
    return replace(
        BASE.config,
        impact_factor_e30=Signed(draw(factors), draw(factors)),
        impact_exponent_e30=Signed(draw(exponents), draw(exponents)),
        interest_in_tokens=tokens,
    )


@st.composite
def prices(draw: st.DrawFn, spread: bool = True) -> MarketPrices:
    low = draw(index_prices)
    high = low + draw(st.integers(min_value=0, max_value=low // 100)) if spread else low
    index = PriceRange(low, high)
    return replace(BASE.prices, index=index, long_token=index)


def with_interest(
    state: MarketState, index: PriceRange, long_usd: int, short_usd: int, virtual_usd: int | None
) -> MarketState:
    """Open interest that was all entered at about today's price."""
    mid = index.mid_usd_e30
    return replace(
        state,
        open_interest_usd_e30=Sided(ByToken(0, long_usd), ByToken(0, short_usd)),
        open_interest_units=Sided(ByToken(0, long_usd // mid), ByToken(0, short_usd // mid)),
        virtual_position_usd_e30=virtual_usd,
        virtual_position_units=None if virtual_usd is None else virtual_usd // mid,
    )


virtuals = st.one_of(
    st.none(), st.integers(min_value=-(10**9) * USD, max_value=10**9 * USD), st.just(0)
)


@st.composite
def states(draw: st.DrawFn, index: PriceRange, virtual: bool = True) -> MarketState:
    return with_interest(
        BASE.state, index, draw(amounts), draw(amounts), draw(virtuals) if virtual else None
    )


@st.composite
def markets(draw: st.DrawFn, spread: bool = True, virtual: bool = True) -> v.Given:
    at = draw(prices(spread))
    return v.Given(draw(configs()), draw(states(at.index, virtual)), at)


def opened(
    given: v.Given, is_long: bool, size: int, collateral: int, in_long_token: bool = False
) -> Increased:
    """Raises Refused where the pool does not take it."""
    return increase_position(
        *given,
        Position(is_long, in_long_token),
        size,
        collateral,
        ANY_BUY_PRICE if is_long else ANY_SELL_PRICE,
        NOW_S,
    )


def unless_refused(names: Collection[str], call: Callable[[], T]) -> T | None:
    """None where the contracts would refuse with one of these errors; any other one fails."""
    try:
        return call()
    except Refused as error:
        if error.refusal.name not in names:
            raise
        return None


def held(is_long: bool, size: int, index: PriceRange, pending: int = 0) -> Position:
    units = impact.increase_units(index, is_long, size)
    return Position(is_long, False, size, units, 10**12, pending)


def caps(market: v.Given) -> tuple[int, int]:
    factors = market.config.max_impact_factor_e30
    return factors.positive, factors.negative
