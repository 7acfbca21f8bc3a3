"""What becomes of an order of GMX at the prices of a moment: what its position is then, who is paid
what, or why it cannot be. Pure; integers in the scales of the contracts.

Source: gmx-synthetics ``IncreasePositionUtils.sol``, ``DecreasePositionUtils.sol`` and
``BaseOrderUtils.sol`` of release v2.2c, without price impact, funding and borrowing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from sandbox.gmx.orders import (
    LIMIT_INCREASE,
    MARKET_DECREASE,
    STOP_LOSS_DECREASE,
    Order,
    Payment,
    Position,
)
from sandbox.gmx.refusals import refuse

ONE: Final = 10**30
WNT: Final = "0x82af49447d8a07e3bd95bd0d56f35241523fbab1"
_MIN_USD: Final = ONE
_MIN_COLLATERAL_FACTOR: Final = ONE // 100
_SWAP_FEE_BPS: Final = 5


class Prices(NamedTuple):
    """Of a smallest unit, USD with 30 decimals."""

    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Market:
    """Tokens in lower case, as answers of contracts are read. ``available_usd``: of longs and of
    shorts."""

    index: str
    long: str
    short: str
    fee_factor: int
    available_usd: tuple[int, int]
    is_disabled: bool


class Oracle(Protocol):
    def market(self, token: str) -> Market | None:
        """None: there is no such market, or it only swaps."""

    def prices(self, token: str) -> Prices | None:
        """None: the oracle says nothing of it now."""


@dataclass(frozen=True, slots=True)
class Fill:
    """``position`` after it. ``size_usd``, ``size_tokens``: what was added or taken;
    ``collateral_delta``: of the collateral, signed for an increase."""

    position: Position
    price: int
    index: Prices
    collateral: Prices
    size_usd: int
    size_tokens: int
    collateral_delta: int
    pnl_usd: int
    fee: int
    fee_factor: int
    payments: tuple[Payment, ...]
    used: Mapping[str, Prices]


class NotDue(Exception):
    """Nothing is to be done with the order now."""


def execute(order: Order, oracle: Oracle, now_s: int) -> Fill:
    """Raises NotDue, and Refusal where the contracts would revert."""
    market = oracle.market(order.market)
    if market is None:
        raise refuse("InvalidPositionMarket(address)", order.market)
    index = oracle.prices(market.index)
    if market.is_disabled:
        raise refuse("DisabledMarket(address)", order.market)
    if index is None or now_s < order.valid_from_s or not is_triggered(order, index):
        raise NotDue
    if order.is_increase:
        return _increase(order, oracle, market, index, now_s)
    return _decrease(order, oracle, market, index, now_s)


def is_triggered(order: Order, index: Prices) -> bool:
    """Market orders always are."""
    if order.is_market:
        return True
    rises = order.is_long == (order.order_type not in (LIMIT_INCREASE, STOP_LOSS_DECREASE))
    # An increase of a long and a decrease of a short buy, at the greatest price.
    price = index.max if order.is_increase == order.is_long else index.min
    return price >= order.trigger if rises else price <= order.trigger


def check_price(order: Order, price: int) -> None:
    """Raises Refusal."""
    buys = order.is_increase == order.is_long
    if price > order.acceptable if buys else price < order.acceptable:
        raise refuse(
            "OrderNotFulfillableAtAcceptablePrice(uint256,uint256)", price, order.acceptable
        )


def _increase(order: Order, oracle: Oracle, market: Market, index: Prices, now_s: int) -> Fill:
    token, amount, used = _swapped(order, oracle)
    if token not in (market.long, market.short):
        raise refuse("InvalidCollateralTokenForMarket(address,address)", order.market, token)
    collateral = used[token]
    old = order.position
    size = order.size_usd
    price = index.max if order.is_long else index.min
    tokens = size // price if order.is_long else _up(size, price)
    if size:
        check_price(order, price)
    fee = size * market.fee_factor // ONE // collateral.min
    new = Position(
        account=order.account,
        market=order.market,
        collateral_token=token,
        size_usd=old.size_usd + size,
        size_tokens=old.size_tokens + tokens,
        collateral=old.collateral + amount - fee,
        increased_s=now_s,
        decreased_s=old.decreased_s,
        is_long=order.is_long,
    )
    if new.collateral < 0:
        raise refuse("InsufficientCollateralAmount(uint256,int256)", old.collateral, amount - fee)
    if new.size_usd == 0:
        raise refuse("EmptyPosition()")
    available = market.available_usd[0 if order.is_long else 1]
    if size > max(0, available):
        raise refuse("InsufficientReserve(uint256,uint256)", size, max(0, available))
    _check_position(new, index, collateral)
    taken = Payment(order.token, order.market, order.collateral, True, False)
    return Fill(
        position=new,
        price=price,
        index=index,
        collateral=collateral,
        size_usd=size,
        size_tokens=tokens,
        collateral_delta=amount - fee,
        pnl_usd=0,
        fee=fee,
        fee_factor=market.fee_factor,
        payments=(taken,) if order.collateral else (),
        used={market.index: index} | used,
    )


def _decrease(order: Order, oracle: Oracle, market: Market, index: Prices, now_s: int) -> Fill:
    old = order.position
    if old.size_usd == 0:
        if order.is_market:
            raise refuse("EmptyPosition()")
        raise NotDue
    size = order.size_usd
    if size > old.size_usd:
        if order.order_type == MARKET_DECREASE:
            raise refuse("InvalidDecreaseOrderSize(uint256,uint256)", size, old.size_usd)
        size = old.size_usd
    profit_token = market.long if order.is_long else market.short
    collateral, profit = oracle.prices(old.collateral_token), oracle.prices(profit_token)
    if collateral is None or profit is None:
        raise NotDue
    price = index.min if order.is_long else index.max
    if size:
        check_price(order, price)
    closed = _closed(order, old, size, price, index, collateral, market.fee_factor)
    new = replace(
        old,
        size_usd=old.size_usd - closed.size_usd,
        size_tokens=old.size_tokens - closed.size_tokens,
        collateral=closed.left - closed.withdrawn,
        decreased_s=now_s,
    )
    payments = _payments(order, old, closed, profit_token, collateral, profit)
    return Fill(
        position=new,
        price=price,
        index=index,
        collateral=collateral,
        size_usd=closed.size_usd,
        size_tokens=closed.size_tokens,
        collateral_delta=closed.withdrawn,
        pnl_usd=closed.pnl_usd,
        fee=closed.fee,
        fee_factor=market.fee_factor,
        payments=payments,
        used={market.index: index, old.collateral_token: collateral, profit_token: profit},
    )


class _Closed(NamedTuple):
    """``left``: collateral after costs, of which ``withdrawn`` leaves with the profit."""

    size_usd: int
    size_tokens: int
    pnl_usd: int
    fee: int
    left: int
    withdrawn: int


def _closed(
    order: Order,
    old: Position,
    size: int,
    price: int,
    index: Prices,
    collateral: Prices,
    fee_factor: int,
) -> _Closed:
    tokens = old.size_tokens * size // old.size_usd
    if order.is_long and size < old.size_usd:
        tokens = _up(old.size_tokens * size, old.size_usd)
    worth = old.size_tokens * price
    total = worth - old.size_usd if order.is_long else old.size_usd - worth
    pnl = _truncated(total * tokens, old.size_tokens)
    fee = size * fee_factor // ONE // collateral.min
    left = old.collateral - fee - (_up(-pnl, collateral.min) if pnl < 0 else 0)
    is_whole = size == old.size_usd
    if left < 0:
        step = "pnl" if pnl < 0 else "fees"
        short = -left * collateral.min
        raise refuse("InsufficientFundsToPayForCosts(uint256,string)", short, step)
    withdrawn = left if is_whole else min(order.collateral, left)
    if is_whole:
        return _Closed(size, tokens, pnl, fee, left, withdrawn)
    kept_usd = old.size_usd - size
    needed = max(_MIN_USD, kept_usd * _MIN_COLLATERAL_FACTOR // ONE)
    kept_tokens = old.size_tokens - tokens
    floating = (
        kept_tokens * index.min - kept_usd
        if order.is_long
        else (kept_usd - kept_tokens * index.max)
    )
    if (left - withdrawn) * collateral.min + floating < needed:
        if size == 0:
            remaining = (left - withdrawn) * collateral.min + floating
            raise refuse("UnableToWithdrawCollateral(int256)", remaining)
        withdrawn = 0
    if left * collateral.min + floating < needed:
        # What would stay is too little to stay.
        whole = replace(order, collateral=0)
        return _closed(whole, old, old.size_usd, price, index, collateral, fee_factor)
    return _Closed(size, tokens, pnl, fee, left, withdrawn)


def _payments(
    order: Order,
    old: Position,
    closed: _Closed,
    profit_token: str,
    collateral: Prices,
    profit: Prices,
) -> tuple[Payment, ...]:
    """Profit of a long is paid in the long token, of a short in the short token."""
    outputs = {old.collateral_token: closed.withdrawn}
    if closed.pnl_usd > 0:
        gained = closed.pnl_usd // profit.max
        token = profit_token
        if order.swap_type == 1 and token != old.collateral_token:
            kept = 10_000 - _SWAP_FEE_BPS
            gained = gained * profit.min // collateral.max * kept // 10_000
            token = old.collateral_token
        if token == old.collateral_token:
            outputs[old.collateral_token] += gained
        else:
            outputs[token] = gained
    worth = {old.collateral_token: collateral.min, profit_token: profit.min}
    usd = sum(amount * worth[token] for token, amount in outputs.items())
    if usd < order.min_output:
        raise refuse("InsufficientOutputAmount(uint256,uint256)", usd, order.min_output)
    return tuple(
        Payment(token, order.receiver, amount, False, order.unwraps and token == WNT)
        for token, amount in outputs.items()
        if amount
    )


def _check_position(position: Position, index: Prices, collateral: Prices) -> None:
    """Raises Refusal for what would be liquidated at once."""
    size = position.size_usd
    if size < _MIN_USD:
        raise refuse("MinPositionSize(uint256,uint256)", size, _MIN_USD)
    worth = position.size_tokens * (index.min if position.is_long else index.max)
    pnl = worth - size if position.is_long else size - worth
    remaining = position.collateral * collateral.min + min(0, pnl)
    for_leverage = size * _MIN_COLLATERAL_FACTOR // ONE
    if remaining < for_leverage:
        raise refuse("InsufficientCollateralUsd(int256)", remaining)
    if remaining < _MIN_USD:
        raise refuse(
            "LiquidatablePosition(string,int256,int256,int256)",
            "min collateral",
            remaining,
            _MIN_USD,
            for_leverage,
        )


def _swapped(order: Order, oracle: Oracle) -> tuple[str, int, dict[str, Prices]]:
    """Token and amount at the end of the path, and the prices of all tokens on it. Raises NotDue
    where a price is missing."""
    token, amount = order.token, order.collateral
    price = oracle.prices(token)
    if price is None:
        raise NotDue
    used = {token: price}
    for hop in order.swap_path:
        market = oracle.market(hop)
        if market is None:
            raise refuse("InvalidPositionMarket(address)", hop)
        other = market.short if token == market.long else market.long
        other_price = oracle.prices(other)
        if other_price is None:
            raise NotDue
        amount = amount * used[token].min // other_price.max
        amount = amount * (10_000 - _SWAP_FEE_BPS) // 10_000
        token = other
        used[token] = other_price
    if order.swap_path and amount < order.min_output:
        raise refuse("InsufficientSwapOutputAmount(uint256,uint256)", amount, order.min_output)
    return token, amount, used


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _truncated(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient
