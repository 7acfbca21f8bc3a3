"""How much of an intent a route trades, and what is left of an offer. Pure."""

from collections.abc import Container, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.positions import Holding
from connectors.base.routes import Unit
from domain import exact
from domain.costs import OrderSide, PricedPool
from domain.errors import InputError
from domain.ladder import Place
from domain.orders import OrderIntent, PriceGuard
from domain.routing import Offer, RoutePlace, Share
from domain.splits import PARTS
from domain.units import BPS, minimal

SIZE_DECIMALS: Final = 18


def without(offer: Offer, refused: Sequence[tuple[RoutePlace, int]]) -> Offer | None:
    """What is left of an offer; None: nothing. Where a share is too small for its venue, so are all
    smaller ones."""
    for place, part in refused:
        if place == offer.place and part == PARTS:
            offer = replace(offer, priced=None)
        elif place == offer.place:
            offer = replace(offer, shares=(None,) * part + offer.shares[part:])
    return None if offer.priced is None and not any(offer.shares) else offer


def part_of(offer: Offer, share: Share) -> Offer:
    """The offer of a share as one of its own."""
    parts = share.share_bps * PARTS // BPS
    priced = offer.priced if parts == PARTS else offer.shares[parts - 1]
    return replace(offer, priced=priced, shares=())


def is_whole(intent: OrderIntent) -> bool:
    """Whether all of a position is closed, whatever its size."""
    return intent.intent == "close" and intent.size_base is None and intent.notional_usd is None


def is_unsized(intent: OrderIntent) -> bool:
    """Whether there is no size that could be dealt out."""
    return intent.changes_margin or is_whole(intent)


def enlarges(intent: OrderIntent) -> bool:
    """Whether an order leaves more of a position, or another margin."""
    return intent.intent == "increase" or intent.changes_margin


def unsized(place: Place, side: OrderSide, price: Decimal) -> PricedPool:
    """What a change of margin costs: nothing is traded, so nothing but what is paid once.
    ``price``: one that stands for the price of nothing."""
    zero = Decimal(0)
    return PricedPool(
        place.venue, place.pool, side, zero, price, zero, zero, zero, place.gas_usd,
        place.execution_fee_usd,
    )  # fmt: skip


def check_held(holding: Holding, size_base: Decimal, taken: Decimal | None) -> None:
    """Of an exit. ``taken``: collateral that is to come out.

    Raises InputError ``POSITION_SIZE``, and ``COLLATERAL`` for all of it or more.
    """
    if size_base > holding.size_base:
        raise InputError("POSITION_SIZE", f"{minimal(holding.size_base)} is held there")
    posted = holding.collateral_amount
    if taken is not None and posted is not None and taken >= posted:
        raise InputError("COLLATERAL", f"{minimal(posted)} {holding.collateral} is posted")


def base_of(
    intent: OrderIntent,
    priced: PricedPool,
    price: Decimal,
    share: Fraction,
    holding: Holding | None,
) -> Decimal:
    if intent.changes_margin:
        return Decimal(0)
    if holding is not None and is_whole(intent):
        return holding.size_base
    if intent.size_base is not None:
        return exact.decimal(Fraction(intent.size_base) * share, SIZE_DECIMALS, "down")
    size = Fraction(priced.notional_usd) / Fraction(price)
    return exact.decimal(size, SIZE_DECIMALS, "down")


def collateral_of(
    intent: OrderIntent, priced: PricedPool, unit: Unit, share: Fraction
) -> Decimal | None:
    """Rounded up, so that the leverage is never more than was asked for; a given amount down, so
    that no more is posted."""
    if intent.collateral_amount is not None:
        amount = Fraction(intent.collateral_amount) * share
        return exact.decimal(amount, unit.decimals, "down")
    if intent.leverage is None:
        return None
    posted = Fraction(priced.notional_usd) / Fraction(intent.leverage) / unit.usd
    return exact.decimal(posted, unit.decimals, "up")


def has_more_digits(amount: Decimal, unit: Unit) -> bool:
    """Whether it has more of them than the token."""
    return bool((Fraction(amount) * 10**unit.decimals).denominator != 1)


def is_passed(intent: OrderIntent, expected: Decimal, guard: PriceGuard) -> bool:
    """Whether the venue would refuse today's own fill."""
    return guard.price < expected if intent.side == "BUY" else guard.price > expected


def unheld(
    intent: OrderIntent, offers: Sequence[Offer], held: Container[RoutePlace]
) -> Sequence[Offer]:
    """Of a change of a position: where none is known, while one is known elsewhere."""
    known = [offer for offer in offers if offer.place in held]
    if intent.intent == "open" or not known:
        return []
    return [offer for offer in offers if offer.place not in held]
