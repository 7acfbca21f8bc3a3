"""A pool of Gains, ``42161:USDC``, as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.routes import Offered, RouteRules
from connectors.gains.constants import PRICE_DECIMALS, PRICE_MAX_E10, VENUE
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import E8, E10, SLIPPAGE_WHOLE
from domain import exact
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, PriceGuard
from domain.routing import RoutePlace

MAX_SLIPPAGE_P: Final = 2**16 - 1
"""What the contract's field holds: 65.535 %."""


class GainsRoutes:
    """See ``RouteRules``. The bound is ``maxSlippageP``, 1e-3 percent of the ``openPrice`` that is
    sent with it: ``openPrice x maxSlippageP / 100000``, rounded down, is the most a fill may be
    off. Where not even the smallest slippage fits, the ``openPrice`` is moved (``sent_e10``)."""

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
        sent, slippage_p = sent_e10(side, expected, bound)
        off = sent * slippage_p // SLIPPAGE_WHOLE
        edge = sent + off if side == "BUY" else sent - off
        return PriceGuard("maxSlippageP", Decimal(f"{edge}E-{PRICE_DECIMALS}"), str(slippage_p))


def sent_e10(side: OrderSide, expected: Decimal, bound: Decimal | None) -> tuple[int, int]:
    """``openPrice`` and ``maxSlippageP`` whose bound is never worse than ``bound``.

    Raises InputError ``BAD_GUARD`` for prices that the contract cannot hold.
    """
    sent = round(Fraction(expected) * E10)
    slippage_p = MAX_SLIPPAGE_P
    if bound is not None:
        divide = exact.floor_div if side == "BUY" else exact.ceil_div
        scaled = Fraction(bound) * E10
        edge = divide(scaled.numerator, scaled.denominator)
        room = edge - sent if side == "BUY" else sent - edge
        if sent > 0 and room > 0:
            slippage_p = min(room * SLIPPAGE_WHOLE // sent, MAX_SLIPPAGE_P)
        if sent <= 0 or room <= 0 or slippage_p < 1:
            # With a slippage of 1 the fill may be off by sent // 100000: the last sent that fits.
            slippage_p = 1
            whole = SLIPPAGE_WHOLE + 1 if side == "BUY" else SLIPPAGE_WHOLE - 1
            sent = exact.floor_div(edge * SLIPPAGE_WHOLE, whole)
            sent += 0 if side == "BUY" else 1
    if not 0 < sent <= PRICE_MAX_E10:
        raise InputError("BAD_GUARD", "a price that the contract cannot hold")
    return sent, slippage_p


ROUTES: Final[RouteRules] = GainsRoutes()
