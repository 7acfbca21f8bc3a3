"""A pool of GMX as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.routes import Offered, RouteRules
from connectors.gmx.constants import VENUE
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.orders import intents
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, PriceGuard
from domain.routing import RoutePlace

PRICE_DECIMALS: Final = 30
COLLATERAL_DECIMALS: Final = 6


class GmxRoutes:
    """See ``RouteRules``. The bound is ``acceptablePrice``, USD x 1e30 per smallest unit of the
    index token: the contracts compare the whole fill with it, the impact included."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTC"}),
        post_only=False,
        brackets=True,
    )
    headroom = Decimal("0.3")

    def place(self, pool: str | None, chain_ids: Sequence[ChainId]) -> RoutePlace:
        if pool is None or not chain_ids:
            raise InputError("UNKNOWN_POOL", "a pool of GMX has the address of its market token")
        return RoutePlace(VENUE, int(chain_ids[0]), pool, "USDC")

    def collateral_usd(self, inputs: GmxInputs) -> Fraction:
        """Of the pool's short token, at the lower price of the oracle."""
        lowest = inputs.prices.short_token.min_usd_e30
        return Fraction(lowest, 10 ** (PRICE_DECIMALS - COLLATERAL_DECIMALS))

    def guard(
        self, inputs: GmxInputs, side: OrderSide, expected: Decimal, bound: Decimal | None
    ) -> PriceGuard:
        del expected
        decimals, at_most = inputs.terms.decimals, side == "BUY"
        try:
            raw = intents.bound(bound, decimals, at_most=at_most)
        except InputError as error:
            raise InputError("BAD_GUARD", error.message) from None
        return intents.price_guard(raw, decimals)


ROUTES: Final[RouteRules] = GmxRoutes()
