"""From a guarded quote, or a claim, to an order. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from api.problems import Invalid, Issue
from api.schemas.claims import ClaimBody
from api.schemas.orders import AmendBody, OrderBody, OwnerBody
from api.schemas.routing import CollateralBody
from connectors.base.order_tag import order_tag
from db.accounts import EVERY_CHAIN, Account
from db.guarded_quotes import GuardedQuote
from db.heartbeats import Heartbeat
from db.instants import microseconds
from db.orders import NewOrder
from db.wallets import Wallet
from domain.amendments import Amendment, amended
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from domain.outcomes import ClaimKind
from runtime.clock import iso_ms

DEADLINE: Final = timedelta(minutes=5)
"""Where the owner says none: time to sign."""
LAST_DEADLINE: Final = timedelta(days=1)


def check(body: OrderBody) -> None:
    """Raises InputError ``NOT_SUPPORTED`` for what is not offered yet."""
    if body.signing == "delegated":
        raise InputError("NOT_SUPPORTED", "orders are signed by wallets: no delegated keys yet")


def new_order(
    order_id: str,
    account: Account,
    owned: Sequence[Wallet],
    quote: GuardedQuote,
    body: OrderBody,
    now: datetime,
    chains: Mapping[VenueId, Sequence[int]],
) -> NewOrder:
    """Raises Invalid, and InputError ``NOT_SUPPORTED`` for a venue that takes no orders yet."""
    if body.leg >= len(quote.legs):
        raise _invalid("leg", "OUT_OF_RANGE", f"the quote has {len(quote.legs)} legs")
    leg = quote.legs[body.leg].leg
    if leg.chain_id not in chains.get(leg.venue, ()):
        raise InputError("NOT_SUPPORTED", f"no orders for {leg.venue} on {leg.chain_id} yet")
    return NewOrder(
        id=order_id,
        account_id=account.id,
        client_order_id=body.client_order_id,
        group_id=quote.id,
        quote_id=quote.id,
        tag=order_tag(order_id),
        intent=quote.intent,
        leg=leg,
        owner=_owner(account, owned, leg, body.owner),
        signing="wallet",
        approval=body.approval,
        allow_reroute=body.allow_reroute,
        deadline=_deadline(body.deadline, now),
    )


def new_claim(
    order_id: str,
    account: Account,
    owned: Sequence[Wallet],
    body: ClaimBody,
    now: datetime,
    chains: Mapping[VenueId, Sequence[int]],
    kinds: Collection[ClaimKind],
) -> NewOrder:
    """``kinds``: what the venue owes. Raises Invalid, and InputError ``NOT_SUPPORTED`` for a venue
    that takes no claims."""
    venue = VenueId(body.venue)
    if body.chain_id not in chains.get(venue, ()) or not kinds:
        raise InputError("NOT_SUPPORTED", f"no claims of {venue} on {body.chain_id}")
    collateral = body.collateral or CollateralBody()
    of_position = "profit" in kinds
    for name, value in (
        ("position_ref", body.position_ref),
        ("side", body.side),
        ("collateral", collateral.symbol),
    ):
        if of_position and value is None:
            raise _invalid(name, "MISSING", f"{venue} pays the profit of a position")
        if not of_position and value is not None:
            raise _invalid(name, "NOT_USED", f"{venue} pays what is due of a pool")
    amount = collateral.amount
    if amount is not None and (not of_position or not amount):
        raise _invalid("collateral.amount", "BAD_AMOUNT", "of profit alone, and more than nothing")
    intent = OrderIntent(
        market=MarketId(body.market),
        side="BUY" if body.side == "SHORT" else "SELL",
        intent="claim",
        type="market",
        collateral_symbol=collateral.symbol,
        collateral_amount=amount,
    )
    leg = OrderLeg(
        venue=venue,
        chain_id=body.chain_id,
        pool=body.pool,
        collateral_symbol=collateral.symbol or "",
        collateral_amount=amount,
        size_base=Decimal(0),
        notional_usd=Decimal(0),
        expected_price=Decimal(0),
        guard_price=None,
        position_ref=body.position_ref,
    )
    return NewOrder(
        id=order_id,
        account_id=account.id,
        client_order_id=body.client_order_id,
        group_id=order_id,
        quote_id=None,
        tag=order_tag(order_id),
        intent=intent,
        leg=leg,
        owner=_owner(account, owned, leg, None),
        signing="wallet",
        approval="exact",
        allow_reroute=False,
        deadline=_deadline(body.deadline, now),
    )


def amendment(body: AmendBody) -> Amendment:
    """Raises Invalid."""
    try:
        return Amendment(
            body.limit_price, body.trigger_price, body.size_base, body.take_profit, body.stop_loss
        )
    except InputError as error:
        raise misfit(error) from None


def amended_terms(order: NewOrder, change: Amendment) -> tuple[OrderIntent, OrderLeg]:
    """What the order would be. Raises Invalid."""
    try:
        return amended(order.intent, order.leg, change, posted=False)
    except InputError as error:
        raise misfit(error) from None


def misfit(error: InputError) -> Invalid:
    """Of a change that is none of this order's."""
    return Invalid([Issue("body", error.code, error.message)])


def paused_row(since: datetime | None) -> Mapping[str, Any]:
    return {"paused": since is not None, "since": _time(since)}


def heartbeat_row(timeout_s: int, found: Heartbeat) -> Mapping[str, Any]:
    return {
        "timeout_s": timeout_s,
        "expires_at": _time(found.due_at),
        "lapsed_at": _time(found.lapsed_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso_ms(microseconds(at))


def _owner(account: Account, owned: Sequence[Wallet], leg: OrderLeg, said: OwnerBody | None) -> str:
    if said is not None and said.subaccount_number is not None:
        raise _invalid("owner.subaccount_number", "NOT_USED", f"{leg.venue} has no subaccounts")
    if said is not None and said.address.lower() != account.address.lower():
        if any(wallet.address == said.address for wallet in owned):
            raise _invalid("owner.address", "OWNER_CHAIN", f"no address of {leg.chain_id}")
        raise _invalid("owner.address", "NOT_YOURS", "no wallet of this account")
    if account.chain_id not in (EVERY_CHAIN, leg.chain_id):
        raise _invalid("owner", "OWNER_CHAIN", f"the account is a contract of {account.chain_id}")
    return account.address


def _deadline(said: datetime | None, now: datetime) -> datetime:
    if said is None:
        return now + DEADLINE
    if not now < said <= now + LAST_DEADLINE:
        raise _invalid("deadline", "OUT_OF_RANGE", "within the next 24 hours")
    return said


def _invalid(name: str, code: str, message: str) -> Invalid:
    return Invalid([Issue(f"body.{name}", code, message)])
