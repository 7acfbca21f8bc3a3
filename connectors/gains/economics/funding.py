"""Funding of v10 trades: a rate that moves with the skew, paid by one side to the other.

A positive rate is paid by longs. The two sides need not balance: the side that earns may be paid
more per token than the other pays.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.gains.economics.scales import E8, E10, E18, WHOLE_P, truncated

YEAR_S: Final = 365 * 24 * 60 * 60

_MULTIPLIER_ONE: Final = 10**20
_MULTIPLIER_MAX: Final = 100 * _MULTIPLIER_ONE


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """``skew_coefficient_e26`` a year and token, ``velocity_cap_e7`` a year, ``rate_cap_p`` a
    second in e10 percent. Any of them 0: no velocity, or no funding at all for the last."""

    skew_coefficient_e26: int
    velocity_cap_e7: int
    rate_cap_p: int
    theta_usd: int
    enabled: bool
    apr_multiplier: bool


class Funding(NamedTuple):
    """Accumulators are percent times price, ``rate_p_e18`` percent a second."""

    long_p_e20: int
    short_p_e20: int
    rate_p_e18: int
    updated_s: int

    def of(self, *, long: bool) -> int:
        return self.long_p_e20 if long else self.short_p_e20


class _Rate(NamedTuple):
    average_p_e18: int
    now_p_e18: int


def velocity_e10(
    terms: FundingTerms, net_token_e18: int, price_e10: int, collateral_price_e8: int
) -> int:
    """How fast the rate moves, a year. 0 while the skew is worth less than theta.

    Source: FundingFeesUtils._getCurrentFundingVelocityPerYear, v10.2.
    """
    if not net_token_e18 or not terms.skew_coefficient_e26 or not terms.velocity_cap_e7:
        return 0
    net_collateral_e10 = truncated(net_token_e18 * price_e10, E18)
    net_usd_e10 = truncated(net_collateral_e10 * collateral_price_e8, E8)
    if abs(net_usd_e10) < terms.theta_usd * E10:
        return 0
    speed = abs(net_token_e18) * terms.skew_coefficient_e26 // 10**34
    speed = min(speed, terms.velocity_cap_e7 * 1000)
    # The sign is that of the value: it is 0 for a dust of short tokens.
    return -speed if net_usd_e10 < 0 else speed


def accrued(
    stored: Funding,
    terms: FundingTerms,
    long_token_e18: int,
    short_token_e18: int,
    price_e10: int,
    collateral_price_e8: int,
    now_s: int,
) -> Funding:
    """The accumulators now, if nothing else changed since they were stored.

    While funding is disabled they stand still and what they hold stays owed.
    Source: FundingFeesUtils.getPairPendingAccFundingFees, v10.2.
    """
    if not terms.enabled:
        return stored
    seconds = now_s - stored.updated_s
    velocity = velocity_e10(terms, long_token_e18 - short_token_e18, price_e10, collateral_price_e8)
    rate = _rate(stored.rate_p_e18, terms.rate_cap_p, velocity, seconds)
    if terms.apr_multiplier and rate.now_p_e18 * stored.rate_p_e18 < 0:
        # Each side earns for a part of the time, and only who earns is multiplied.
        to_zero_s = truncated(_signed_quotient(-stored.rate_p_e18 * YEAR_S, velocity), E8)
        parts = [
            (truncated(stored.rate_p_e18, 2), to_zero_s),
            (truncated(rate.now_p_e18, 2), seconds - to_zero_s),
        ]
    else:
        parts = [(rate.average_p_e18, seconds)]
    long_p, short_p = stored.long_p_e20, stored.short_p_e20
    for average, part_s in parts:
        delta_p = truncated(average * part_s * price_e10, E8)
        long_times, short_times = _multipliers(
            average, long_token_e18, short_token_e18, terms.apr_multiplier
        )
        long_p += truncated(delta_p * long_times, _MULTIPLIER_ONE)
        short_p -= truncated(delta_p * short_times, _MULTIPLIER_ONE)
    return Funding(long_p, short_p, rate.now_p_e18, now_s)


def _rate(last_p_e18: int, cap_p: int, velocity: int, seconds: int) -> _Rate:
    """Source: FundingFeesUtils._getAvgFundingRatePerSecondP, v10.2."""
    if not cap_p:
        return _Rate(0, 0)
    if not velocity or not seconds:
        return _Rate(last_p_e18, last_p_e18)
    cap = cap_p * E8 if velocity > 0 else -cap_p * E8
    if cap == last_p_e18:
        return _Rate(cap, cap)
    # A rate that a lowered cap left beyond it moves further away in the contract's eyes.
    to_cap_s = truncated(_signed_quotient((cap - last_p_e18) * YEAR_S, velocity), E8)
    if to_cap_s < 0 or seconds <= to_cap_s:
        now = last_p_e18 + truncated(seconds * velocity * E8, YEAR_S)
        return _Rate(truncated(last_p_e18 + now, 2), now)
    until_cap = truncated(last_p_e18 + cap, 2)
    weighted = until_cap * to_cap_s + cap * (seconds - to_cap_s)
    return _Rate(truncated(weighted, seconds), cap)


def _signed_quotient(numerator: int, denominator: int) -> int:
    return (
        truncated(numerator, denominator)
        if denominator > 0
        else truncated(-numerator, -denominator)
    )


def _multipliers(
    average: int, long_token_e18: int, short_token_e18: int, enabled: bool
) -> tuple[int, int]:
    """(long, short) in e20: for who earns other / own open interest, at most 100; 0 for a side
    without any. Source: FundingFeesUtils._getLongShortAprMultiplier, v10.2."""
    if not average:
        return _MULTIPLIER_ONE, _MULTIPLIER_ONE
    long_times = _MULTIPLIER_ONE if long_token_e18 else 0
    short_times = _MULTIPLIER_ONE if short_token_e18 else 0
    if enabled and average < 0 and long_token_e18:
        long_times = short_token_e18 * _MULTIPLIER_ONE // long_token_e18
    elif enabled and average > 0 and short_token_e18:
        short_times = long_token_e18 * _MULTIPLIER_ONE // short_token_e18
    return min(long_times, _MULTIPLIER_MAX), min(short_times, _MULTIPLIER_MAX)


def current_rates_p_e18(
    stored: Funding,
    terms: FundingTerms,
    long_token_e18: int,
    short_token_e18: int,
    price_e10: int,
    collateral_price_e8: int,
    now_s: int,
) -> tuple[int, int]:
    """(what a long pays, what a short receives) in percent a second, for positions of nearly
    nothing: a side without open interest is taken to have the least there can be. As ``accrued``;
    a time before the stored one is that one.
    """
    if not terms.enabled:
        return 0, 0
    now_s = max(now_s, stored.updated_s)
    rate = accrued(
        stored, terms, long_token_e18, short_token_e18, price_e10, collateral_price_e8, now_s
    ).rate_p_e18
    long_times, short_times = _multipliers(
        rate, max(long_token_e18, 1), max(short_token_e18, 1), terms.apr_multiplier
    )
    return (
        truncated(rate * long_times, _MULTIPLIER_ONE),
        truncated(rate * short_times, _MULTIPLIER_ONE),
    )


def funding_fee(size: int, acc_p_e20: int, initial_p_e20: int, open_price_e10: int) -> int:
    """What a v10 trade owes; negative is income. Trades of before v10 owe none.

    Source: FundingFeesUtils.getTradeFundingFeesCollateral, v10.2.
    """
    return truncated(truncated(size * (acc_p_e20 - initial_p_e20), open_price_e10), WHOLE_P)
