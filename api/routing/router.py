"""Prices routes from the depth of a market, one request at a time in pieces of about a
millisecond, as ladders are priced."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias

from api.depth import DepthReader, unpriced
from api.problems import Unavailable
from api.routing.positions import NOTHING, Known, named_ref
from api.routing.request import RouteRequest
from api.routing.sizes import (
    SIZE_DECIMALS,
    base_of,
    check_held,
    collateral_of,
    enlarges,
    has_more_digits,
    is_passed,
    is_unsized,
    part_of,
    unheld,
    unsized,
    without,
)
from connectors.base.economics import Economics
from connectors.base.ladders import OpenPool
from connectors.base.positions import Holding
from connectors.base.routes import Paid, RouteRules
from connectors.base.screens import Barred
from domain import exact
from domain.costs import PoolCost, PricedPool, UnpricedPool
from domain.errors import InputError
from domain.funding import Carry, carry
from domain.funding import Place as FundingPlace
from domain.ids import VenueId
from domain.orders import OrderLeg, PriceGuard
from domain.routing import (
    Offer,
    Route,
    RoutePlace,
    Share,
    expected_price,
    guard_price,
    plan,
)
from domain.splits import PARTS
from domain.units import BPS, minimal

TURN_S: Final = 1.0
ROUNDS: Final = 8
"""Of looking for the notional of a size: impact moves the price by less than the size does, so each
round is closer by orders of magnitude."""
_NOBODY: Final[Mapping[VenueId, Barred]] = {}

Facts: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The ``venues`` of a row of ``GET /v1/markets``."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """``pool`` and ``chain_id`` None: the venue as a whole."""

    venue: str
    chain_id: int | str | None
    pool: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Leg:
    """A route with what an order there is made of. ``liquidation_price``: None where no price
    liquidates it, or nobody can say. ``paid``: None where orders are no transactions. ``holding``:
    the position that is changed, None where that is not known or none is."""

    route: Route
    leg: OrderLeg
    guard: PriceGuard
    liquidation_price: Decimal | None = None
    paid: Paid | None = None
    holding: Holding | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """``as_of_us``: when the feed said what this was made of, ``reference_price``: what all is
    compared with, the middle of the consolidated quote. ``legs``: in the order of the
    ranking, of the whole size each. ``split`` may also name pools that take no more than a share,
    which ``excluded`` has because of the whole; ``split_legs`` are its legs, each of its share."""

    as_of_us: int
    reference_price: Decimal
    legs: tuple[Leg, ...]
    excluded: tuple[Excluded, ...]
    split: tuple[Share, ...]
    split_legs: tuple[Leg, ...]


class Router:
    def __init__(
        self,
        economics: Mapping[VenueId, Economics],
        rules: Mapping[VenueId, RouteRules],
        service_fee_bps: Decimal = Decimal(0),
    ) -> None:
        self.depth = DepthReader(economics)
        self.rules = rules
        self.service_fee_bps = service_fee_bps
        self._turn = asyncio.Lock()

    async def route(
        self,
        request: RouteRequest,
        depth: bytes,
        venues: Facts,
        funding: Sequence[FundingPlace] = (),
        barred: Mapping[VenueId, Barred] = _NOBODY,
        known: Known = NOTHING,
        only: Collection[RoutePlace] | None = None,
    ) -> Answer:
        """``depth``: of the market. ``venues``: what is known of it there. ``funding``: what
        holding it costs. ``barred``: venues that do not serve whoever asks. ``known``: what whoever
        asks holds. ``only``: what is looked at, None: all.

        Raises StaleQuote ``QUOTE_STALE`` when nothing can be compared with, or ``MARKET_CLOSED``
        where that is why, Unavailable ``BUSY``,
        or ``FEED_UNAVAILABLE`` for a depth that cannot be read.
        """
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("BUSY", "too many routes are asked for") from None
        try:
            content, pools = await self.depth.read(depth)
            if content["mid"] is None:
                raise unpriced(content["excluded"])
            work = _Work(self, request, venues, funding, barred, known, only)
            return await work.answer(content, pools)
        except (InputError, KeyError, TypeError, ValueError) as error:
            why = "this gateway cannot read what the feed says of the depth"
            raise Unavailable("FEED_UNAVAILABLE", why) from error
        finally:
            self._turn.release()


class _Work:
    """One request."""

    def __init__(
        self,
        router: Router,
        request: RouteRequest,
        venues: Facts,
        funding: Sequence[FundingPlace],
        barred: Mapping[VenueId, Barred],
        known: Known,
        only: Collection[RoutePlace] | None,
    ) -> None:
        self._depth, self._rules = router.depth, router.rules
        self._service_fee_bps = router.service_fee_bps
        self._request = request
        self._intent = request.intent
        self._venues = venues
        self._barred = barred
        self._known = known
        self._only = only
        self._funding = {(place.venue, place.pool): place for place in funding}
        self._inputs: dict[RoutePlace, Any] = {}
        self._holdings: dict[RoutePlace, Holding] = {}
        self._excluded: list[Excluded] = []

    async def answer(self, content: Mapping[str, Any], pools: Sequence[OpenPool]) -> Answer:
        middle = Decimal(content["mid"])
        for row in content["excluded"]:
            said = "the venue is not in the best price now"
            self._excluded.append(Excluded(row["venue"], None, None, row["reason"], said))
        offers = []
        for pool in pools:
            offer = await self._offer(pool, middle)
            if offer is not None:
                offers.append(offer)
            await asyncio.sleep(0)
        for offer in unheld(self._intent, offers, self._holdings):
            # Where a position is known, nobody guesses that there is another.
            self._exclude(offer.place, "POSITION_UNKNOWN", "nobody can say what is held there")
            offers.remove(offer)
        legs, shares, split = self._legs(offers, middle)
        return Answer(content["published_us"], middle, legs, tuple(self._excluded), split, shares)

    def _legs(
        self, offers: list[Offer], middle: Decimal
    ) -> tuple[tuple[Leg, ...], tuple[Leg, ...], tuple[Share, ...]]:
        """The routes, the legs of the split, the split. What cannot be told to its venue as asked
        for leaves, and the rest is planned again."""
        holding = self._request.holding_hours is not None
        while True:
            found = plan(offers, middle, holding=holding, max_legs=self._request.max_legs)
            refused: list[tuple[RoutePlace, int]] = []
            legs = [self._guarded(route, BPS, refused) for route in found.routes]
            parts: list[Leg | None] = []
            for share in found.split:
                if share.share_bps == BPS:
                    parts += [leg for leg in legs if leg and leg.route.place == share.place]
                    continue
                [offer] = [item for item in offers if item.place == share.place]
                [part] = plan([part_of(offer, share)], middle, holding=holding).routes
                parts.append(self._guarded(part, share.share_bps, refused))
            if not refused:
                return tuple(filter(None, legs)), tuple(filter(None, parts)), found.split
            offers = [left for offer in offers if (left := without(offer, refused)) is not None]

    def _guarded(
        self, route: Route, share_bps: int, refused: list[tuple[RoutePlace, int]]
    ) -> Leg | None:
        try:
            return self._leg(route, share_bps)
        except InputError as error:
            if share_bps == BPS:
                self._exclude(route.place, error.code, error.message)
            refused.append((route.place, share_bps * PARTS // BPS))
            return None

    # Offers ---------------------------------------------------------------------------------------

    async def _offer(self, pool: OpenPool, middle: Decimal) -> Offer | None:
        venue, wanted = pool.place.venue, self._intent.collateral_symbol
        rules = self._rules[venue]
        chain_ids = self._venues.get(venue, {}).get("chain_ids", ())
        try:
            place = rules.place(pool.place.pool, chain_ids, pool.inputs, wanted)
        except InputError as error:
            self._excluded.append(Excluded(venue, None, pool.place.pool, error.code, error.message))
            return None
        refusal = self._refusal(place, rules)
        holding = None
        if refusal is None:
            try:
                holding = self._known.changed(rules, pool.inputs, place, self._intent)
                if holding is not None and self._intent.intent != "open":
                    wanted = wanted or holding.collateral
                    place = rules.place(pool.place.pool, chain_ids, pool.inputs, wanted)
            except InputError as error:
                refusal = error.code, error.message
        if not (self._only is None or place in self._only):
            return None
        refusal = refusal or self._imprecise(place, rules, pool)
        if refusal is not None:
            self._exclude(place, *refusal)
            return None
        priced = self._priced(pool, middle, holding)
        refusal = self._leverage_refusal(place, rules, pool, priced.notional_usd)
        if refusal is not None:
            self._exclude(place, *refusal)
            return None
        whole = priced if isinstance(priced, PricedPool) else None
        if isinstance(priced, UnpricedPool):
            self._exclude(place, priced.reason, "this size cannot be traded there now")
            if self._request.max_legs == 1 or not priced.notional_usd:
                return None
        self._inputs[place] = pool.inputs
        if holding is not None:
            self._holdings[place] = holding
        shares: list[PricedPool | None] = []
        if self._request.max_legs > 1 and not is_unsized(self._intent):
            for part in range(1, PARTS):
                size = exact.divided(exact.multiplied(priced.notional_usd, part), PARTS)
                share = self._depth.cost(pool, self._intent.side, size)
                shares.append(share if isinstance(share, PricedPool) else None)
                await asyncio.sleep(0)
        carry, fee_bps = self._carry(place), self._service_fee_bps
        return Offer(place, whole, tuple(shares), carry, rules.headroom, fee_bps)

    def _exclude(self, place: RoutePlace, code: str, message: str) -> None:
        self._excluded.append(Excluded(place.venue, place.chain_id, place.pool, code, message))

    def _refusal(self, place: RoutePlace, rules: RouteRules) -> tuple[str, str] | None:
        request, intent, offered = self._request, self._intent, rules.offered
        barred = self._barred.get(place.venue)
        if barred is not None and not (barred.exits and intent.reduces):
            return barred.code, barred.message
        checks = (
            (request.venues is None or place.venue in request.venues, "VENUE_FILTER",
             "not among the venues asked for"),
            (request.chain_ids is None or str(place.chain_id) in request.chain_ids, "CHAIN_FILTER",
             "not among the chains asked for"),
            (intent.type in offered.order_types, "ORDER_TYPE", f"no {intent.type} orders"),
            (intent.type == "market" or intent.time_in_force in offered.time_in_force,
             "TIME_IN_FORCE", f"no orders that are {intent.time_in_force}"),
            (not intent.changes_margin or offered.margin, "MARGIN",
             "collateral is not changed without a trade"),
            (not intent.post_only or offered.post_only, "POST_ONLY", "nobody can be maker here"),
            ((intent.brackets.take_profit is None and intent.brackets.stop_loss is None)
             or offered.brackets, "BRACKETS", "exits are placed after the fill"),
        )  # fmt: skip
        return next(((code, message) for holds, code, message in checks if not holds), None)

    def _imprecise(
        self, place: RoutePlace, rules: RouteRules, pool: OpenPool
    ) -> tuple[str, str] | None:
        """What the venue cannot hold as it was said."""
        intent, unit = self._intent, rules.unit(pool.inputs, place)
        if intent.collateral_amount is not None and has_more_digits(intent.collateral_amount, unit):
            return "PRECISION", f"{place.collateral} has {unit.decimals} decimals"
        try:
            if intent.size_base is not None:
                rules.check_size(pool.inputs, intent.size_base)
        except InputError as error:
            return error.code, error.message
        return None

    def _leverage_refusal(
        self, place: RoutePlace, rules: RouteRules, pool: OpenPool, notional_usd: Decimal
    ) -> tuple[str, str] | None:
        most = self._venues[place.venue].get("max_leverage")
        leverage = self._intent.leverage
        if self._intent.collateral_amount is not None:
            posted = Fraction(self._intent.collateral_amount) * rules.unit(pool.inputs, place).usd
            leverage = exact.decimal(Fraction(notional_usd) / posted, 2, "up")
        if most is None or leverage is None or leverage <= Decimal(most):
            return None
        return "MAX_LEVERAGE", f"at most {most}"

    def _priced(self, pool: OpenPool, middle: Decimal, holding: Holding | None) -> PoolCost:
        intent, place = self._intent, pool.place
        if intent.changes_margin:
            return unsized(place, intent.side, middle)
        if intent.notional_usd is not None:
            return self._depth.cost(pool, intent.side, intent.notional_usd)
        if intent.size_base is None and holding is not None:
            return self._of_size(pool, holding.size_base, middle)
        if intent.size_base is None:
            # All of a position: how large it is its owner's positions say.
            return UnpricedPool(place.venue, place.pool, intent.side, Decimal(0), "SIZE_UNKNOWN")
        return self._of_size(pool, intent.size_base, middle)

    def _of_size(self, pool: OpenPool, size_base: Decimal, middle: Decimal) -> PoolCost:
        """The notional whose fill is so many base units."""
        notional = exact.multiplied(size_base, middle)
        found: PoolCost | None = None
        for _ in range(ROUNDS):
            found = self._depth.cost(pool, self._intent.side, notional)
            if isinstance(found, UnpricedPool):
                return found
            exactly = Fraction(size_base) * Fraction(found.price)
            following = exact.decimal(exactly, SIZE_DECIMALS, "up")
            if following == notional:
                break
            notional = following
        assert found is not None
        return found

    def _carry(self, place: RoutePlace) -> Carry | None:
        hours = self._request.holding_hours
        known = self._funding.get((place.venue, place.pool))
        if hours is None or known is None:
            return None
        return carry(known, self._intent.position_side, hours)

    # Legs -----------------------------------------------------------------------------------------

    def _leg(self, route: Route, share_bps: int) -> Leg:
        intent, place, priced = self._intent, route.place, route.priced
        rules, inputs = self._rules[place.venue], self._inputs[place]
        expected = expected_price(intent, priced.price)
        bound = None if intent.changes_margin else guard_price(intent, priced.price)
        guard = rules.guard(inputs, intent.side, expected, bound)
        if intent.type == "market" and not intent.reduces and is_passed(intent, expected, guard):
            raise InputError("GUARD_TOO_TIGHT", f"the fill is expected at {minimal(expected)}")
        share = Fraction(share_bps, BPS)
        holding = self._holdings.get(place)
        size = base_of(intent, priced, expected, share, holding)
        if intent.reduces and holding is not None:
            check_held(holding, size, intent.collateral_amount)
        leg = OrderLeg(
            venue=place.venue,
            chain_id=place.chain_id,
            pool=place.pool,
            collateral_symbol=place.collateral,
            collateral_amount=collateral_of(intent, priced, rules.unit(inputs, place), share),
            size_base=size,
            notional_usd=priced.notional_usd,
            expected_price=expected,
            guard_price=bound,
            position_ref=named_ref(intent, place) if holding is None else holding.ref,
        )
        held = None if holding is None else holding.position
        liquidation = None
        if intent.intent == "open" or (held is not None and enlarges(intent)):
            liquidation = rules.liquidation_price(inputs, intent, leg, held)
        paid = rules.paid(inputs, intent, leg)
        return Leg(route, leg, guard, liquidation, paid, holding)
