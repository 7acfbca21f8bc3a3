"""Changes of a position of gTrade: leverage, size, and profit taken out of it. Pure.

Source: gTrade's ``UpdateLeverageUtils.sol``, ``UpdatePositionSizeUtils.sol`` and
``TradingCallbacksUtils.sol``, v10, as ``pricing`` has them."""

from dataclasses import astuple, replace

from sandbox.gains import logs
from sandbox.gains.execution import LIQ_REACHED, NONE, SLIPPAGE, At, pnl_of
from sandbox.gains.pricing import (
    Impact,
    Terms,
    impact,
    is_beyond,
    liquidation_price,
    of_percent,
    pnl_p,
    slips,
)
from sandbox.gains.requests import (
    LEAVE,
    REPLACE,
    Holding,
    Log,
    Request,
    Settlement,
    Trade,
)


def update_leverage(request: Request, holding: Holding, terms: Terms, at: At) -> Settlement:
    """A lower leverage has brought its collateral with it; a higher one sends some back."""
    old, asked = holding.trade, request.asked
    order = (request.user, request.order_index or 0)
    kept = old.collateral * old.leverage // asked.leverage
    rises = asked.leverage > old.leverage
    delta = old.collateral - kept if rises else asked.collateral
    new = replace(old, leverage=asked.leverage, collateral=kept)
    if not rises:
        new = replace(new, collateral=old.collateral + delta)
    before, after = _liquidations(holding, new, terms)
    reason = LIQ_REACHED if at.refuses or _is_gone(new, after, terms) else NONE
    fee = terms.cancel_fee
    worth = max(1, new.collateral + pnl_of(replace(holding, trade=new), terms.oracle))
    values = (
        *(new.leverage, new.collateral, before, after, fee),
        *(new.size * 1000 // worth, new.collateral, new.collateral),
    )
    said = (
        logs.order_closed(order),
        logs.leverage_updated(order, old, reason, terms.oracle, delta, values),
    )
    if reason != NONE:
        back = 0 if rises else delta
        return _settled(request, LEAVE, holding, old, said, fees_delta=fee, to_trader=back)
    return _settled(
        request, REPLACE, holding, new, said, fees_delta=fee, to_trader=delta if rises else 0
    )


def increase(request: Request, holding: Holding, terms: Terms, at: At) -> Settlement:
    """The new entry is such that the result so far stays what it is, rounded against the trader."""
    old, asked = holding.trade, request.asked
    order = (request.user, request.order_index or 0)
    base = asked.collateral or old.collateral
    added = base * asked.leverage // 1000
    collateral = old.collateral + asked.collateral
    leverage = (old.size + added) * 1000 // collateral
    moved = impact(terms, long=old.long, opens=True, size=added)
    size = collateral * leverage // 1000
    # Size over price is what the position is of; that of both parts adds up.
    units = old.size * moved.price + added * old.open_price
    price = size * old.open_price * moved.price // units
    price += 1 if old.long else 0
    new = replace(
        old,
        collateral=collateral,
        leverage=leverage,
        open_price=price,
        tokens=old.tokens + moved.tokens,
    )
    fee = terms.fee(added)
    before, after = _liquidations(holding, new, terms)
    reason = _against_increase(request, holding, moved, after, terms, at)
    values = (
        *(
            added,
            old.size,
            size,
            collateral,
            leverage,
            astuple(moved),
            pnl_of(holding, terms.oracle),
        ),
        *(max(0, old.size + pnl_of(holding, terms.oracle)), price, fee, before, after),
        *(False, 0, 0, leverage),
    )
    said = (
        logs.order_closed(order),
        logs.size_updated(
            order,
            old,
            asked,
            reason,
            terms.oracle,
            terms.collateral_price_usd_e8,
            values,
            grows=True,
        ),
    )
    if reason != NONE:
        back = max(0, asked.collateral - terms.cancel_fee)
        return _settled(request, LEAVE, holding, old, said, to_trader=back)
    done = _settled(request, REPLACE, holding, new, said, fees_delta=fee)
    return replace(done, info=replace(done.info, last_increase_block=at.block))


def decrease(request: Request, holding: Holding, terms: Terms, at: At) -> Settlement:
    """Takes collateral at the same leverage, or leverage at the same collateral."""
    old, asked = holding.trade, request.asked
    order = (request.user, request.order_index or 0)
    closed = asked.collateral * old.leverage // 1000
    if asked.leverage:
        closed = old.collateral * asked.leverage // 1000
    tokens = old.tokens * closed // old.size
    moved = impact(terms, long=old.long, opens=False, size=closed, tokens=tokens)
    new = replace(
        old,
        collateral=old.collateral - asked.collateral,
        leverage=old.leverage - asked.leverage,
        tokens=old.tokens - tokens,
    )
    fee = terms.fee(closed)
    percent = pnl_p(old, moved.price)
    won = of_percent(old.collateral, percent) * closed // old.size
    sent = asked.collateral + won - fee
    before, after = _liquidations(holding, new, terms)
    reason = NONE
    if is_beyond(terms.oracle, before, falls=old.long):
        reason = LIQ_REACHED
    elif at.refuses or slips(
        moved.price, asked.open_price, request.max_slippage_p, buys=not old.long
    ):
        reason = SLIPPAGE
    values = (
        *(asked.leverage > 0, closed, old.size, before, after, astuple(moved), percent),
        *(won, won - fee, won, fee, max(0, new.collateral), new.collateral, sent),
        *(new.collateral, new.leverage),
    )
    said = (
        logs.order_closed(order),
        logs.size_updated(
            order,
            old,
            asked,
            reason,
            terms.oracle,
            terms.collateral_price_usd_e8,
            values,
            grows=False,
        ),
    )
    if reason != NONE:
        return _settled(request, LEAVE, holding, old, said, fees_delta=terms.cancel_fee)
    # A loss that the collateral taken out does not cover stays with the trade.
    settled = _settled(request, REPLACE, holding, new, said, to_trader=max(0, sent))
    return replace(settled, pnl_delta=min(0, sent))


def withdraw_pnl(request: Request, holding: Holding, terms: Terms, at: At) -> Settlement:
    """No more than there is; ``tokens`` of what is asked holds the amount."""
    trade = holding.trade
    order = (request.user, request.order_index or 0)
    moved = impact(terms, long=trade.long, opens=False, size=trade.size, tokens=trade.tokens)
    available = pnl_of(holding, moved.price) + holding.realized_pnl - holding.realized_fees
    paid = 0 if at.refuses else max(0, min(available, request.asked.tokens))
    percent = pnl_p(trade, moved.price)
    said = (
        logs.order_closed(order),
        logs.pnl_withdrawn(order, trade, moved, percent, available, request.asked.tokens, paid),
    )
    settled = _settled(request, REPLACE, holding, trade, said, to_trader=paid)
    return replace(settled, pnl_delta=-paid)


def _against_increase(
    request: Request, holding: Holding, moved: Impact, liquidation: int, terms: Terms, at: At
) -> int:
    trade, asked = holding.trade, request.asked
    if at.refuses or slips(moved.price, asked.open_price, request.max_slippage_p, buys=trade.long):
        return SLIPPAGE
    if is_beyond(terms.oracle, liquidation, falls=trade.long):
        return LIQ_REACHED
    return NONE


def _is_gone(trade: Trade, liquidation: int, terms: Terms) -> bool:
    return is_beyond(terms.oracle, liquidation, falls=trade.long)


def _liquidations(holding: Holding, new: Trade, terms: Terms) -> tuple[int, int]:
    """Prices before and after."""
    realized = holding.realized_fees - holding.realized_pnl
    before, after = (
        liquidation_price(trade, terms, terms.fee(trade.size) + realized)
        for trade in (holding.trade, new)
    )
    return before, after


def _settled(
    request: Request,
    action: int,
    holding: Holding,
    trade: Trade,
    said: tuple[Log, ...],
    *,
    fees_delta: int = 0,
    to_trader: int = 0,
) -> Settlement:
    if action == REPLACE:
        updated = logs.position_updated(trade, request.order_type, wins=False)
        said = (said[0], updated, *said[1:])
    return Settlement(
        user=request.user,
        version=request.version,
        order_index=request.order_index,
        action=action,
        trade=trade,
        info=holding.info,
        logs=said,
        fees_delta=fees_delta,
        to_trader=to_trader,
    )
