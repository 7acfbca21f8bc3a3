"""A pool of Gains, ``42161:USDC``, as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.routes import Offered, RouteRules
from connectors.gains.constants import VENUE
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import E8
from connectors.gains.orders import entries
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, PriceGuard
from domain.routing import RoutePlace


class GainsRoutes:
    """See ``RouteRules``. The bound is ``maxSlippageP``, 1e-3 percent of the ``openPrice`` that is
    sent with it: ``openPrice x maxSlippageP / 100000``, rounded down, is the most a fill may be
    off. Where not even the smallest slippage fits, the ``openPrice`` is moved."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTC"}),
        post_only=False,
        brackets=True,
    )
    headroom = Decimal(0)

    def place(self, pool: str | None, chain_ids: Sequence[ChainId]) -> RoutePlace:
        chain, _, symbol = (pool or "").partition(":")
        if not chain.isdecimal() or not symbol or int(chain) not in map(int, chain_ids):
            raise InputError("UNKNOWN_POOL", f"Gains has no pool {pool!s:.40}")
        return RoutePlace(VENUE, int(chain), pool, symbol)

    def collateral_usd(self, inputs: Pool) -> Fraction:
        return Fraction(inputs.state.collateral.price_usd_e8, E8)

    def guard(
        self, inputs: Pool, side: OrderSide, expected: Decimal, bound: Decimal | None
    ) -> PriceGuard:
        del inputs
        buys = side == "BUY"
        try:
            worst = None if bound is None else entries.e10(bound, up=not buys)
            found = entries.market_guard(expected, worst, buys=buys)
        except InputError as error:
            raise InputError("BAD_GUARD", error.message) from None
        return entries.told(found, side)


ROUTES: Final[RouteRules] = GainsRoutes()
