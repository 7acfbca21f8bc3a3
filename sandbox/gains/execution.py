"""What becomes of requests of gTrade at the prices of a moment. Pure.

Source: gTrade's ``TradingCallbacksUtils.sol`` and ``UpdatePositionSizeUtils.sol``, v10, as
``pricing`` has them."""

from dataclasses import replace
from typing import Final, NamedTuple

from sandbox.gains import logs
from sandbox.gains.interest import E10
from sandbox.gains.pricing import (
    Impact,
    Terms,
    impact,
    is_beyond,
    liquidation_price,
    of_percent,
    pnl_p,
    slips,
    value,
)
from sandbox.gains.requests import (
    ADD,
    CLOSE,
    LEAVE,
    LIMIT_OPEN,
    LIQ_CLOSE,
    MARKET_CLOSE,
    SL_CLOSE,
    STOP_OPEN,
    TP_CLOSE,
    Holding,
    Info,
    Log,
    Request,
    Settlement,
    Trade,
)

NONE, SLIPPAGE, TP_REACHED, SL_REACHED, EXPOSURE_LIMITS, PRICE_IMPACT = 0, 3, 4, 5, 6, 7
NO_TRADE, WRONG_TRADE, LIQ_REACHED = 9, 10, 12
_MAX_IMPACT_P: Final = 40 * E10


class At(NamedTuple):
    """When and by whom it is settled; ``trigger``: the number of the trigger order, if it is one.
    ``refuses``: whatever the price, by request."""

    block: int
    s: int
    keeper: str
    trigger: int
    refuses: bool


def open_market(request: Request, terms: Terms, at: At) -> Settlement:
    trade, moved, reason = _opened(request, terms, at)
    order = (request.user, request.order_index or 0)
    if reason != NONE:
        asked = request.asked
        back = max(0, asked.collateral - terms.cancel_fee)
        refused = (logs.order_closed(order), logs.open_cancelled(order, asked, reason, back))
        return _settled(request, LEAVE, asked, refused, to_trader=back)
    info = _new_info(request, terms, at)
    fee = terms.fee(trade.size)
    said = (
        logs.order_closed(order),
        logs.trade_stored(trade, info),
        logs.fees_processed(trade, request.order_type, fee),
        logs.market_executed(
            order,
            trade,
            moved,
            opens=True,
            oracle=terms.oracle,
            liquidation=liquidation_price(trade, terms, 2 * fee),
            percent=0,
            sent=0,
            collateral_price=terms.collateral_price_usd_e8,
        ),
    )
    return _settled(request, ADD, trade, said, info=info, fees_delta=fee)


def open_resting(request: Request, terms: Terms, at: At) -> list[Settlement]:
    """Of a limit or stop order whose trigger was hit: it goes, and a trade with a new index comes.
    Where it was refused it rests on."""
    trade, moved, reason = _opened(request, terms, at)
    order = (at.keeper, at.trigger)
    first = logs.trigger_initiated(order, request.asked)
    if reason != NONE:
        gone = logs.trigger_cancelled(order, at.keeper, request.order_type, reason)
        return [_settled(request, LEAVE, request.asked, (first, gone))]
    info = _new_info(request, terms, at)
    fee = terms.fee(trade.size)
    executed = logs.limit_executed(
        order,
        trade,
        moved,
        limit_index=request.asked.index,
        caller=at.keeper,
        order_type=request.order_type,
        oracle=terms.oracle,
        liquidation=liquidation_price(trade, terms, 2 * fee),
        percent=0,
        sent=0,
        collateral_price=terms.collateral_price_usd_e8,
    )
    old = request.asked
    closed = _settled(
        request, CLOSE, old, (first, logs.trade_closed(old, wins=False)), info=request_info(request)
    )
    stored = _settled(
        request,
        ADD,
        trade,
        (
            logs.trade_stored(trade, info),
            logs.fees_processed(trade, request.order_type, fee),
            executed,
        ),
        info=info,
        fees_delta=fee,
    )
    return [closed, replace(stored, version=request.version + 1)]


def close_market(request: Request, holding: Holding, terms: Terms, at: At) -> Settlement:
    trade = holding.trade
    moved = impact(terms, long=trade.long, opens=False, size=trade.size, tokens=trade.tokens)
    order = (request.user, request.order_index or 0)
    slipped = slips(
        moved.price, request.asked.open_price, request.max_slippage_p, buys=not trade.long
    )
    if slipped or at.refuses:
        refused = (logs.order_closed(order), logs.close_cancelled(order, trade, SLIPPAGE))
        fee = terms.cancel_fee
        return _settled(request, LEAVE, trade, refused, info=holding.info, fees_delta=fee)
    percent, sent, liquidation, fee = _result(holding, terms, moved)
    said = (
        logs.order_closed(order),
        logs.trade_closed(trade, wins=percent > 0),
        logs.fees_processed(trade, request.order_type, fee),
        logs.market_executed(
            order,
            trade,
            moved,
            opens=False,
            oracle=terms.oracle,
            liquidation=liquidation,
            percent=percent,
            sent=sent,
            collateral_price=terms.collateral_price_usd_e8,
        ),
    )
    return _settled(request, CLOSE, trade, said, info=holding.info, fees_delta=fee, to_trader=sent)


def triggered(holding: Holding, terms: Terms) -> int | None:
    """Which order closes the trade at this price, if one does."""
    trade = holding.trade
    costs = terms.fee(trade.size) + holding.realized_fees - holding.realized_pnl
    liquidation = liquidation_price(trade, terms, costs)
    if is_beyond(terms.oracle, liquidation, falls=trade.long):
        return LIQ_CLOSE
    if trade.sl and is_beyond(terms.oracle, trade.sl, falls=trade.long):
        return SL_CLOSE
    if trade.tp and is_beyond(terms.oracle, trade.tp, falls=not trade.long):
        return TP_CLOSE
    return None


def close_triggered(
    request: Request, holding: Holding, kind: int, terms: Terms, at: At
) -> Settlement:
    trade = holding.trade
    moved = impact(terms, long=trade.long, opens=False, size=trade.size, tokens=trade.tokens)
    order = (at.keeper, at.trigger)
    first = logs.trigger_initiated(order, trade)
    wanted = {TP_CLOSE: trade.tp, SL_CLOSE: trade.sl}.get(kind)
    slipped = wanted is not None and slips(
        moved.price, wanted, holding.info.max_slippage_p, buys=not trade.long
    )
    if slipped or at.refuses:
        gone = logs.trigger_cancelled(order, at.keeper, kind, SLIPPAGE)
        return _settled(request, LEAVE, trade, (first, gone), info=holding.info)
    percent, sent, liquidation, fee = _result(holding, terms, moved)
    if kind == LIQ_CLOSE:
        sent = 0
    said = (
        first,
        logs.trade_closed(trade, wins=percent > 0),
        logs.fees_processed(trade, kind, fee),
        logs.limit_executed(
            order,
            trade,
            moved,
            limit_index=trade.index,
            caller=at.keeper,
            order_type=kind,
            oracle=terms.oracle,
            liquidation=liquidation,
            percent=percent,
            sent=sent,
            collateral_price=terms.collateral_price_usd_e8,
        ),
    )
    return _settled(request, CLOSE, trade, said, info=holding.info, fees_delta=fee, to_trader=sent)


def rests_triggered(asked: Trade, order_type: int, terms: Terms) -> bool:
    """A limit is better than the market, a stop is beyond it."""
    falls = asked.long == (order_type == LIMIT_OPEN)
    assert order_type in (LIMIT_OPEN, STOP_OPEN)
    return is_beyond(terms.oracle, asked.open_price, falls=falls)


def request_info(request: Request) -> Info:
    assert request.holding is not None
    return request.holding.info


def without_trade(request: Request) -> Settlement:
    """The trade was closed by something else in the meantime; what was paid in goes back."""
    asked, order = request.asked, (request.user, request.order_index or 0)
    said = [logs.order_closed(order)]
    if request.order_type == MARKET_CLOSE:
        said.append(logs.close_cancelled(order, asked, NO_TRADE))
    return _settled(request, LEAVE, asked, tuple(said))


def _opened(request: Request, terms: Terms, at: At) -> tuple[Trade, Impact, int]:
    """The trade as it would be, and the first reason against it."""
    asked = request.asked
    moved = impact(terms, long=asked.long, opens=True, size=asked.size)
    trade = replace(
        asked,
        index=request.next_index,
        trade_type=0,
        open_price=moved.price,
        tokens=moved.tokens,
        is_open=True,
    )
    return trade, moved, SLIPPAGE if at.refuses else _against(request, moved, terms)


def _against(request: Request, moved: Impact, terms: Terms) -> int:
    asked = request.asked
    if slips(moved.price, asked.open_price, request.max_slippage_p, buys=asked.long):
        return SLIPPAGE
    if asked.tp and is_beyond(moved.price, asked.tp, falls=not asked.long):
        return TP_REACHED
    if asked.sl and is_beyond(terms.oracle, asked.sl, falls=asked.long):
        return SL_REACHED
    interest = terms.interest
    used = interest.long_collateral if asked.long else interest.short_collateral
    if (used + asked.size) * E10 // terms.collateral.unit > interest.max_e10:
        return EXPOSURE_LIMITS
    if abs(moved.fixed_spread_p) * asked.leverage // 1000 > _MAX_IMPACT_P:
        return PRICE_IMPACT
    return NONE


def _result(holding: Holding, terms: Terms, moved: Impact) -> tuple[int, int, int, int]:
    """Percent won, what the trader gets, liquidation price and fee. Past its liquidation a trade
    pays nothing."""
    trade = holding.trade
    fee = terms.fee(trade.size)
    liquidation = liquidation_price(
        trade, terms, fee + holding.realized_fees - holding.realized_pnl
    )
    sent = value(holding, moved.price, fee)
    if is_beyond(terms.oracle, liquidation, falls=trade.long):
        sent = 0
    return pnl_p(trade, moved.price), sent, liquidation, fee


def pnl_of(holding: Holding, price: int) -> int:
    trade = holding.trade
    return of_percent(trade.collateral, pnl_p(trade, price))


def _new_info(request: Request, terms: Terms, at: At) -> Info:
    return Info(
        created_block=at.block,
        tp_block=at.block,
        sl_block=at.block,
        max_slippage_p=request.max_slippage_p,
        last_oi_s=at.s,
        collateral_price_usd=terms.collateral_price_usd_e8,
        contracts_version=2,
        last_increase_block=at.block,
    )


def _settled(
    request: Request,
    action: int,
    trade: Trade,
    said: tuple[Log, ...],
    *,
    info: Info | None = None,
    fees_delta: int = 0,
    to_trader: int = 0,
) -> Settlement:
    nothing = Info(0, 0, 0, 0, 0, 0, 0, 0)
    return Settlement(
        user=request.user,
        version=request.version,
        order_index=request.order_index,
        action=action,
        trade=trade,
        info=nothing if info is None else info,
        logs=said,
        fees_delta=fees_delta,
        to_trader=to_trader,
    )
