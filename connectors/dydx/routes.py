"""A book of dYdX as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.routes import Offered, RouteRules
from connectors.dydx.constants import VENUE
from connectors.dydx.economics.pricing import BookInputs
from domain import exact
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, PriceGuard
from domain.routing import RoutePlace
from domain.units import E18, format_e18

ANY_PRICE: Final = Decimal(20)
"""A price this much above or below the expected one is met by any book: an order must have one."""


class DydxRoutes:
    """See ``RouteRules``. The bound is the price of the order, a whole number of ticks."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTT", "GTC", "IOC"}),
        post_only=True,
        brackets=False,
    )
    headroom = Decimal(0)

    def place(self, pool: str | None, chain_ids: Sequence[ChainId]) -> RoutePlace:
        if pool is not None or not chain_ids:
            raise InputError("UNKNOWN_POOL", f"dYdX has no pool {pool!s:.40}")
        return RoutePlace(VENUE, chain_ids[0], None, "USDC")

    def collateral_usd(self, inputs: BookInputs) -> Fraction:
        """The chain counts its USDC as dollars."""
        del inputs
        return Fraction(1)

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


ROUTES: Final[RouteRules] = DydxRoutes()
