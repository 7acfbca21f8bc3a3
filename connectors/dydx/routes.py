"""A book of dYdX as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.positions import Holding, OpenPosition
from connectors.base.routes import Offered, Paid, RouteRules, Unit
from connectors.dydx.constants import VENUE
from connectors.dydx.economics.liquidation import liquidation_price
from connectors.dydx.economics.margin import Position
from connectors.dydx.economics.pricing import BookInputs
from connectors.dydx.economics.terms import (
    ORACLE_DECIMALS,
    PPM,
    QUOTE_DECIMALS,
    MarketTerms,
    OracleValue,
    quantums_of,
)
from domain import exact
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, OrderIntent, OrderLeg, PriceGuard
from domain.routing import RoutePlace
from domain.units import E18, format_e18

ANY_PRICE: Final = Decimal(20)
"""A price this much above or below the expected one is met by any book: an order must have one."""
COLLATERAL: Final = "USDC"


class DydxRoutes:
    """See ``RouteRules``. The bound is the price of the order, a whole number of ticks."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTT", "GTC", "IOC"}),
        post_only=True,
        brackets=False,
        margin=False,
    )
    headroom = Decimal(0)
    merges = False

    def place(
        self,
        pool: str | None,
        chain_ids: Sequence[ChainId],
        inputs: BookInputs,
        collateral: str | None,
    ) -> RoutePlace:
        del inputs
        if pool is not None or not chain_ids:
            raise InputError("UNKNOWN_POOL", f"dYdX has no pool {pool!s:.40}")
        if collateral not in (None, COLLATERAL):
            raise InputError("COLLATERAL", f"{COLLATERAL} is posted here")
        return RoutePlace(VENUE, chain_ids[0], None, COLLATERAL)

    def unit(self, inputs: BookInputs, place: RoutePlace) -> Unit:
        """The chain counts its USDC as dollars."""
        del inputs, place
        return Unit(Fraction(1), QUOTE_DECIMALS)

    def holding(self, inputs: BookInputs, position: OpenPosition) -> Holding:
        """Nobody reads the positions of this chain."""
        raise InputError("COLLATERAL", "positions of dYdX are not read")

    def guard(
        self, inputs: BookInputs, side: OrderSide, expected: Decimal, bound: Decimal | None
    ) -> PriceGuard:
        limit = Fraction(expected if bound is None else bound)
        if bound is None:
            limit = limit * Fraction(ANY_PRICE) if side == "BUY" else limit / Fraction(ANY_PRICE)
        ticks = limit * E18 / inputs.scale.tick_e18
        divide = exact.floor_div if side == "BUY" else exact.ceil_div
        count = divide(ticks.numerator, ticks.denominator)
        if count < 1:
            raise InputError("BAD_GUARD", "a price below the smallest tick")
        text = format_e18(count * inputs.scale.tick_e18)
        return PriceGuard("price", Decimal(text), text)

    def paid(self, inputs: BookInputs, intent: OrderIntent, leg: OrderLeg) -> Paid | None:
        del inputs, intent, leg
        return None

    def check_size(self, inputs: BookInputs, size_base: Decimal) -> None:
        step_e18 = inputs.scale.step_e18
        if (Fraction(size_base) * E18 / step_e18).denominator != 1:
            raise InputError("PRECISION", f"a size is a multiple of {format_e18(step_e18)}")

    def liquidation_price(
        self,
        inputs: BookInputs,
        intent: OrderIntent,
        leg: OrderLeg,
        held: OpenPosition | None = None,
    ) -> Decimal | None:
        """Of a subaccount that has nothing but what is posted."""
        del held
        margin, posted = inputs.margin, leg.collateral_amount
        if margin is None or posted is None:
            return None
        terms = MarketTerms(
            margin.atomic_resolution, 0, 1, 1, margin.initial_ppm, margin.maintenance_fraction_ppm
        )
        sign = 1 if intent.position_side == "LONG" else -1
        quantums = quantums_of(leg.size_base, terms, "down")
        if not quantums:
            return None
        filled = Fraction(leg.size_base) * Fraction(leg.expected_price)
        fee = filled * Fraction(inputs.taker_ppm, PPM)
        balance = (Fraction(posted) - fee - sign * filled) * 10**QUOTE_DECIMALS
        oracle = Fraction(leg.expected_price) * 10**ORACLE_DECIMALS
        position = Position(terms, sign * quantums, OracleValue(int(oracle), -ORACLE_DECIMALS), 0)
        balance_e6 = exact.floor_div(balance.numerator, balance.denominator)
        found = liquidation_price(balance_e6, position)
        return found or None


ROUTES: Final[RouteRules] = DydxRoutes()
