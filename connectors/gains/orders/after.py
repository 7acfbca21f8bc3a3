"""Where a position is liquidated that an order has changed. Pure.

Fees that have run up since its last change are not in it: they grow with the price, and only the
contract knows them.
"""

from typing import Final

from connectors.base.positions import OpenPosition
from connectors.gains.economics.adjust import releverage
from connectors.gains.economics.closing import Market
from connectors.gains.economics.fees import FeeShares
from connectors.gains.economics.increase import increase
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.position import (
    Ledger,
    LiquidationTerms,
    Position,
    Trade,
    TradeInfo,
)
from connectors.gains.economics.scales import ContractRefusal
from connectors.gains.orders import entries, margin
from connectors.gains.orders.calls import UpdateLeverage
from connectors.gains.orders.reads import StoredTrade
from connectors.gains.orders.refusals import code_of, message_of
from connectors.gains.orders.tables import Posted
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg

_NO_SHARES: Final = FeeShares(0, 0, 0, 0, 0)


def liquidation_e10(
    intent: OrderIntent, leg: OrderLeg, held: OpenPosition, posted: Posted, pool: Pool
) -> int | None:
    """0 where no price does; None where what decides is not known.

    A change of margin keeps the terms that the trade was opened with, an increase takes those of
    the pair now, and there they are taken for the same. Raises InputError.
    """
    stored, ledger, terms = held.stored, held.details, pool.state.liquidation
    if ledger is None or terms is None:
        return None
    before = _position(stored, ledger, terms)
    state = pool.state
    market = Market(state.collateral, state.pair, state.fees, _NO_SHARES)
    try:
        if intent.changes_margin:
            call = margin.change(intent, leg, stored, posted).call
            assert isinstance(call, UpdateLeverage)
            changed = releverage(
                before, market, pool.mark_e10, leverage_e3=call.leverage_e3, holding_fees=0
            )
            return changed.new_liquidation_e10
        collateral, leverage_e3 = entries.added(
            intent, leg, stored, posted, state.collateral.price_usd_e8
        )
        grown = increase(
            before,
            market,
            pool.mark_e10,
            collateral=collateral,
            leverage_e3=leverage_e3,
            terms=terms,
            holding_fees=0,
        )
    except ContractRefusal as error:
        raise InputError(code_of(error.code), message_of(error.code)) from None
    return grown.new_liquidation_e10


def _position(stored: StoredTrade, ledger: Ledger, terms: LiquidationTerms) -> Position:
    trade = Trade(
        stored.long,
        stored.collateral,
        stored.leverage_e3,
        stored.price_e10,
        tp_e10=stored.tp_e10,
        sl_e10=stored.sl_e10,
    )
    return Position(trade, TradeInfo(), ledger, terms)
