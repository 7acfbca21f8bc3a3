"""Hourly funding: how the rate comes about and what a position pays. Pure.

The chain counts rates in ppm of eight hours and settles every hour; the indexer tells them per hour
(``nextFundingRate``: mean of this hour's samples so far plus ``defaultFundingRate1H``, so interest
is in it). Positive: longs pay shorts.
Source: dydxprotocol/v4-documentation ``concepts/trading/funding``, v4-chain
``x/perpetuals/funding/funding.go``, ``x/perpetuals/lib/lib.go``, ``x/subaccounts/lib/updates.go``.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.dydx.economics.terms import PPM, MarketTerms, OracleValue, notional_e6
from domain import exact
from domain.errors import InputError
from domain.funding import PositionSide

INTERVAL_HOURS: Final = 1
RATE_HOURS: Final = 8
RATE_SECONDS: Final = RATE_HOURS * 3600
RATE_CLAMP_PPM: Final = 6_000_000
"""600 % of (initial - maintenance margin) bounds the eight-hour rate; governance can change it."""

IMPACT_MARGIN_USD: Final = 500
"""The default impact notional is what this much initial margin holds."""

_RATE_DECIMALS: Final = 18


def impact_notional_usd(terms: MarketTerms) -> Decimal:
    """The size whose average prices are the impact bid and ask: 500 USDC / initial margin, rounded
    up after 6 decimals. A default: the liquidity tier on chain states its own."""
    return exact.decimal(Fraction(IMPACT_MARGIN_USD * PPM, terms.initial_margin_ppm), 6, "up")


def premium(impact_bid: Decimal, impact_ask: Decimal, index_price: Decimal) -> Decimal:
    """How far the book stands off the index: a vote of one block, for eight hours.

    Shape: average prices of selling and buying the impact notional. Units: fraction of the index.
    Rounding: down after 18 decimals. Raises InputError ``BAD_PRICE``.
    """
    bid, ask, index = map(exact.fraction, (impact_bid, impact_ask, index_price))
    if min(bid, ask, index) <= 0:
        raise InputError("BAD_PRICE", "prices must be positive")
    above, below = max(Fraction(0), bid - index), max(Fraction(0), index - ask)
    return exact.decimal((above - below) / index, _RATE_DECIMALS, "down")


def max_rate_8h_ppm(terms: MarketTerms, clamp_ppm: int = RATE_CLAMP_PPM) -> int:
    """Bound of the eight-hour rate, ppm, rounded down as the chain does.

    Source: ``x/perpetuals/types/liquidity_tier.go`` GetMaxAbsFundingClampPpm.
    """
    maintenance = terms.initial_margin_ppm * terms.maintenance_fraction_ppm // PPM
    return clamp_ppm * (terms.initial_margin_ppm - maintenance) // PPM


def max_rate_hourly(terms: MarketTerms, clamp_ppm: int = RATE_CLAMP_PPM) -> Decimal:
    """Bound of the hourly rate as a fraction; exact."""
    return exact.divided(Decimal(f"{max_rate_8h_ppm(terms, clamp_ppm)}E-6"), RATE_HOURS)


def rate_hourly(premium_8h: Decimal, terms: MarketTerms) -> Decimal:
    """The hourly rate of a mean premium: premium / 8 + interest, within the bound; exact."""
    rate = exact.added(exact.divided(premium_8h, RATE_HOURS), terms.default_funding_1h)
    bound = max_rate_hourly(terms)
    return max(bound.copy_negate(), min(bound, rate))


def index_delta(rate_8h_ppm: int, seconds: int, oracle: OracleValue, terms: MarketTerms) -> int:
    """How far the funding index moves: millionths of a quote quantum per base quantum, cut toward
    zero twice, as the chain does. Source: ``funding.go`` GetFundingIndexDelta."""
    return exact.trunc_div(notional_e6(seconds * rate_8h_ppm, oracle, terms), RATE_SECONDS)


def settlement_e6(quantums: int, moved: int) -> int:
    """What the balance of a position changes by when the index has moved, quote quantums.

    Rounding: down, so payments grow and receipts shrink. The chain rounds the sum over the
    positions of a subaccount once; one at a time may be a quantum lower each.
    """
    return exact.floor_div(-moved * quantums, PPM)


def expected_e6(quantums: int, hourly: Decimal, oracle: OracleValue, terms: MarketTerms) -> int:
    """What the balance of a position will change by at the end of the hour if the rate stays, as
    the chain counts: quote quantums, negative is a payment.

    Rounding: the rate to whole ppm of eight hours and everything behind it against the holder
    where the chain leaves a choice. The index itself is cut toward zero, which for small rates is a
    visible part of both sides (BTC at 90,000: steps of 0.01 USDC a coin).
    """
    rate = exact.fraction(hourly) * RATE_HOURS * PPM
    divide = exact.ceil_div if quantums > 0 else exact.floor_div
    ppm = divide(rate.numerator, rate.denominator)
    return settlement_e6(quantums, index_delta(ppm, 3600, oracle, terms))


def payment_usd(
    size_base: Decimal,
    side: PositionSide,
    oracle_price: Decimal,
    hourly: Decimal,
    hours: int = INTERVAL_HOURS,
) -> Decimal:
    """What a position pays over whole hours at the indexer's hourly rate; negative: receives. The
    formula of the documentation, which knows nothing of the steps of the index (``expected_e6``).

    Shape: ``size_base`` unsigned. Units: USDC. Rounding: up after 6 decimals, each hour for itself,
    as it is settled; the rate and the price of later hours are taken as the present ones.
    Raises InputError ``BAD_SIZE``.
    """
    if size_base < 0 or hours < 0:
        raise InputError("BAD_SIZE", "size and time are not negative")
    paid = exact.fraction(size_base) * exact.fraction(oracle_price) * exact.fraction(hourly)
    hour = exact.decimal(paid if side == "LONG" else -paid, 6, "up")
    return exact.multiplied(hour, hours)
