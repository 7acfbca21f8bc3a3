"""What is asked for, as the router takes it. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from api.problems import Invalid, Issue
from api.schemas.routing import CollateralBody, RouteBody
from domain.errors import InputError
from domain.ids import MarketId
from domain.orders import Brackets, OrderIntent


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """``venues`` and ``chain_ids``: where it may go, None: anywhere. ``chain_ids`` as texts.
    ``holding_hours``: None where nobody said how long."""

    intent: OrderIntent
    venues: frozenset[str] | None
    chain_ids: frozenset[str] | None
    holding_hours: Decimal | None
    max_legs: int


def request_of(body: RouteBody) -> RouteRequest:
    """Raises Invalid for what does not fit together."""
    collateral = body.collateral or CollateralBody()
    try:
        intent = OrderIntent(
            market=MarketId(body.market),
            side=body.side,
            intent=body.intent,
            type=body.type,
            size_base=body.size_base,
            notional_usd=body.notional_usd,
            leverage=body.leverage,
            collateral_symbol=collateral.symbol,
            collateral_amount=collateral.amount,
            limit_price=body.limit_price,
            trigger_price=body.trigger_price,
            time_in_force=body.time_in_force,
            good_til_s=body.good_til,
            post_only=body.post_only,
            reduce_only=body.reduce_only,
            brackets=Brackets(body.take_profit, body.stop_loss),
            slippage_bps=body.slippage_bps,
            position_id=body.position_id,
        )
    except InputError as error:
        raise Invalid([Issue("body", error.code, error.message)]) from None
    return RouteRequest(intent, body.venues, body.chain_ids, body.holding_hours, body.max_legs)
