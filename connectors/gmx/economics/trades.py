"""A whole increase, and a whole close, in the order in which the contracts compute and refuse.

Source: GMX v2 contracts position/IncreasePositionUtils.sol, position/DecreasePositionUtils.sol,
position/DecreasePositionCollateralUtils.sol, v2.2b and v2.2c.
"""

from dataclasses import dataclass, replace

from connectors.gmx.economics.capacity import check_open_interest, check_reserves
from connectors.gmx.economics.carry import accrue
from connectors.gmx.economics.checks import check_collateral, check_decrease
from connectors.gmx.economics.execution import (
    DecreaseExecution,
    IncreaseExecution,
    check_acceptable,
    decrease,
    increase,
)
from connectors.gmx.economics.fees import NO_TERMS, PositionFees, Terms, position_fees
from connectors.gmx.economics.fixed import apply_factor, div_up
from connectors.gmx.economics.margin import Health, Pnl, health, pnl
from connectors.gmx.economics.model import (
    ByToken,
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    PriceRange,
    Sided,
)
from connectors.gmx.economics.refusal import NEGATIVE_COLLATERAL_SUM, Refused


@dataclass(frozen=True, slots=True)
class Increased:
    """``collateral_delta_units``: what came in less all fees. ``position`` and ``state`` as they
    are afterwards."""

    execution: IncreaseExecution
    fees: PositionFees
    collateral_delta_units: int
    position: Position
    state: MarketState


@dataclass(frozen=True, slots=True)
class Closed:
    """``paid``: what the trader gets of each pool token at once. ``claimable_units``: collateral
    kept back by the cap on negative impact, claimable later."""

    execution: DecreaseExecution
    fees: PositionFees
    pnl: Pnl
    paid: ByToken
    claimable_units: int


def increase_position(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    size_usd_e30: int,
    collateral_units: int,
    acceptable_usd_e30: int,
    now_s: int,
    terms: Terms = NO_TERMS,
) -> Increased:
    """Opens or enlarges a position, or adds collateral (size 0). ``state`` is the stored one; it is
    carried on to ``now_s`` first, as execution does.

    Shape: scalars. Units: USD e30, smallest units of the collateral token, seconds.
    Raises: Refused, with the first error that the contracts would end with.
    Source: IncreasePositionUtils.increasePosition.
    """
    state = accrue(config, state, prices, now_s)
    is_long = position.is_long
    execution = increase(config, state, prices.index, is_long, size_usd_e30)
    if size_usd_e30:
        check_acceptable(execution.price_usd_e30, acceptable_usd_e30, is_long, True)
    price = prices.token(position.collateral_is_long_token)
    improved = execution.balance_improved
    fees = position_fees(config, state, position, price, size_usd_e30, improved, terms)
    delta = collateral_units - fees.total_units
    _check_collateral_sum(config, state, position, delta)
    if position.collateral_units + delta < 0:
        raise Refused(
            "InsufficientCollateralAmount",
            collateralAmount=position.collateral_units,
            collateralDeltaAmount=delta,
        )
    enlarged = _enlarged(state, position, size_usd_e30, execution, delta)
    after = _with_increase(config, state, position, enlarged, fees, execution)
    if size_usd_e30:
        check_open_interest(config, after, is_long)
        check_reserves(config, after, prices, is_long)
        check_collateral(config, after, prices, enlarged)
    check_position(config, after, prices, enlarged)
    return Increased(execution, fees, delta, enlarged, after)


def check_position(
    config: MarketConfig, state: MarketState, prices: MarketPrices, position: Position
) -> None:
    """What every increase has to leave behind.

    Shape: scalar. Raises: Refused ``InvalidPositionSizeValues``, ``MinPositionSize``,
    ``LiquidatablePosition``. Source: PositionUtils.validatePosition.
    """
    if not (position.size_usd_e30 and position.size_units):
        raise Refused(
            "InvalidPositionSizeValues",
            sizeInUsd=position.size_usd_e30,
            sizeInTokens=position.size_units,
        )
    if position.size_usd_e30 < config.min_position_size_usd_e30:
        raise Refused(
            "MinPositionSize",
            positionSizeInUsd=position.size_usd_e30,
            minPositionSizeUsd=config.min_position_size_usd_e30,
        )
    _check_health(health(config, state, prices, position, for_liquidation=False))


def withdraw_collateral(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    withdrawn_units: int,
    now_s: int,
    terms: Terms = NO_TERMS,
) -> Position:
    """Takes collateral out of a position that stays as large as it is, after it has paid what it
    owes; more than there is counts as all there is. ``state`` is the stored one; it is carried on
    to ``now_s`` first.

    Shape: scalars. Units: smallest units of the collateral token, seconds.
    Raises: Refused ``EmptyPosition``, ``UnableToWithdrawCollateral``,
    ``InsufficientFundsToPayForCosts``, ``LiquidatablePosition``.
    Source: DecreasePositionUtils.decreasePosition.
    """
    state = accrue(config, state, prices, now_s)
    check_decrease(config, state, prices, position, 0, withdrawn_units)
    price = prices.token(position.collateral_is_long_token)
    fees = position_fees(config, state, position, price, 0, False, terms)
    purse = _Purse(position, prices, config.single_token)
    purse.pay(fees.funding.fee_units * price.min_usd_e30, "funding")
    purse.pay(fees.total_without_funding_units * price.min_usd_e30, "fees")
    left = max(purse.collateral_units - withdrawn_units, 0)
    smaller = replace(_settled(state, position), collateral_units=left)
    _check_health(
        health(config, state, prices, smaller, for_liquidation=False, check_min_collateral=False)
    )
    return smaller


def close_position(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    acceptable_usd_e30: int,
    now_s: int,
    terms: Terms = NO_TERMS,
) -> Closed:
    """Closes a whole position without a swap of the profit. ``state`` is the stored one; it is
    carried on to ``now_s`` first, as execution does. Funding that is due to the trader is claimed
    apart (``fees.funding``).

    Shape: scalars. Units: smallest units of the two pool tokens.
    Raises: Refused, among others ``InsufficientFundsToPayForCosts`` where the collateral does not
    cover what is owed. Source: DecreasePositionUtils.decreasePosition,
    DecreasePositionCollateralUtils.processCollateral.
    """
    state = accrue(config, state, prices, now_s)
    check_decrease(config, state, prices, position, position.size_usd_e30)
    size, is_long = position.size_usd_e30, position.is_long
    execution = decrease(config, state, prices.index, position, size)
    check_acceptable(execution.price_usd_e30, acceptable_usd_e30, is_long, False)
    result = pnl(config, state, prices, position, size)
    price = prices.token(position.collateral_is_long_token)
    improved = execution.balance_improved
    fees = position_fees(config, state, position, price, size, improved, terms)
    purse = _Purse(position, prices, config.single_token)
    purse.earn(result.usd_e30)
    purse.earn(execution.total_usd_e30)
    purse.pay(fees.funding.fee_units * price.min_usd_e30, "funding")
    purse.pay(-result.usd_e30, "pnl")
    purse.pay(fees.total_without_funding_units * price.min_usd_e30, "fees")
    purse.pay(-execution.total_usd_e30, "impact")
    claimable = purse.pay(execution.diff_usd_e30, "diff")
    return Closed(execution, fees, result, purse.paid_out(), claimable)


class _Purse:
    """Gains come in the token of the side's profit; costs are taken from gains in the collateral
    token first, then from the collateral, then from the other gains."""

    def __init__(self, position: Position, prices: MarketPrices, single_token: bool) -> None:
        self._in_long_token = position.collateral_is_long_token
        self._price: PriceRange = prices.token(position.collateral_is_long_token)
        self._profit_price: PriceRange = prices.token(position.is_long)
        self._one_token = single_token or position.is_long == position.collateral_is_long_token
        self._left = [0, position.collateral_units]
        self._other = 0

    def earn(self, usd: int) -> None:
        units = max(usd, 0) // self._profit_price.max_usd_e30
        if self._one_token:
            self._left[0] += units
        else:
            self._other += units

    def pay(self, usd: int, step: str) -> int:
        """Of a positive cost; the collateral units that it took."""
        price = self._price.min_usd_e30
        cost = div_up(max(usd, 0), price)
        taken = 0
        for place, there in enumerate(self._left):
            part = min(there, cost - taken)
            self._left[place] -= part
            taken += part
        # What is still owed counts in the token of the profit, rounded down.
        other_price = self._profit_price.min_usd_e30
        owed = (cost - taken) * price // other_price
        part = min(self._other, owed)
        self._other -= part
        if owed > part:
            left_usd = (owed - part) * other_price
            raise Refused("InsufficientFundsToPayForCosts", remainingCostUsd=left_usd, step=step)
        return taken

    @property
    def collateral_units(self) -> int:
        """What is left of the collateral."""
        return self._left[1]

    def paid_out(self) -> ByToken:
        own = sum(self._left)
        return ByToken(own, self._other) if self._in_long_token else ByToken(self._other, own)


def _check_collateral_sum(
    config: MarketConfig, state: MarketState, position: Position, delta: int
) -> None:
    in_long_token, is_long = position.collateral_is_long_token, position.is_long
    total = state.collateral_sum_units.of(is_long).of(in_long_token) + delta
    if total < 0:
        raise Refused(NEGATIVE_COLLATERAL_SUM)
    limits = config.max_collateral_sum_units
    limit = None if limits is None else limits.of(is_long).of(in_long_token)
    if limit is not None and delta > 0 and total > limit:
        raise Refused("MaxCollateralSumExceeded", collateralSum=total, maxCollateralSum=limit)


def _enlarged(
    state: MarketState, position: Position, size_usd: int, execution: IncreaseExecution, delta: int
) -> Position:
    return replace(
        _settled(state, position),
        size_usd_e30=position.size_usd_e30 + size_usd,
        size_units=position.size_units + execution.units,
        collateral_units=position.collateral_units + delta,
        pending_impact_units=position.pending_impact_units + execution.impact_units,
    )


def _settled(state: MarketState, position: Position) -> Position:
    """Of which nothing is owed for the past."""
    is_long = position.is_long
    paid = state.funding_fee_per_size.of(is_long)
    return replace(
        position,
        borrowing_factor_e30=state.cumulative_borrowing_factor_e30.of(is_long),
        funding_fee_per_size=paid.of(position.collateral_is_long_token),
        claimable_funding_per_size=state.claimable_funding_per_size.of(is_long),
    )


def _check_health(found: Health) -> None:
    if found.liquidatable:
        raise Refused(
            "LiquidatablePosition",
            reason=found.reason,
            remainingCollateralUsd=found.remaining_usd_e30,
            minCollateralUsd=found.min_collateral_usd_e30,
            minCollateralUsdForLeverage=found.min_collateral_for_leverage_usd_e30,
        )


def _with_increase(
    config: MarketConfig,
    state: MarketState,
    before: Position,
    after: Position,
    fees: PositionFees,
    execution: IncreaseExecution,
) -> MarketState:
    is_long, token = before.is_long, before.collateral_is_long_token
    size_usd = after.size_usd_e30 - before.size_usd_e30
    single = config.single_token
    # Virtual inventory is what is short.
    sign = -1 if is_long else 1
    virtual_usd, virtual_units = state.virtual_position_usd_e30, state.virtual_position_units
    if virtual_units is not None and config.interest_in_tokens:
        virtual_units += sign * execution.units
    elif virtual_usd is not None and not config.interest_in_tokens:
        virtual_usd += sign * size_usd
    pool, virtual_pool = state.pool_units, state.virtual_pool_units
    borrowed = apply_factor(after.size_usd_e30, after.borrowing_factor_e30) - apply_factor(
        before.size_usd_e30, before.borrowing_factor_e30
    )
    borrowing = state.total_borrowing_usd_e30
    return replace(
        state,
        total_pending_impact_units=state.total_pending_impact_units + execution.impact_units,
        virtual_position_usd_e30=virtual_usd,
        virtual_position_units=virtual_units,
        pool_units=_plus(pool, token, fees.pool_units, single),
        virtual_pool_units=(
            None if virtual_pool is None else _plus(virtual_pool, token, fees.pool_units, single)
        ),
        open_interest_usd_e30=_side_plus(
            state.open_interest_usd_e30, is_long, token, size_usd, single
        ),
        open_interest_units=_side_plus(
            state.open_interest_units, is_long, token, execution.units, single
        ),
        collateral_sum_units=_side_plus(
            state.collateral_sum_units,
            is_long,
            token,
            after.collateral_units - before.collateral_units,
            single,
        ),
        total_borrowing_usd_e30=Sided(
            borrowing.long + (borrowed if is_long else 0),
            borrowing.short + (0 if is_long else borrowed),
        ),
    )


def _plus(values: ByToken, is_long_token: bool, delta: int, single: bool) -> ByToken:
    return ByToken(
        values.long_token + (delta if is_long_token or single else 0),
        values.short_token + (delta if not is_long_token or single else 0),
    )


def _side_plus(
    values: Sided[ByToken], is_long: bool, is_long_token: bool, delta: int, single: bool
) -> Sided[ByToken]:
    moved = _plus(values.of(is_long), is_long_token, delta, single)
    return Sided(moved, values.short) if is_long else Sided(values.long, moved)
