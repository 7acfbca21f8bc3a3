"""Where a position is liquidated and where it is bankrupt. Pure.

The documentation's formula ``(equity - size x price - other margins) / (|size| x MMF - size)`` is a
real number; the chain compares integers that were rounded on the way. Their difference moves one
way with the price, so the exact boundary is found by bisection and errs nowhere: a long is below
maintenance at every price up to the answer, a short at every price from it on. (At a price so near
zero that nothing has to be maintained the chain does not liquidate; all is lost all the same.)
Other positions of the subaccount are held at their prices.
Source: dydxprotocol/v4-chain ``protocol/lib/margin/risk.go``, ``x/clob/keeper/liquidations.go``.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from connectors.dydx.economics.margin import Position, Risk, position_risk, subaccount_risk
from connectors.dydx.economics.terms import OracleValue, notional_e6
from domain import exact
from domain.errors import InputError

_MAX_BITS: Final = 160
"""No price is as high: what holds there holds at every price."""


def liquidation_price(
    quote_balance_e6: int, position: Position, others: Iterable[Position] = ()
) -> Decimal | None:
    """The oracle price at which ``position`` makes its subaccount liquidatable.

    ``others``: the further positions of a cross subaccount; none for an isolated one.
    Long: the highest price that liquidates. Short: the lowest. Both on the grid of the position's
    oracle price, so the next price toward safety is safe and nothing is rounded in its favour.
    None: no price does it. Where every price does it: 0 for a short, above any price for a long.
    Raises InputError ``NO_POSITION`` for a size of 0, ``ISOLATED_WITH_OTHERS``.
    """
    risk_at = _risk_by_price(quote_balance_e6, position, others)
    return _boundary(position, lambda value: risk_at(value).below_maintenance)


def bankruptcy_price(
    quote_balance_e6: int, position: Position, others: Iterable[Position] = ()
) -> Decimal | None:
    """The oracle price from which on the subaccount's equity is negative; see ``liquidation_price``
    for what is returned and raised."""
    risk_at = _risk_by_price(quote_balance_e6, position, others)
    return _boundary(position, lambda value: risk_at(value).net_e6 < 0)


def _risk_by_price(
    quote_balance_e6: int, position: Position, others: Iterable[Position]
) -> Callable[[int], Risk]:
    """The subaccount's risk with ``position`` at any price value and the others as they stand."""
    held = tuple(others)
    subaccount_risk(quote_balance_e6, (position, *held))  # refuses what cannot be held together
    rest = subaccount_risk(quote_balance_e6, held)

    def risk_at(value: int) -> Risk:
        oracle = OracleValue(value, position.oracle.exponent)
        own = position_risk(replace(position, oracle=oracle))
        return Risk(
            rest.net_e6 + own.net_e6,
            rest.initial_e6 + own.initial_e6,
            rest.maintenance_e6 + own.maintenance_e6,
        )

    return risk_at


def _boundary(position: Position, lost: Callable[[int], bool]) -> Decimal | None:
    """The last price value (counted toward safety) at which ``lost`` holds."""
    if not position.quantums:
        raise InputError("NO_POSITION", "a position of nothing is never liquidated")
    long = position.quantums > 0
    low, high, top = 0, 2 * max(1, position.oracle.value), 2**_MAX_BITS
    if lost(low) is not long:
        return None if long else _price(low, position)
    # A long is lost at low and safe at high, a short the other way round.
    while lost(high) is long:
        if high == top:
            return _price(high, position) if long else None
        low, high = high, min(top, high * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if lost(middle) is long else (low, middle)
    return _price(low if long else high, position)


def _price(value: int, position: Position) -> Decimal:
    return OracleValue(value, position.oracle.exponent).price


def bankruptcy_quote_e6(total: Risk, position: Position, closed_quantums: int) -> int:
    """What closing ``closed_quantums`` (signed against the position) must bring so that the
    insurance fund pays nothing: quote quantums, positive to receive for a long, negative to pay for
    a short. Rounding: up.

    ``total``: the subaccount's risk. Raises InputError ``BAD_CLOSE`` when it is no reduction of the
    position, or nothing has to be maintained.
    Source: ``x/clob/keeper/liquidations.go`` GetBankruptcyPriceInQuoteQuantums.
    """
    left = position.quantums + closed_quantums
    if position.quantums * closed_quantums >= 0 or left * position.quantums < 0:
        raise InputError("BAD_CLOSE", f"{closed_quantums} does not reduce {position.quantums}")
    if total.maintenance_e6 <= 0:
        raise InputError("BAD_CLOSE", "nothing has to be maintained")
    before = position_risk(position)
    after = position_risk(replace(position, quantums=left))
    freed = abs(after.maintenance_e6 - before.maintenance_e6)
    share = exact.floor_div(total.net_e6 * freed, total.maintenance_e6)
    return before.net_e6 - after.net_e6 - share


def leverage(total: Risk, positions: Iterable[Position]) -> Decimal | None:
    """Absolute notional of all positions over equity, rounded up after 2 decimals; None without
    equity."""
    if total.net_e6 <= 0:
        return None
    held = sum(abs(notional_e6(item.quantums, item.oracle, item.terms)) for item in positions)
    return Decimal(f"{exact.ceil_div(held * 100, total.net_e6)}E-2")
