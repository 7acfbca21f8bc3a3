"""Margin of a subaccount: what the chain asks for and what there is, in quote quantums. Pure.

Only the oracle price counts, never the book. Requirements round up and values toward zero, in the
chain's order, so the answers are the chain's own.
Source: dydxprotocol/v4-chain ``x/perpetuals/types/liquidity_tier.go``, ``x/perpetuals/lib/lib.go``,
``protocol/lib/margin/risk.go``, ``x/subaccounts/lib/updates.go``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from connectors.dydx.economics.terms import PPM, MarketTerms, OracleValue, notional_e6
from domain import exact
from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Position:
    """One perpetual position. ``quantums``: signed base quantums, negative is short.

    ``open_interest_quantums``: of the whole market, what the initial margin grows with; on the
    wire it is ``baseOpenInterest`` (``openInterest`` is the indexer's own count).
    ``custom_initial_ppm``: a higher initial margin the user chose for the market, 0 for none.
    """

    terms: MarketTerms
    quantums: int
    oracle: OracleValue
    open_interest_quantums: int
    custom_initial_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Risk:
    """Net collateral (equity) and the two requirements, quote quantums."""

    net_e6: int
    initial_e6: int
    maintenance_e6: int

    @property
    def free_e6(self) -> int:
        """What may be withdrawn or used for more risk; negative when risk may only shrink."""
        return self.net_e6 - self.initial_e6

    @property
    def may_add_risk(self) -> bool:
        return self.net_e6 >= self.initial_e6

    @property
    def below_maintenance(self) -> bool:
        return self.net_e6 < self.maintenance_e6

    @property
    def liquidatable(self) -> bool:
        """Below maintenance, and something has to be maintained at all."""
        return self.maintenance_e6 > 0 and self.below_maintenance


def initial_ppm(terms: MarketTerms, open_notional_e6: int) -> int:
    """The initial margin fraction at this open notional, ppm, rounded down as the chain does.

    Base up to the lower cap, then growing on a line to 1 at the upper cap. Equal caps are a jump
    to 1 just above them, not the absence of scaling; only an upper cap of 0 is that.
    Source: ``liquidity_tier.go`` GetAdjustedInitialMarginPpm.
    """
    lower, upper = terms.oi_lower_cap_e6, terms.oi_upper_cap_e6
    base = terms.initial_margin_ppm
    if upper == 0 or open_notional_e6 <= lower:
        return base
    if open_notional_e6 >= upper:
        return PPM
    return base + (PPM - base) * (open_notional_e6 - lower) // (upper - lower)


def position_initial_ppm(position: Position) -> int:
    """The initial margin fraction that counts for a position: of the market or the user's own."""
    open_notional = notional_e6(position.open_interest_quantums, position.oracle, position.terms)
    return max(initial_ppm(position.terms, open_notional), position.custom_initial_ppm)


def initial_e6(notional: int, fraction_ppm: int) -> int:
    """Initial margin of an absolute notional, quote quantums, rounded up."""
    return exact.ceil_div(notional * fraction_ppm, PPM)


def maintenance_e6(notional: int, terms: MarketTerms) -> int:
    """Maintenance margin of an absolute notional, quote quantums: the maintenance fraction of the
    base initial margin, both products rounded up. Does not grow with open interest."""
    base = exact.ceil_div(notional * terms.initial_margin_ppm, PPM)
    return exact.ceil_div(base * terms.maintenance_fraction_ppm, PPM)


def position_risk(position: Position) -> Risk:
    """Value and requirements of a position alone; its net may be negative (a short)."""
    net = notional_e6(position.quantums, position.oracle, position.terms)
    return Risk(
        net,
        initial_e6(abs(net), position_initial_ppm(position)),
        maintenance_e6(abs(net), position.terms),
    )


def subaccount_risk(quote_balance_e6: int, positions: Iterable[Position]) -> Risk:
    """All of a subaccount: its USDC, which may be negative, and every cross position.

    Funding that is not settled yet is not in the balance. A subaccount with an isolated market
    holds nothing else. Raises InputError ``ISOLATED_WITH_OTHERS``.
    """
    held = [position for position in positions if position.quantums]
    if len(held) > 1 and any(position.terms.isolated for position in held):
        raise InputError("ISOLATED_WITH_OTHERS", "an isolated market takes a subaccount of its own")
    net, initial, maintenance = quote_balance_e6, 0, 0
    for position in held:
        risk = position_risk(position)
        net += risk.net_e6
        initial += risk.initial_e6
        maintenance += risk.maintenance_e6
    return Risk(net, initial, maintenance)


def max_leverage(terms: MarketTerms, open_notional_e6: int) -> Decimal:
    """1 / initial margin fraction, rounded down after 2 decimals.

    Raises InputError ``BAD_TERMS`` where no margin is asked for.
    """
    fraction = initial_ppm(terms, open_notional_e6)
    if fraction <= 0:
        raise InputError("BAD_TERMS", "a market without initial margin")
    return exact.decimal(Fraction(PPM, fraction), 2, "down")


def max_notional_e6(free_collateral_e6: int, fraction_ppm: int) -> int:
    """The largest position the free collateral opens at the oracle price, before fees.

    Units: quote quantums. Rounding: down; one more would ask for more margin than there is.
    """
    if free_collateral_e6 <= 0:
        return 0
    # ceil(n x f) <= free  <=>  n x f <= free, for whole free.
    return free_collateral_e6 * PPM // fraction_ppm
