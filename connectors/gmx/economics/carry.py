"""Borrowing and funding: rates, and the market's state carried on to a later second.

Source: GMX v2 contracts, market/MarketUtils.sol, v2.2b and v2.2c. Both run on open interest in USD,
whichever way the imbalance for impact is measured.
"""

from dataclasses import dataclass, replace

from connectors.gmx.economics.fixed import (
    FACTOR_ONE,
    PER_SIZE_ONE,
    apply_factor,
    bound_magnitude,
    div_up,
    power,
    to_factor,
)
from connectors.gmx.economics.impact import open_interest_units, open_interest_usd
from connectors.gmx.economics.model import (
    NOTHING,
    ByToken,
    MarketConfig,
    MarketPrices,
    MarketState,
    OpeningConfig,
    OpeningState,
    Sided,
)
from connectors.gmx.economics.refusal import Refused

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class FundingUpdate:
    """What funding does until a second: the rate per second and its payer, the rate that is kept,
    and how far the sums per position size move."""

    longs_pay: bool
    factor_per_second_e30: int
    next_saved_factor_e30: int
    fee_per_size: Sided[ByToken]
    claimable_per_size: Sided[ByToken]


NO_FUNDING = FundingUpdate(False, 0, 0, Sided(NOTHING, NOTHING), Sided(NOTHING, NOTHING))


@dataclass(frozen=True, slots=True)
class HourlyRates:
    """What each side pays an hour, as a fraction of its size; a negative ``funding_e30`` is
    received. The two sides of funding differ where their open interest does."""

    funding_e30: Sided[int]
    borrow_e30: Sided[int]


def pool_usd(
    config: OpeningConfig, state: OpeningState, prices: MarketPrices, is_long: bool
) -> int:
    """Worth of the pool token that stands behind one side, at its minimum price.

    Shape: scalar. Units: USD e30. Source: MarketUtils.getPoolUsdWithoutPnl.
    """
    units = state.pool_units.of(is_long) // config.divisor
    return units * prices.token(is_long).min_usd_e30


def reserved_usd(
    config: OpeningConfig, state: OpeningState, prices: MarketPrices, is_long: bool
) -> int:
    """What one side's open interest reserves of the pool: a long can win without bound, so its
    tokens count at today's price; a short can win its size.

    Shape: scalar. Units: USD e30. Source: MarketUtils.getReservedUsd.
    """
    if is_long:
        return open_interest_units(config, state, True) * prices.index.max_usd_e30
    return open_interest_usd(config, state, False)


def borrowing_factor_per_second(
    config: MarketConfig, state: MarketState, prices: MarketPrices, is_long: bool
) -> int:
    """Shape: scalar. Units: fraction per second, e30.
    Raises: Refused ``UnableToGetBorrowingFactorEmptyPoolUsd``.
    Source: MarketUtils.getBorrowingFactorPerSecond, getKinkBorrowingFactor.
    """
    reserved = reserved_usd(config, state, prices, is_long)
    if reserved == 0:
        return 0
    if config.skip_borrowing_for_smaller_side:
        own = open_interest_usd(config, state, is_long)
        if own < open_interest_usd(config, state, not is_long):
            return 0
    pool = pool_usd(config, state, prices, is_long)
    if pool == 0:
        raise Refused("UnableToGetBorrowingFactorEmptyPoolUsd")
    terms = config.borrowing.of(is_long)
    optimal = terms.optimal_usage_factor_e30
    if optimal == 0:
        curve = to_factor(power(reserved, terms.exponent_e30), pool)
        return apply_factor(curve, terms.factor_e30)
    reservable = apply_factor(pool, config.open_interest_reserve_factor_e30.of(is_long))
    if reservable == 0:
        raise Refused("UnableToGetBorrowingFactorEmptyPoolUsd")
    usage = to_factor(reserved, reservable)
    factor = apply_factor(usage, terms.base_factor_e30)
    if optimal < FACTOR_ONE and usage > optimal:
        extra = max(terms.above_optimal_factor_e30 - terms.base_factor_e30, 0)
        factor += extra * (usage - optimal) // (FACTOR_ONE - optimal)
    return factor


def next_funding(
    config: MarketConfig, state: MarketState, prices: MarketPrices, now_s: int
) -> FundingUpdate:
    """Funding from the last update to ``now_s``. Nobody pays where one side is empty.

    Shape: scalar; ``now_s`` not before the last update. Units: e30 per second, per_size.
    Source: MarketUtils.getNextFundingAmountPerSize.
    """
    sums = Sided(open_interest_usd(config, state, True), open_interest_usd(config, state, False))
    if sums.long == 0 or sums.short == 0:
        return NO_FUNDING
    duration_s = now_s - state.funding_updated_at_s
    longs_pay, factor, saved = _next_rate(config, state, sums, duration_s)
    paid_usd = apply_factor(sums.of(longs_pay), duration_s * factor) // config.divisor
    stored = state.open_interest_usd_e30.of(longs_pay)
    fees, claims = [], []
    for is_long_token in (True, False):
        interest = stored.of(is_long_token) // config.divisor
        share = paid_usd * interest // sums.of(longs_pay)
        price = prices.token(is_long_token).max_usd_e30
        fees.append(_per_size(share, interest, price, round_up=True))
        claims.append(_per_size(share, sums.of(not longs_pay), price, round_up=False))
    fee, claim = ByToken(*fees), ByToken(*claims)
    return FundingUpdate(
        longs_pay,
        factor,
        saved,
        Sided(fee, NOTHING) if longs_pay else Sided(NOTHING, fee),
        Sided(NOTHING, claim) if longs_pay else Sided(claim, NOTHING),
    )


def accrue(
    config: MarketConfig, state: MarketState, prices: MarketPrices, now_s: int
) -> MarketState:
    """The state as any order finds it: funding and borrowing brought up to ``now_s``.

    Shape: scalar. Units: as MarketState.
    Raises: Refused ``UnableToGetBorrowingFactorEmptyPoolUsd``.
    Source: PositionUtils.updateFundingAndBorrowingState.
    """
    funding = next_funding(config, state, prices, now_s)
    cumulative = [
        state.cumulative_borrowing_factor_e30.of(is_long)
        + (now_s - state.borrowing_updated_at_s.of(is_long))
        * borrowing_factor_per_second(config, state, prices, is_long)
        for is_long in (True, False)
    ]
    return replace(
        state,
        saved_funding_factor_e30=funding.next_saved_factor_e30,
        funding_updated_at_s=now_s,
        funding_fee_per_size=_added(config, state.funding_fee_per_size, funding.fee_per_size),
        claimable_funding_per_size=_added(
            config, state.claimable_funding_per_size, funding.claimable_per_size
        ),
        cumulative_borrowing_factor_e30=Sided(*cumulative),
        borrowing_updated_at_s=Sided(now_s, now_s),
    )


def hourly_rates(
    open_interest_usd_e30: Sided[int],
    longs_pay: bool,
    funding_factor_per_second_e30: int,
    borrowing_factor_per_second_e30: Sided[int],
) -> HourlyRates:
    """Rates if they stayed for an hour as they are: what one side pays is dealt out to the other.

    Shape: scalar. Units: USD e30, fractions per second and per hour, e30; what is received is
    rounded down. Source: next_funding, borrowing_factor_per_second, Reader.getMarketInfo.
    """
    paid = funding_factor_per_second_e30 * _HOUR_S
    payers, takers = open_interest_usd_e30.of(longs_pay), open_interest_usd_e30.of(not longs_pay)
    received = paid * payers // takers if takers else 0
    borrow = borrowing_factor_per_second_e30
    return HourlyRates(
        Sided(paid, -received) if longs_pay else Sided(-received, paid),
        Sided(borrow.long * _HOUR_S, borrow.short * _HOUR_S),
    )


def _next_rate(
    config: MarketConfig, state: MarketState, sums: Sided[int], duration_s: int
) -> tuple[bool, int, int]:
    """(longs pay, rate per second, rate to be kept)."""
    terms = config.funding
    skew = to_factor(power(abs(sums.long - sums.short), terms.exponent_e30), sums.long + sums.short)
    if terms.increase_factor_e30 == 0:
        longs_pay = sums.long >= sums.short
        rate = apply_factor(skew, terms.factor_e30)
        return longs_pay, min(rate, terms.max_factor_e30.of(longs_pay)), 0
    saved = _moved_rate(config, state.saved_funding_factor_e30, sums, skew, duration_s)
    longs_pay = saved >= 0
    high = terms.max_factor_e30.of(longs_pay)
    saved = bound_magnitude(saved, 0, high)
    rate = bound_magnitude(saved, terms.min_factor_e30.of(longs_pay), high)
    return rate > 0, abs(rate), saved


def _moved_rate(
    config: MarketConfig, saved: int, sums: Sided[int], skew: int, duration_s: int
) -> int:
    terms = config.funding
    same_way = (saved > 0 and sums.long > sums.short) or (saved < 0 and sums.short > sums.long)
    if not same_way or skew > terms.threshold_stable_e30:
        rate = apply_factor(skew, terms.increase_factor_e30)
        step = max(rate, terms.min_increase_rate_e30) * duration_s
        return saved - step if sums.long < sums.short else saved + step
    if skew < terms.threshold_decrease_e30 and saved != 0:
        # It never gets to zero, so that the payer does not change by decay.
        left = max(abs(saved) - terms.decrease_factor_e30 * duration_s, 1)
        return left if saved > 0 else -left
    return saved


def _per_size(share_usd: int, interest_usd: int, price: int, *, round_up: bool) -> int:
    if share_usd == 0 or interest_usd == 0:
        return 0
    if round_up:
        return div_up(div_up(share_usd * PER_SIZE_ONE, interest_usd), price)
    return share_usd * PER_SIZE_ONE // interest_usd // price


def _added(config: MarketConfig, stored: Sided[ByToken], delta: Sided[ByToken]) -> Sided[ByToken]:
    sides = []
    for is_long in (True, False):
        known, more = stored.of(is_long), delta.of(is_long)
        if config.single_token:
            # One stored value takes both.
            both = more.long_token + more.short_token
            more = ByToken(both, both)
        sides.append(
            ByToken(known.long_token + more.long_token, known.short_token + more.short_token)
        )
    return Sided(*sides)
