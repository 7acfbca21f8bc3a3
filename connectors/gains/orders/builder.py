"""Gains for whoever places orders: see ``connectors.base.orders.OrderBuilder``. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    StepId,
    Transaction,
    Update,
)
from connectors.gains.constants import VENUE
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import Collateral
from connectors.gains.orders import checks, entries, exits, logs, margin, outcomes, reads, verify
from connectors.gains.orders.abi import EVENTS
from connectors.gains.orders.calls import (
    Batch,
    CancelAfterTimeout,
    CancelOpenOrder,
    IncreasePosition,
    OpenTrade,
    PendingIndex,
    Single,
    TradeIndex,
    UpdateLeverage,
    UpdateOpenOrder,
    UpdateStopLoss,
    UpdateTakeProfit,
    WithdrawProfit,
    encode,
)
from connectors.gains.orders.entries import Plan
from connectors.gains.orders.outcomes import ORDER, REQUEST, STOP_LOSS
from connectors.gains.orders.reads import Answers, StoredTrade
from connectors.gains.orders.refusals import revert
from connectors.gains.orders.tables import Posted, Tables
from domain.errors import InputError
from domain.ids import MarketId
from domain.orders import OrderIntent, OrderLeg, PriceGuard, Reason
from domain.outcomes import Executed, VenueOutcome

APPROVE_GAS: Final = 150_000
ORACLE_GAS: Final = 3_000_000
"""Of what asks oracles: 0.6 to 0.81 M were measured without what the first chain charges."""
GAS: Final = 1_000_000
"""Of what changes the storage alone: 0.1 to 0.43 M."""

Depth = Callable[[MarketId, str], Pool | None]
"""What a pool, ``42161:USDC``, can be priced with now; None where that is not known."""


class GainsOrders:
    """See ``connectors.base.orders.OrderBuilder``."""

    venue = VENUE
    log_topic_place = 0
    resizes = False

    def __init__(self, tables: Tables, depth: Depth) -> None:
        self._tables = tables
        self._depth = depth

    def reads(self, request: OrderRequest) -> Sequence[Call]:
        return list(reads.calls(self._tables, request).values())

    def guard(self, intent: OrderIntent, leg: OrderLeg) -> PriceGuard:
        """Of a close, with the slippage that positions have unless another was stored: the price is
        the same to a step of 1e-10 whatever is stored."""
        if not intent.reduces:
            return entries.told(
                entries.entry_guard(intent, leg, self._pool(intent, leg)), intent.side
            )
        if intent.type == "market":
            found = exits.exit_guard(intent, leg, entries.DEFAULT_SLIPPAGE_E3)
            return entries.told(found, intent.side)
        return entries.told(exits.waiting_guard(intent, leg, self._pool(intent, leg)), intent.side)

    def check(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Refusal]:
        answers = Answers(self._tables, request, facts)
        try:
            return list(self._refusals(request, facts, answers))
        except InputError as error:
            return [Refusal(error.code, error.message)]

    def build(self, request: OrderRequest, facts: ChainFacts) -> Sequence[Step]:
        answers = Answers(self._tables, request, facts)
        deployment = self._tables.deployment(request.leg)
        if isinstance(request, Cancel):
            call = self._cancelling(request)
            return [self._step("cancel", deployment.diamond, request, Plan(call, 0, None))]
        plan = self._plan(request, answers)
        if isinstance(request, Update):
            return [self._step("update", deployment.diamond, request, plan)]
        steps = [self._step("order", deployment.diamond, request, plan)]
        posted = self._tables.posted(request.leg)
        if plan.posted and not posted.native and answers.units("allowance") < plan.posted:
            units = plan.posted if request.approval == "exact" else None
            data = with_tag(erc20.approve(deployment.diamond, units), request.tag)
            steps.insert(0, Step("approve", posted.token.address, 0, data, APPROVE_GAS))
        return steps

    def verify(self, step: Step, transaction: Transaction) -> str | None:
        return verify.differing(step, transaction)

    def log_addresses(self, chain_id: int) -> Sequence[str]:
        found = self._tables.deployments.get(chain_id)
        return [] if found is None else [found.diamond]

    def log_topics(self, chain_id: int) -> Sequence[bytes]:
        return list(EVENTS) if chain_id in self._tables.deployments else []

    def decode(self, found: Sequence[ChainLog]) -> Sequence[VenueOutcome]:
        """Logs of one transaction come together: fees are told before what they are of."""
        readers: dict[int, outcomes.OutcomeReader] = {}
        decoded = []
        for log in found:
            deployment = self._tables.deployments.get(log.chain_id)
            if deployment is None or log.address.lower() != deployment.diamond.lower():
                continue
            event = logs.read(log)
            if event is None:
                continue
            reader = readers.setdefault(log.chain_id, outcomes.OutcomeReader(deployment))
            outcome = reader.take(log, event)
            if outcome is not None:
                decoded.append(outcome)
        return decoded

    def refs_of(self, outcome: VenueOutcome) -> Mapping[str, str]:
        kind, _, index = outcome.ref.partition(":")
        refs = {kind: index}
        if isinstance(outcome, Executed) and outcome.position_ref is not None:
            refs["position"] = outcome.position_ref
        return refs

    def reason(self, data: bytes) -> Reason:
        """Why a call of the diamond reverts."""
        return revert(data).told

    # Planning ---------------------------------------------------------------------------------

    def _pool(self, intent: OrderIntent, leg: OrderLeg) -> Pool | None:
        return self._depth(intent.market, leg.pool or "")

    def _plan(self, request: Place | Update, answers: Answers) -> Plan:
        intent, leg = request.intent, request.leg
        entries.check_offered(intent)
        pool = self._pool(intent, leg)
        if isinstance(request, Update):
            return self._updating(request, answers, pool)
        posted, price_e8 = self._tables.posted(leg), answers.value("collateral_price")
        if intent.intent == "open":
            pair = self._tables.pair(intent.market)
            return entries.opening(request, pair.index, posted, price_e8, pool)
        trade = self._held(request, answers, posted)
        if request.claims:
            return exits.profit(leg, trade, posted)
        if intent.changes_margin:
            return margin.change(intent, leg, trade, posted)
        if intent.intent == "increase":
            return entries.increase(request, trade, posted, price_e8, pool)
        if intent.type == "market":
            return exits.closing(intent, leg, trade, posted, price_e8)
        exits.check_whole(intent, leg, trade, posted, price_e8)
        return exits.waiting_exit(intent, leg, trade, pool)

    def _updating(self, request: Update, answers: Answers, pool: Pool | None) -> Plan:
        kind, _ = reads.reference(request.refs)
        if kind == REQUEST:
            raise InputError("NOT_UPDATABLE", "a request that waits for the oracle is not changed")
        posted = self._tables.posted(request.leg)
        trade = self._held(request, answers, posted)
        if kind == ORDER:
            if request.intent.intent != "open":
                raise InputError("BAD_REFS", "what rests is an opening")
            return entries.update(request, trade, pool)
        if not request.intent.reduces or (request.intent.type == "stop") != (kind == STOP_LOSS):
            raise InputError("BAD_REFS", "another exit than the one that is meant")
        return exits.waiting_exit(request.intent, request.leg, trade, pool)

    def _held(self, request: Place | Update, answers: Answers, posted: Posted) -> StoredTrade:
        """The position or the order, which has to be of this market, side and pool."""
        trade = answers.trade()
        if trade is None:
            raise InputError("POSITION_GONE", "there is no such position or order any more")
        pair = self._tables.pair(request.intent.market).index
        long = request.intent.position_side == "LONG"
        wanted = (pair, posted.token.index, long)
        if (trade.pair_index, trade.collateral_index, trade.long) != wanted:
            raise InputError("POSITION", "the position is of another market, side or collateral")
        return trade

    def _cancelling(self, request: Cancel) -> Single:
        kind, index = reads.reference(request.refs)
        if kind == REQUEST:
            return CancelAfterTimeout(PendingIndex(index))
        if kind == ORDER:
            return CancelOpenOrder(TradeIndex(index))
        return exits.removed_exit(TradeIndex(index), stop_loss=kind == STOP_LOSS)

    def _step(self, name: StepId, diamond: str, request: OrderRequest, plan: Plan) -> Step:
        call = plan.call
        value = call.collateral if isinstance(call, OpenTrade) and call.native else 0
        asks = isinstance(call, _ASKING) or (
            isinstance(call, Batch) and not isinstance(call.calls[-1], _EXITS)
        )
        guard = None if plan.guard is None else entries.told(plan.guard, request.intent.side)
        data = with_tag(encode(call), request.tag)
        return Step(name, diamond, value, data, ORACLE_GAS if asks else GAS, guard)

    # Checking ---------------------------------------------------------------------------------

    def _refusals(
        self, request: OrderRequest, facts: ChainFacts, answers: Answers
    ) -> Iterator[Refusal]:
        activated = answers.value("activated")
        if isinstance(request, Cancel):
            yield from self._cancel_refusals(request, facts, answers, activated)
            return
        plan = self._plan(request, answers)
        pool = self._pool(request.intent, request.leg)
        if isinstance(plan.call, Batch):
            call = plan.call.calls[-1]
            if isinstance(call, _EXITS):
                yield from checks.exit_waiting(call, answers.trade(), activated, pool)
                return
            token = self._tables.posted(request.leg).token
            collateral = Collateral(token.decimals, answers.value("collateral_price"))
            yield from checks.closing(
                call, answers.trade(), activated, answers.requests(), pool, collateral
            )
        elif isinstance(plan.call, WithdrawProfit):
            trade, requests = answers.trade(), answers.requests()
            yield from checks.withdrawing(trade, activated, requests, pool)
        elif isinstance(plan.call, UpdateLeverage):
            posted = 0 if request.intent.reduces else answers.units("balance")
            yield from checks.releveraging(
                plan.posted, answers.trade(), activated, answers.requests(), posted
            )
        elif isinstance(plan.call, UpdateOpenOrder):
            yield from checks.resting_update(plan.call, answers.trade(), activated)
        else:
            yield from self._entry_refusals(request, plan.call, facts, answers, pool)

    def _entry_refusals(
        self,
        request: Place | Update,
        call: Single,
        facts: ChainFacts,
        answers: Answers,
        pool: Pool | None,
    ) -> Iterator[Refusal]:
        asset_class = self._tables.pair(request.intent.market).asset_class
        posted, venue = self._tables.posted(request.leg), self._venue(request.leg, answers)
        now_s = facts.block_time_s
        if isinstance(call, OpenTrade):
            balance = None if posted.native else answers.units("balance")
            yield from checks.opening(call, venue, pool, balance, asset_class, now_s)
            if posted.native and facts.native_balance_wei < call.collateral:
                yield Refusal("BALANCE", "the native coin does not reach for the collateral")
        elif isinstance(call, IncreasePosition):
            yield from checks.increasing(
                call,
                answers.trade(),
                venue,
                answers.requests(),
                pool,
                answers.units("balance"),
                asset_class,
                now_s,
            )

    def _venue(self, leg: OrderLeg, answers: Answers) -> checks.Venue:
        token, raw = self._tables.posted(leg).token, answers.value("collateral")
        same = raw["collateral"] == token.address.lower() and raw["precision"] == 10**token.decimals
        return checks.Venue(
            activated=answers.value("activated"),
            collateral_active=raw["isActive"] and same,
            collateral=Collateral(token.decimals, answers.value("collateral_price")),
            min_leverage_e3=answers.value("min_leverage"),
            max_leverage_e3=answers.value("max_leverage"),
        )

    def _cancel_refusals(
        self, request: Cancel, facts: ChainFacts, answers: Answers, activated: int
    ) -> Iterator[Refusal]:
        kind, index = reads.reference(request.refs)
        if kind == REQUEST:
            blocks = answers.value("timeout")
            block = answers.block(facts.block_number)
            yield from checks.request_cancel(answers.request(), activated, facts, blocks, block)
        elif kind == ORDER:
            yield from checks.resting_cancel(answers.trade(), activated)
        else:
            call = UpdateTakeProfit(TradeIndex(index), 0)
            yield from checks.exit_waiting(call, answers.trade(), activated, None)


_EXITS: Final = (UpdateTakeProfit, UpdateStopLoss)
_ASKING: Final = (IncreasePosition, OpenTrade, UpdateLeverage, WithdrawProfit)
"""By itself, for an oracle's answer."""
