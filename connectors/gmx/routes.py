"""A pool of GMX as a place to send orders to."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Final

from connectors.base.positions import Holding, OpenPosition
from connectors.base.routes import Offered, Paid, RouteRules, Unit
from connectors.gmx.addresses import address
from connectors.gmx.constants import NATIVE_TOKENS, VENUE
from connectors.gmx.economics import opened
from connectors.gmx.economics.opened import PoolToken, Posted
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.economics.refusal import Refused
from connectors.gmx.orders import intents
from connectors.gmx.orders.builder import APPROVE_GAS, CREATE_GAS
from connectors.gmx.orders.positions import since
from connectors.gmx.orders.prices import price_of, raw_price, units, usd_e30
from connectors.gmx.orders.reader import StoredPosition
from connectors.gmx.orders.reverts import code_of, hint_of
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import ChainId, OrderIntent, OrderLeg, PriceGuard
from domain.routing import RoutePlace

PRICE_DECIMALS: Final = 30
_UNCOUNTED: Final = "UsdDeltaExceeds"
"""What the feed says of the pool is older than the position: it is not in the open interest."""


class GmxRoutes:
    """See ``RouteRules``. The bound is ``acceptablePrice``, USD x 1e30 per smallest unit of the
    index token: the contracts compare the whole fill with it, the impact included."""

    offered = Offered(
        frozenset({"market", "limit", "stop", "take_profit"}),
        frozenset({"GTC"}),
        post_only=False,
        brackets=True,
        margin=True,
        claims=frozenset({"funding", "impact"}),
    )
    headroom = Decimal("0.3")
    merges = True

    def place(
        self,
        pool: str | None,
        chain_ids: Sequence[ChainId],
        inputs: GmxInputs,
        collateral: str | None,
    ) -> RoutePlace:
        """Ether is posted for the wrapped token unless that is asked for."""
        if pool is None or not chain_ids:
            raise InputError("UNKNOWN_POOL", "a pool of GMX has the address of its market token")
        chain_id = int(chain_ids[0])
        *_, symbol = _posted(inputs).token(collateral, NATIVE_TOKENS.get(chain_id, ""))
        return RoutePlace(VENUE, chain_id, pool, symbol)

    def unit(self, inputs: GmxInputs, place: RoutePlace) -> Unit:
        """At the lower price of the oracle."""
        token, in_long_token = _token(inputs, place.chain_id, place.collateral)
        lowest = inputs.prices.token(in_long_token).min_usd_e30
        return Unit(Fraction(lowest, 10 ** (PRICE_DECIMALS - token.decimals)), token.decimals)

    def holding(self, inputs: GmxInputs, position: OpenPosition) -> Holding:
        """The size is that of its tokens, and ether is paid out for the wrapped token."""
        stored: StoredPosition = position.stored
        posted, native = _posted(inputs), NATIVE_TOKENS.get(position.chain_id, "")
        for token in (posted.long_token, posted.short_token):
            if token.address == stored.collateral_token:
                break
        else:
            raise InputError("COLLATERAL", "the position's collateral is none of this pool")
        wrapped = token.address == native
        called = {opened.NATIVE, opened.WRAPPED} if wrapped else {token.symbol}
        decimals = inputs.terms.decimals
        entry = Decimal(stored.size_usd_e30 // stored.size_units)
        return Holding(
            position.ref,
            opened.NATIVE if wrapped else token.symbol,
            frozenset(called),
            Decimal(stored.collateral_units).scaleb(-token.decimals),
            Decimal(stored.size_units).scaleb(-decimals),
            entry.scaleb(decimals - PRICE_DECIMALS),
            position,
        )

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

    def paid(self, inputs: GmxInputs, intent: OrderIntent, leg: OrderLeg) -> Paid | None:
        """Each exit that is placed with an opening is an order of its own, with its own fee. An
        exit may take collateral out and pays none in."""
        token, _ = _token(inputs, leg.chain_id, leg.collateral_symbol)
        brackets = intent.brackets.take_profit, intent.brackets.stop_loss
        orders = 1 + sum(price is not None for price in brackets)
        fee_wei = None
        if inputs.fee_wei is not None:
            fee_wei = ceil(inputs.fee_wei * (1 + Fraction(self.headroom)) * orders)
        amount = Decimal(0) if intent.reduces else leg.collateral_amount or Decimal(0)
        posted = units(amount, token.decimals, "down")
        native = leg.collateral_symbol == opened.NATIVE
        native = native and token.address == NATIVE_TOKENS.get(int(leg.chain_id))
        return Paid(
            None if native or not posted else address(token.address),
            leg.collateral_symbol,
            token.decimals,
            posted,
            fee_wei,
            APPROVE_GAS + CREATE_GAS * orders,
        )

    def check_size(self, inputs: GmxInputs, size_base: Decimal) -> None:
        decimals = inputs.terms.decimals
        if (Fraction(size_base) * 10**decimals).denominator != 1:
            raise InputError("PRECISION", f"a size has at most {decimals} decimals")

    def liquidation_price(
        self,
        inputs: GmxInputs,
        intent: OrderIntent,
        leg: OrderLeg,
        held: OpenPosition | None = None,
    ) -> Decimal | None:
        """One that waits is opened when the oracle is where it is expected to be. What an older
        position owes is that of the pool's last change."""
        posted, terms, prices = _posted(inputs), inputs.terms, inputs.prices
        token, in_long_token = _token(inputs, leg.chain_id, leg.collateral_symbol)
        before = None if held is None else since(held, in_long_token=in_long_token)
        amount = leg.collateral_amount or Decimal(0)
        if (before is None) != (held is None) or (held is None and not amount):
            return None
        if leg.expected_price in (intent.trigger_price, intent.limit_price):
            moved = raw_price(leg.expected_price, terms.decimals, at_most=True)
            prices = opened.at_price(prices, moved, posted)
        collateral_units = units(amount, token.decimals, "down")
        try:
            found = opened.liquidation_usd_e30(
                terms.config,
                terms.state,
                prices,
                posted,
                is_long=intent.position_side == "LONG",
                in_long_token=in_long_token,
                size_usd_e30=usd_e30(leg.notional_usd, "down"),
                collateral_units=-collateral_units if intent.reduces else collateral_units,
                held=before,
            )
        except Refused as error:
            name = error.refusal.name
            if held is not None and name.startswith(_UNCOUNTED):
                return None
            raise InputError(code_of(name), f"{hint_of(name)} ({name})") from None
        return None if found is None else price_of(found, terms.decimals)


def _posted(inputs: GmxInputs) -> Posted:
    if inputs.terms.posted is None:
        raise InputError("COLLATERAL", "what is posted here is not known now")
    return inputs.terms.posted


def _token(inputs: GmxInputs, chain_id: ChainId, symbol: str) -> tuple[PoolToken, bool]:
    native = NATIVE_TOKENS.get(int(chain_id), "")
    token, in_long_token, _ = _posted(inputs).token(symbol, native)
    return token, in_long_token


ROUTES: Final[RouteRules] = GmxRoutes()
