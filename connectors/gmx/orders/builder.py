"""GMX for whoever places orders: see ``connectors.base.orders.OrderBuilder``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from connectors.base import erc20
from connectors.base.order_tag import with_tag
from connectors.base.orders import (
    Call,
    Cancel,
    ChainFacts,
    ChainLog,
    OrderRequest,
    Place,
    Refusal,
    Step,
    Transaction,
    Update,
)
from connectors.gmx.addresses import address
from connectors.gmx.constants import VENUE
from connectors.gmx.economics.checks import MARKET_TYPES
from connectors.gmx.economics.execution import decrease_price, increase, oracle_price
from connectors.gmx.economics.model import Position, PriceRange
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.economics.refusal import Refused
from connectors.gmx.orders import calls as router
from connectors.gmx.orders import changes, checks, claims, intents, outcomes, reads, verify
from connectors.gmx.orders.calls import CreateOrder
from connectors.gmx.orders.keeper_fee import CANCEL_GAS, execution_fee_wei
from connectors.gmx.orders.prices import tightened, trigger_at_most
from connectors.gmx.orders.reader import StoredOrder, StoredPosition
from connectors.gmx.orders.reads import Answers
from connectors.gmx.orders.reverts import revert
from connectors.gmx.orders.tables import Collateral, Tables
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg, PriceGuard, Reason
from domain.outcomes import VenueOutcome

APPROVE_GAS: Final = 150_000
CREATE_GAS: Final = 3_000_000
"""For each order; creating one took 0.9 to 2.2 M."""
UPDATE_GAS: Final = 2_000_000
CLAIM_GAS: Final = 500_000
"""For each token, and each hour of what was kept."""

_GAS: Final[Mapping[type[router.Call], int]] = {
    router.CreateOrder: CREATE_GAS,
    router.UpdateOrder: UPDATE_GAS,
    router.CancelOrder: CANCEL_GAS,
}

Depth = Callable[[str], GmxInputs | None]
"""What a pool can be priced with now, by its checksummed market token; None where unknown."""


class GmxOrders:
    """See ``connectors.base.orders.OrderBuilder``."""

    venue = VENUE
    log_topic_place = 1
    """The first says no more than which kind of event it is."""
    resizes = True

    def __init__(self, tables: Tables, depth: Depth) -> None:
        self._tables = tables
        self._depth = depth
        self._emitter = tables.contracts["EVENT_EMITTER"]

    def reads(self, request: OrderRequest) -> Sequence[Call]:
        return list(reads.calls(self._tables, request).values())

    def guard(self, intent: OrderIntent, leg: OrderLeg) -> PriceGuard:
        return intents.guard(intent, leg, self._tables.pool(leg.pool).decimals)

    def check(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Refusal]:
        answers = Answers(self._tables, request, facts)
        try:
            return list(self._refusals(request, facts, answers))
        except InputError as error:
            return [Refusal(error.code, error.message)]

    def build(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Step]:
        answers = Answers(self._tables, request, facts)
        if isinstance(request, Cancel):
            return [self._cancel(request, answers)]
        if isinstance(request, Update):
            return [self._update(request, facts, answers)]
        if request.claims:
            return [self._claim(request, answers)]
        return self._place(request, facts, answers)

    def verify(self, step: Step, transaction: Transaction) -> str | None:
        return verify.differing(self._tables.version, step, transaction)

    def log_addresses(self, chain_id: int) -> Sequence[str]:
        return [self._emitter] if chain_id == self._tables.chain_id else []

    def log_topics(self, chain_id: int) -> Sequence[bytes]:
        return outcomes.TOPICS if chain_id == self._tables.chain_id else []

    def decode(self, logs: Sequence[ChainLog]) -> Sequence[VenueOutcome]:
        return outcomes.decode(self._tables, logs)

    def refs_of(self, outcome: VenueOutcome) -> Mapping[str, str]:
        return outcomes.refs_of(outcome)

    def reason(self, data: bytes) -> Reason:
        """Why a call of the router reverts."""
        return revert(data).told

    # Placing ----------------------------------------------------------------------------------

    def _place(self, request: Place, facts: ChainFacts, answers: Answers) -> Sequence[Step]:
        orders = self._orders(request, facts, answers)
        paid = self._paid(request)
        steps = []
        entry = orders[0]
        if paid is not None and not paid.native and entry.collateral_units:
            needed, allowed = entry.collateral_units, answers.units("allowance")
            if allowed < needed:
                steps.append(self._approval(request, paid, needed))
        replaced = [] if paid else changes.replaced(answers.orders(), entry, answers.position())
        sent = [*self._vault_calls(orders, paid), *replaced]
        steps.append(
            Step(
                "order",
                self._tables.contracts["EXCHANGE_ROUTER"],
                sum(call.amount_wei for call in sent if isinstance(call, router.SendWnt)),
                with_tag(router.encode_all(self._tables.version, sent), request.tag),
                CREATE_GAS * len(orders) + CANCEL_GAS * len(replaced),
                self.guard(request.intent, request.leg),
            )
        )
        return steps

    def _claim(self, request: Place, answers: Answers) -> Step:
        sent = claims.due(self._tables, request, answers)
        return Step(
            "order",
            self._tables.contracts["EXCHANGE_ROUTER"],
            0,
            with_tag(router.encode_all(self._tables.version, sent), request.tag),
            CLAIM_GAS * sum(len(call.tokens) for call in sent),
            due=tuple(claims.amounts(self._tables, request, answers)),
        )

    def _approval(self, request: Place, paid: Collateral, units: int) -> Step:
        data = erc20.approve(
            self._tables.contracts["ROUTER"], units if request.approval == "exact" else None
        )
        token = address(paid.token.address)
        return Step("approve", token, 0, with_tag(data, request.tag), APPROVE_GAS)

    def _vault_calls(
        self, orders: Sequence[CreateOrder], paid: Collateral | None
    ) -> Sequence[router.Call]:
        """Each order takes all that has come into the vault, so what is its own comes right before
        it and what is the next one's after it."""
        vault = self._tables.contracts["ORDER_VAULT"].lower()
        sent: list[router.Call] = []
        for order in orders:
            fee_wei, units = order.execution_fee_wei, 0
            if paid is not None and intents.enlarges(order.order_type):
                units = order.collateral_units
            native = units if paid is not None and paid.native else 0
            sent.append(router.SendWnt(vault, fee_wei + native))
            if units > native:
                sent.append(router.SendTokens(order.collateral_token, vault, units))
            sent.append(order)
        return sent

    def _paid(self, request: Place) -> Collateral | None:
        """None of an exit, which pays nothing in."""
        if request.intent.reduces:
            return None
        return self._tables.collateral(
            self._tables.pool(request.leg.pool), request.leg.collateral_symbol
        )

    def _orders(
        self, request: Place | Update, facts: ChainFacts, answers: Answers
    ) -> Sequence[CreateOrder]:
        """The order and its exits, each with its keeper's fee."""
        config, price = answers.gas(), facts.fee_per_gas_wei
        return [
            replace(order, execution_fee_wei=execution_fee_wei(config, order, price))
            for order in self._planned(request, answers)
        ]

    def _planned(self, request: Place | Update, answers: Answers) -> Sequence[CreateOrder]:
        intent, leg = request.intent, request.leg
        order = self._wanted(request, answers)
        if intent.reduces:
            return [order]
        return [order, *intents.exits_of(intent, self._tables.pool(leg.pool), order)]

    def _wanted(self, request: Place | Update, answers: Answers) -> CreateOrder:
        intent, leg, owner = request.intent, request.leg, request.owner
        held = None
        if intent.reduces:
            held = _held(answers)
            order = intents.exit_order(self._tables, intent, leg, owner, held)
        else:
            order = intents.entry(self._tables, intent, leg, owner)
        return self._ahead_of_impact(order, held) if intent.type == "limit" else order

    def _ahead_of_impact(self, order: CreateOrder, held: StoredPosition | None) -> CreateOrder:
        """The trigger is a price of the oracle and the limit one of the fill, which has the impact
        in it: triggered at the limit itself, an order that moves the pool would be frozen, its fee
        spent. With today's impact it waits for the price from which the fill is within the limit.
        """
        pool = self._depth(address(order.market))
        if pool is None:
            return order
        try:
            executed = _executed_at(pool, order, held)
        except Refused:
            return order
        at_most = trigger_at_most(order.order_type, order.is_long)
        oracle = oracle_price(pool.prices.index, order.is_long, held is None)
        trigger = tightened(order.trigger_usd_e30, oracle, executed, at_most=at_most)
        return replace(order, trigger_usd_e30=trigger)

    # Changing ---------------------------------------------------------------------------------

    def _cancel(self, request: Cancel, answers: Answers) -> Step:
        waiting = self._waiting(request, answers)
        if not waiting:
            raise InputError("ORDER_GONE", "no order of it waits any more")
        cancels = [router.CancelOrder(bytes.fromhex(order.key[2:])) for order in waiting]
        data = router.encode_all(self._tables.version, cancels)
        return Step(
            "cancel",
            self._tables.contracts["EXCHANGE_ROUTER"],
            0,
            with_tag(data, request.tag),
            CANCEL_GAS * len(cancels),
        )

    def _waiting(self, request: Cancel | Update, answers: Answers) -> Sequence[StoredOrder]:
        """The order and its exits, as far as they are still there."""
        found = [answers.order(name, key) for name, key in reads.order_keys(request.refs).items()]
        waiting = [order for order in found if order is not None]
        if any(order.account != request.owner.lower() for order in waiting):
            raise InputError("NOT_OWNER", "the order is another account's")
        return waiting

    def _update(self, request: Update, facts: ChainFacts, answers: Answers) -> Step:
        waiting = self._updatable(request, answers)
        vault = self._tables.contracts["ORDER_VAULT"].lower()
        sent = changes.calls(waiting, self._orders(request, facts, answers), vault)
        changed = [call for call in sent if not isinstance(call, router.SendWnt)]
        return Step(
            "update",
            self._tables.contracts["EXCHANGE_ROUTER"],
            sum(call.amount_wei for call in sent if isinstance(call, router.SendWnt)),
            with_tag(router.encode_all(self._tables.version, sent), request.tag),
            sum(_GAS[type(call)] for call in changed),
            self.guard(request.intent, request.leg),
        )

    def _updatable(self, request: Update, answers: Answers) -> Sequence[StoredOrder]:
        """The order and its exits that wait."""
        kind = intents.order_type(request.intent)
        pool = self._tables.pool(request.leg.pool)
        waiting = self._waiting(request, answers)
        if not waiting:
            raise InputError("ORDER_GONE", "no order of it waits any more")
        stored = next((order for order in waiting if order.order_type is kind), None)
        if stored is None or kind in MARKET_TYPES:
            raise InputError("NOT_UPDATABLE", f"no {kind.name} waits that could be changed")
        if stored.market != pool.market or stored.is_long != intents.is_long(request.intent):
            raise InputError("NOT_UPDATABLE", "an order stays in its pool and on its side")
        return waiting

    # Checking ---------------------------------------------------------------------------------

    def _refusals(
        self, request: OrderRequest, facts: ChainFacts, answers: Answers
    ) -> Iterator[Refusal]:
        if isinstance(request, Cancel):
            yield from self._too_early(request, facts, answers)
        elif isinstance(request, Place):
            if not request.claims:
                yield from self._place_refusals(request, answers)
        else:
            orders = self._planned(request, answers)
            pool = self._depth(address(orders[0].market))
            if pool is not None:
                yield from _trigger_refusals(request.intent, orders, pool.prices.index)
        yield from _unpaid(facts, self.build(request, facts))

    def _too_early(self, request: Cancel, facts: ChainFacts, answers: Answers) -> Iterator[Refusal]:
        """Limit and trigger orders can be cancelled at once, market orders after their time."""
        expiry_s = answers.uint("REQUEST_EXPIRATION_TIME")
        for order in self._waiting(request, answers):
            from_s = order.updated_at_s + expiry_s
            if order.order_type in MARKET_TYPES and facts.block_time_s < from_s:
                told = f"a market order can be cancelled from {from_s} on"
                yield Refusal("TOO_EARLY", told, from_s)

    def _place_refusals(self, request: Place, answers: Answers) -> Iterator[Refusal]:
        for name in ("IS_MARKET_DISABLED", "CREATE_ORDER_FEATURE_DISABLED"):
            if answers.flag(name):
                yield Refusal("MARKET_CLOSED", f"{name.lower()} is set")
        orders = self._planned(request, answers)
        pool = self._depth(address(orders[0].market))
        if not request.intent.reduces:
            yield from self._opening_refusals(request, orders[0], pool, answers)
        if pool is not None:
            yield from _trigger_refusals(request.intent, orders, pool.prices.index)

    def _opening_refusals(
        self, request: Place, order: CreateOrder, pool: GmxInputs | None, answers: Answers
    ) -> Iterator[Refusal]:
        traded = self._tables.pool(request.leg.pool)
        paid = self._tables.collateral(traded, request.leg.collateral_symbol)
        limits = checks.Limits(
            answers.uint("MIN_COLLATERAL_USD"),
            answers.uint("MIN_POSITION_SIZE_USD"),
            answers.uint("MIN_COLLATERAL_FACTOR"),
            answers.uint("MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER"),
            paid.is_long_token,
        )
        yield from checks.opening(order, answers.position(), limits, pool)
        if not paid.native and answers.units("balance") < order.collateral_units:
            amount = f"{order.collateral_units} units of {paid.token.symbol}"
            yield Refusal("BALANCE", f"the account has less than {amount}")


def _held(answers: Answers) -> StoredPosition:
    held = answers.position()
    if held is None or not held.size_units:
        raise InputError("POSITION_GONE", "there is no such position any more")
    return held


def _executed_at(pool: GmxInputs, order: CreateOrder, held: StoredPosition | None) -> int:
    """The fill at today's oracle price. Raises: Refused."""
    terms, index, is_long = pool.terms, pool.prices.index, order.is_long
    if held is None:
        found = increase(terms.config, terms.state, index, is_long, order.size_usd_e30)
        return found.price_usd_e30
    size = min(order.size_usd_e30, held.size_usd_e30)
    # Which token the collateral is has no part in the price.
    position = Position(is_long, False, held.size_usd_e30, held.size_units)
    return decrease_price(terms.config, terms.state, index, position, size).price_usd_e30


def _trigger_refusals(
    intent: OrderIntent, orders: Sequence[CreateOrder], index: PriceRange
) -> Iterator[Refusal]:
    order, *exits = orders
    if intent.type in ("stop", "take_profit"):
        yield from checks.trigger_side(order, index)
    opened = index
    if order.trigger_usd_e30:
        opened = PriceRange(order.trigger_usd_e30, order.trigger_usd_e30)
    for bracket in exits:
        yield from checks.trigger_side(bracket, opened)


def _unpaid(facts: ChainFacts, steps: Sequence[Step]) -> Iterator[Refusal]:
    """Ether for everything that is to be sent, its gas at most included."""
    gas_wei = sum(step.gas for step in steps) * facts.fee_per_gas_wei
    needed = gas_wei + sum(step.value_wei for step in steps)
    if facts.native_balance_wei < needed:
        yield Refusal("GAS", f"the account has less than {needed} wei for fees, gas and collateral")
