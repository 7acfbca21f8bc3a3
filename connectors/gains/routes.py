"""A pool of Gains, ``42161:USDC``, as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.positions import Holding, OpenPosition
from connectors.base.routes import Offered, Paid, RouteRules, Unit
from connectors.gains.constants import PRICE_DECIMALS, VENUE
from connectors.gains.economics.fees import min_opening_collateral, trade_fee
from connectors.gains.economics.impact import opening_impact, opening_loss_p
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.limits import MAX_OPENING_LOSS_P
from connectors.gains.economics.liquidation import liquidation_price_of
from connectors.gains.economics.position import Ledger, Trade
from connectors.gains.economics.scales import E3, E8, E10, position_size
from connectors.gains.orders import entries
from connectors.gains.orders.after import liquidation_e10
from connectors.gains.orders.builder import APPROVE_GAS, GAS, ORACLE_GAS
from connectors.gains.orders.deployments import DEPLOYMENTS, deployment
from connectors.gains.orders.reads import StoredTrade
from connectors.gains.orders.tables import NATIVE, Posted
from domain import exact
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, OrderIntent, OrderLeg, PriceGuard
from domain.routing import RoutePlace
from domain.units import minimal

SIZE_DECIMALS: Final = 18


class GainsRoutes:
    """See ``RouteRules``. The bound is ``maxSlippageP``, 1e-3 percent of the ``openPrice`` that is
    sent with it: ``openPrice x maxSlippageP / 100000``, rounded down, is the most a fill may be
    off. Where not even the smallest slippage fits, the ``openPrice`` is moved."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTC"}),
        post_only=False,
        brackets=True,
        margin=True,
        claims=frozenset({"profit"}),
    )
    headroom = Decimal(0)
    merges = False

    def place(
        self, pool: str | None, chain_ids: Sequence[ChainId], inputs: Pool, collateral: str | None
    ) -> RoutePlace:
        del inputs
        chain, _, symbol = (pool or "").partition(":")
        if not chain.isdecimal() or not symbol or int(chain) not in map(int, chain_ids):
            raise InputError("UNKNOWN_POOL", f"Gains has no pool {pool!s:.40}")
        if collateral not in (None, symbol) and not _is_native(int(chain), symbol, collateral):
            raise InputError("COLLATERAL", f"{symbol} is posted here")
        return RoutePlace(VENUE, int(chain), pool, collateral or symbol)

    def unit(self, inputs: Pool, place: RoutePlace) -> Unit:
        del place
        found = inputs.state.collateral
        return Unit(Fraction(found.price_usd_e8, E8), found.decimals)

    def holding(self, inputs: Pool, position: OpenPosition) -> Holding:
        """At today's price of the collateral, as the builder counts it."""
        trade: StoredTrade = position.stored
        token = inputs.state.collateral
        symbol = position.pool.partition(":")[2]
        size = position_size(trade.collateral, trade.leverage_e3) * token.price_usd_e8
        entry = Fraction(trade.price_e10, E10)
        base = Fraction(size, 10**token.decimals * E8) / entry
        return Holding(
            position.ref,
            symbol,
            frozenset((symbol,)),
            Decimal(trade.collateral).scaleb(-token.decimals),
            exact.decimal(base, SIZE_DECIMALS, "down"),
            Decimal(f"{trade.price_e10}E-{PRICE_DECIMALS}"),
            position,
        )

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

    def paid(self, inputs: Pool, intent: OrderIntent, leg: OrderLeg) -> Paid | None:
        """Whoever triggers an order is paid out of the trading fee."""
        del inputs
        gas = APPROVE_GAS + (ORACLE_GAS if intent.type == "market" else GAS)
        try:
            pool_symbol = (leg.pool or "").partition(":")[2]
            token = deployment(DEPLOYMENTS, leg.chain_id).by_symbol(pool_symbol)
        except InputError:
            return None
        native = leg.collateral_symbol != token.symbol
        paid_in = 0 if intent.reduces else leg.collateral_amount or 0
        amount = Fraction(paid_in) * 10**token.decimals
        address = None if native or not amount else token.address
        return Paid(address, leg.collateral_symbol, token.decimals, int(amount), 0, gas)

    def check_size(self, inputs: Pool, size_base: Decimal) -> None:
        """A size is what collateral and leverage make it."""

    def liquidation_price(
        self,
        inputs: Pool,
        intent: OrderIntent,
        leg: OrderLeg,
        held: OpenPosition | None = None,
    ) -> Decimal | None:
        """What the contract says of the trade that it stores."""
        if held is not None:
            after = liquidation_e10(intent, leg, held, _posted(leg), inputs)
            return Decimal(f"{after}E-{PRICE_DECIMALS}") if after else None
        if leg.collateral_amount is None:
            return None
        state, token = inputs.state, inputs.state.collateral
        collateral, leverage_e3 = entries.sized(intent, leg, token.decimals, token.price_usd_e8)
        long = intent.position_side == "LONG"
        trade = Trade(long, collateral, leverage_e3, entries.e10(leg.expected_price, up=long))
        _check(inputs, trade)
        terms = state.liquidation
        if terms is None:
            return None
        found = liquidation_price_of(
            trade,
            Ledger(),
            terms,
            state.fees,
            token,
            state.pair.total_spread_p,
            holding_fees=0,
            extra_fee=trade_fee(trade.size, state.fees, token, is_counter=False),
        )
        return Decimal(f"{found}E-{PRICE_DECIMALS}") if found else None


def _posted(leg: OrderLeg) -> Posted:
    token = deployment(DEPLOYMENTS, leg.chain_id).by_symbol((leg.pool or "").partition(":")[2])
    return Posted(token, token.symbol != leg.collateral_symbol)


def _check(inputs: Pool, trade: Trade) -> None:
    """Of what the contract refuses, what depends on leverage and collateral.

    Raises InputError ``MIN_COLLATERAL``, ``MIN_LEVERAGE``, ``IMPACT``.
    """
    state, token = inputs.state, inputs.state.collateral
    least = min_opening_collateral(state.fees, token)
    if trade.collateral < least:
        amount = minimal(Decimal(f"{least}E-{token.decimals}"))
        raise InputError("MIN_COLLATERAL", f"at least {amount} is posted")
    if trade.leverage_e3 < state.min_leverage_e3:
        raise InputError("MIN_LEVERAGE", f"at least {state.min_leverage_e3 / E3:g}")
    impact = opening_impact(inputs.mark_e10, trade.size, token, state.pair, long=trade.long)
    if opening_loss_p(impact, trade.leverage_e3, long=trade.long) > MAX_OPENING_LOSS_P:
        raise InputError("IMPACT", "it would cost too much of the collateral at once")


def _is_native(chain_id: int, symbol: str, collateral: str | None) -> bool:
    try:
        return (
            deployment(DEPLOYMENTS, chain_id).by_symbol(symbol).wrapped_native
            and collateral == NATIVE
        )
    except InputError:
        return False


ROUTES: Final[RouteRules] = GainsRoutes()
