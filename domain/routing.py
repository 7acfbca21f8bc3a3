"""Sized quotes of pools into a plan: what each costs with everything, which is cheapest, and how a
size is best dealt out. Exact: this decides where money goes.

What is compared is the cost in USD against trading all at one reference price, the middle of the
consolidated quote, for nothing. ``spread`` is what the touch of a pool lies away from that middle,
so that the lines of a route add up to its total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from domain import exact
from domain.costs import PricedPool
from domain.errors import InputError
from domain.funding import Carry
from domain.ids import VenueId
from domain.orders import ChainId, OrderIntent
from domain.splits import PARTS, exact_split
from domain.units import BPS

CostCode: TypeAlias = Literal[
    "fee", "spread", "impact", "gas", "execution_fee", "funding", "borrowing", "service_fee"
]

USD_DECIMALS: Final = 18
BPS_DECIMALS: Final = 4
PRICE_DECIMALS: Final = 18
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class RoutePlace:
    """Where an order can go: a pool (None: an order book) and what is posted there."""

    venue: VenueId
    chain_id: ChainId
    pool: str | None
    collateral: str

    @property
    def route_id(self) -> str:
        """``gmx:42161:0x70d9..:USDC``; ``-`` in place of a pool at an order book."""
        return f"{self.venue}:{self.chain_id}:{self.pool or '-'}:{self.collateral}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A place and what the trade costs there.

    ``priced``: of the whole size, None where that is not to be had. ``shares``: of 1 to PARTS - 1
    of PARTS equal shares, None likewise; empty where nothing is to be split. ``carry``: of holding
    as long as was said, None where it was not or the rate is not known. ``headroom``: how much more
    of the execution fee is sent than the venue asks for; it comes back. ``service_fee_bps``: of the
    notional, what whoever runs this charges beside.
    """

    place: RoutePlace
    priced: PricedPool | None
    shares: tuple[PricedPool | None, ...] = ()
    carry: Carry | None = None
    headroom: Decimal = _ZERO
    service_fee_bps: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class CostLine:
    """``usd`` positive = paid. ``refundable_usd``: the part of it that comes back, in no total."""

    code: CostCode
    usd: Decimal
    bps: Decimal
    refundable_usd: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Route:
    """An offer with its costs. ``total_cost_usd`` is the sum of the lines less what comes back,
    ``all_in_bps`` the same without funding and borrowing, of the notional. ``unknown``: costs that
    nobody can say, so that no total has them."""

    place: RoutePlace
    priced: PricedPool
    costs: tuple[CostLine, ...]
    unknown: tuple[CostCode, ...]
    all_in_bps: Decimal
    total_cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Share:
    place: RoutePlace
    share_bps: int


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """``routes``: of the whole size, the cheapest first, equals in the order of the offers.
    ``split``: how it is best dealt out over at most as many legs as were allowed; one leg where
    that is no dearer, none where all together do not reach."""

    routes: tuple[Route, ...]
    split: tuple[Share, ...]


def plan(
    offers: Sequence[Offer],
    reference_price: Decimal,
    *,
    holding: bool = False,
    max_legs: int = 1,
) -> RoutePlan:
    """Ranks offers of one side.

    ``holding``: a time to hold was said, so that a carry that is missing is not known.
    Raises InputError ``MIXED_TRADES`` for offers of both sides, ``BAD_PRICE``.
    """
    parts = [part for offer in offers for part in (offer.priced, *offer.shares) if part is not None]
    if len({part.side for part in parts}) > 1:
        raise InputError("MIXED_TRADES", "a plan is of one side")
    reference = exact.fraction(reference_price)
    if reference <= 0:
        raise InputError("BAD_PRICE", "a reference price must be positive")
    whole = [
        (_total(offer, offer.priced, reference), at, offer.priced)
        for at, offer in enumerate(offers)
        if offer.priced is not None
    ]
    ranked = sorted(whole, key=lambda item: item[:2])
    routes = tuple(
        _route(offers[at], priced, total, reference, holding=holding)
        for total, at, priced in ranked
    )
    # Equals are dealt to in the order of the ranking.
    order = [at for _, at, _ in ranked]
    order += [at for at in range(len(offers)) if at not in order]
    return RoutePlan(routes, _split([offers[at] for at in order], reference, max_legs))


def _split(offers: Sequence[Offer], reference: Fraction, max_legs: int) -> tuple[Share, ...]:
    costs = [
        [
            None if share is None else _total(offer, share, reference)
            for share in (*(offer.shares or (None,) * (PARTS - 1)), offer.priced)
        ]
        for offer in offers
    ]
    parts = exact_split(costs, max_legs)
    return tuple(
        Share(offer.place, part * BPS // PARTS)
        for offer, part in zip(offers, parts or (), strict=False)
        if part
    )


def _lost(priced: PricedPool, reference: Fraction) -> Fraction:
    """What the price of the fill costs against the reference."""
    lost = 1 - reference / Fraction(priced.price)
    return Fraction(priced.notional_usd) * (lost if priced.side == "BUY" else -lost)


def _part(priced: PricedPool, bps: Decimal) -> Fraction:
    return Fraction(priced.notional_usd) * Fraction(bps) / BPS


def _total(offer: Offer, priced: PricedPool, reference: Fraction) -> Fraction:
    total = _lost(priced, reference) + _part(priced, priced.fee_bps) + Fraction(priced.fixed_usd)
    if offer.carry is not None:
        total += _part(priced, offer.carry.total_bps)
    return total + _part(priced, offer.service_fee_bps)


def _route(
    offer: Offer, priced: PricedPool, total: Fraction, reference: Fraction, *, holding: bool
) -> Route:
    notional = Fraction(priced.notional_usd)
    # What the impact moved the fill against the middle of the pool, in the money of the size.
    impact = _lost(priced, Fraction(priced.price) * _unmoved(priced))
    known: dict[CostCode, Fraction] = {
        "fee": _part(priced, priced.fee_bps),
        "spread": _lost(priced, reference) - impact,
        "impact": impact,
    }
    unknown: list[CostCode] = []
    refundable = _ZERO
    if priced.gas_usd is None:
        unknown.append("gas")
    else:
        known["gas"] = Fraction(priced.gas_usd)
    if priced.execution_fee_usd is None:
        unknown.append("execution_fee")
    else:
        back = Fraction(priced.execution_fee_usd) * Fraction(offer.headroom)
        refundable = exact.decimal(back, USD_DECIMALS, "up")
        known["execution_fee"] = Fraction(priced.execution_fee_usd)
    if offer.carry is not None:
        known["funding"] = _part(priced, offer.carry.funding_bps)
        known["borrowing"] = _part(priced, offer.carry.borrow_bps)
    elif holding:
        unknown += ["funding", "borrowing"]
    if offer.service_fee_bps:
        known["service_fee"] = _part(priced, offer.service_fee_bps)
    carried = sum((known.get(code, Fraction(0)) for code in _CARRY), Fraction(0))
    rounded = exact.decimal(total, USD_DECIMALS, "up")
    return Route(
        offer.place,
        priced,
        _lines(known, refundable, notional, rounded),
        tuple(unknown),
        _bps(total - carried, notional),
        rounded,
    )


_CARRY: Final[tuple[CostCode, CostCode]] = ("funding", "borrowing")


def _unmoved(priced: PricedPool) -> Fraction:
    """The price without the impact, as a share of the price."""
    moved = Fraction(priced.impact_bps) / BPS
    spread = Fraction(priced.spread_bps) / BPS
    if priced.side == "BUY":
        return (1 + spread) / (1 + spread + moved)
    return (1 - spread) / (1 - spread - moved)


def _lines(
    known: Mapping[CostCode, Fraction], refundable: Decimal, notional: Fraction, total: Decimal
) -> tuple[CostLine, ...]:
    """Rounded up, and the spread to what makes them add up."""
    usd = {code: exact.decimal(value, USD_DECIMALS, "up") for code, value in known.items()}
    others = exact.added(*(value for code, value in usd.items() if code != "spread"))
    usd["spread"] = exact.added(total, others.copy_negate())
    lines = []
    for code, value in usd.items():
        back = refundable if code == "execution_fee" else _ZERO
        paid = exact.added(value, back)
        lines.append(CostLine(code, paid, _bps(Fraction(paid), notional), back))
    return tuple(lines)


def _bps(usd: Fraction, notional: Fraction) -> Decimal:
    """0 where nothing is traded."""
    return exact.decimal(usd / notional * BPS, BPS_DECIMALS, "up") if notional else _ZERO


# Prices -------------------------------------------------------------------------------------------


def rests(intent: OrderIntent, price: Decimal) -> bool:
    """Whether the order waits instead of being filled at ``price`` now."""
    if intent.trigger_price is not None:
        return True
    if intent.type != "limit" or intent.limit_price is None:
        return False
    return price > intent.limit_price if intent.side == "BUY" else price < intent.limit_price


def expected_price(intent: OrderIntent, price: Decimal) -> Decimal:
    """Of the fill, where ``price`` is what it would be now."""
    if not rests(intent, price):
        return price
    at = intent.trigger_price or intent.limit_price
    assert at is not None
    return at


def guard_price(intent: OrderIntent, price: Decimal) -> Decimal | None:
    """The fill may not be worse than this, whatever happens; None: any price.

    ``price``: what the fill would be now. A limit is the bound itself; otherwise it is the slippage
    from the expected price, rounded to the trader's advantage. A stop loss without a limit has
    none: it must get out.
    """
    if intent.limit_price is not None and intent.type != "market":
        return intent.limit_price
    if intent.type == "stop" and intent.reduces:
        return None
    base = Fraction(expected_price(intent, price))
    slip = Fraction(intent.slippage_bps) / BPS
    if intent.side == "BUY":
        bound = exact.decimal(base * (1 + slip), PRICE_DECIMALS, "down")
        return bound if intent.limit_price is None else min(bound, intent.limit_price)
    bound = exact.decimal(base * (1 - slip), PRICE_DECIMALS, "up")
    return bound if intent.limit_price is None else max(bound, intent.limit_price)
