"""What is posted at a pool, and where a position is liquidated that an order leaves there now.

What is owed for the past is settled by every increase, so the rates of funding and borrowing have
no part in it: they are zero in the configuration that is made here, and what an older position
owes is in itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from connectors.gmx.economics import load
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.economics.margin import liquidation_price
from connectors.gmx.economics.model import (
    BorrowingConfig,
    ByToken,
    FundingConfig,
    MarketConfig,
    MarketPrices,
    MarketState,
    OpeningConfig,
    OpeningState,
    Position,
    Sided,
    Signed,
    SwapConfig,
)
from connectors.gmx.economics.trades import increase_position
from domain.errors import InputError

NATIVE: Final = "ETH"
WRAPPED: Final = "WETH"
"""The keeper calls the wrapped token ETH; here that is ether itself."""
STABLE: Final = frozenset({"USDC", "USDC.e", "USDT", "USDe", "DAI"})
"""Symbols of the keeper for tokens that are worth a dollar."""
WRAPPERS: Final[Mapping[str, frozenset[str]]] = {
    "BTC": frozenset({"WBTC.b", "tBTC"}),
    "ETH": frozenset({"wstETH"}),
}
"""Symbols of tokens whose price moves with that of an index token which is another one."""


@dataclass(frozen=True, slots=True)
class PoolToken:
    """``address`` in lower case."""

    address: str
    symbol: str
    decimals: int

    def is_called(self, symbol: str, native_token: str) -> bool:
        if self.address == native_token:
            return symbol in (NATIVE, WRAPPED)
        return symbol == self.symbol


@dataclass(frozen=True, slots=True)
class Margins:
    """What a position must have. Factors of its size, USD, all e30."""

    min_collateral_factor_e30: int
    min_collateral_factor_for_liquidation_e30: int
    min_collateral_factor_per_interest_e30: Sided[int]
    max_impact_factor_for_liquidations_e30: int
    min_collateral_usd_e30: int


@dataclass(frozen=True, slots=True)
class Posted:
    """``long_is_index``: whether the long token's price is the index's; None where it moves with it
    and is another. ``margins``: None where they are unknown."""

    long_token: PoolToken
    short_token: PoolToken
    long_is_index: bool | None
    margins: Margins | None

    def token(self, symbol: str | None, native_token: str) -> tuple[PoolToken, bool, str]:
        """What is posted by that symbol, whether it is the pool's long token, and the symbol. None:
        the short token where that is worth a dollar, else what the pool has. ``native_token``:
        address of the wrapped one in lower case.

        Raises InputError ``COLLATERAL`` for what the pool does not take.
        """
        sides = ((self.short_token, False), (self.long_token, True))
        if symbol is None:
            stable = [side for side in sides if side[0].symbol in STABLE]
            token, is_long = (stable or sides)[0]
            return token, is_long, NATIVE if token.address == native_token else token.symbol
        for token, is_long in sides:
            if token.is_called(symbol, native_token):
                return token, is_long, symbol
        both = " or ".join(sorted({token.symbol for token, _ in sides}))
        raise InputError("COLLATERAL", f"{both} is posted here")


def long_is_index(index: str, index_symbol: str | None, long_token: PoolToken) -> bool | None:
    """See ``Posted``. ``index``: address of the index token, in lower case."""
    if long_token.address == index:
        return True
    known = WRAPPERS.get(index_symbol or "", frozenset())
    return None if long_token.symbol in known else False


def liquidation_usd_e30(
    config: OpeningConfig,
    state: OpeningState,
    prices: MarketPrices,
    posted: Posted,
    *,
    is_long: bool,
    in_long_token: bool,
    size_usd_e30: int,
    collateral_units: int,
    held: Position | None = None,
) -> int | None:
    """The first index price that liquidates what there is then; None where no price does, or where
    what decides is not known. ``held``: what there is already, in a pool that begins to count now.
    With no size only collateral comes in, or out where it is negative.

    Shape: scalar. Units: USD x 1e30 per smallest unit of the index token.
    Raises: Refused where the contracts would not open it.
    Source: trades.increase_position, margin.liquidation_price.
    """
    margins = posted.margins
    if margins is None:
        return None
    market = _market_config(config, margins)
    before = held or Position(is_long, in_long_token)
    done = increase_position(
        market,
        _market_state(state, before.collateral_units),
        prices,
        before,
        size_usd_e30,
        collateral_units,
        ANY_BUY_PRICE if is_long else ANY_SELL_PRICE,
        0,
    )
    if in_long_token and posted.long_is_index is None:
        return None
    _, first = liquidation_price(
        market, done.state, prices, done.position, long_token_is_index=bool(posted.long_is_index)
    )
    return first


def _own(values: OpeningConfig | OpeningState, kind: type) -> dict[str, Any]:
    return {each.name: getattr(values, each.name) for each in fields(kind)}


_NONE: Final = Sided(0, 0)
_NOTHING: Final = ByToken(0, 0)
_NOTHINGS: Final = Sided(_NOTHING, _NOTHING)
_FREE: Final = BorrowingConfig(0, 0, 0, 0, 0)


def _market_config(config: OpeningConfig, margins: Margins) -> MarketConfig:
    return MarketConfig(
        **_own(config, OpeningConfig),
        **_own_margins(margins),
        position_fee_receiver_factor_e30=0,
        borrowing_fee_receiver_factor_e30=0,
        liquidation_fee_factor_e30=0,
        liquidation_fee_receiver_factor_e30=0,
        max_collateral_sum_units=None,
        # A loss is not capped, and nothing but a loss liquidates.
        max_pnl_factor_for_traders_e30=_NONE,
        borrowing=Sided(_FREE, _FREE),
        skip_borrowing_for_smaller_side=False,
        funding=FundingConfig(0, 10**30, 0, 0, 0, _NONE, _NONE, 0, 0),
        swap=SwapConfig(Signed(0, 0), 0, Signed(0, 0), 0),
    )


def _own_margins(margins: Margins) -> dict[str, Any]:
    return {each.name: getattr(margins, each.name) for each in fields(Margins)}


def _market_state(state: OpeningState, collateral_units: int) -> MarketState:
    """``collateral_units``: of the position, which is all that is counted of it here."""
    posted = ByToken(collateral_units, collateral_units)
    return MarketState(
        **_own(state, OpeningState),
        impact_pool_units=0,
        total_pending_impact_units=0,
        swap_impact_pool_units=_NOTHING,
        virtual_pool_units=None,
        collateral_sum_units=Sided(posted, posted),
        cumulative_borrowing_factor_e30=_NONE,
        borrowing_updated_at_s=_NONE,
        total_borrowing_usd_e30=_NONE,
        saved_funding_factor_e30=0,
        funding_updated_at_s=0,
        funding_fee_per_size=_NOTHINGS,
        claimable_funding_per_size=_NOTHINGS,
    )


# Wire ---------------------------------------------------------------------------------------------


def encoded(posted: Posted | None) -> Mapping[str, object] | None:
    """JSON; integers are decimal strings."""
    if posted is None:
        return None
    margins = posted.margins
    return {
        "tokens": [
            [token.address, token.symbol, token.decimals]
            for token in (posted.long_token, posted.short_token)
        ],
        "long_is_index": posted.long_is_index,
        "margins": None
        if margins is None
        else [
            str(margins.min_collateral_factor_e30),
            str(margins.min_collateral_factor_for_liquidation_e30),
            str(margins.min_collateral_factor_per_interest_e30.long),
            str(margins.min_collateral_factor_per_interest_e30.short),
            str(margins.max_impact_factor_for_liquidations_e30),
            str(margins.min_collateral_usd_e30),
        ],
    }


def decoded(row: Any) -> Posted | None:
    """Raises InputError ``BAD_VALUE``, TypeError, ValueError or LookupError."""
    if row is None:
        return None
    long_token, short_token = (PoolToken(*token) for token in row["tokens"])
    moves = row["long_is_index"]
    for token in (long_token, short_token):
        texts = type(token.address) is str and type(token.symbol) is str
        if not texts or type(token.decimals) is not int or not 0 <= token.decimals <= 30:
            raise InputError("BAD_VALUE", "no token")
    if moves is not None and type(moves) is not bool:
        raise InputError("BAD_VALUE", "no flag")
    return Posted(long_token, short_token, moves, _margins(row["margins"]))


def _margins(values: Any) -> Margins | None:
    if values is None:
        return None
    factor, for_liquidation, long, short, impact, usd = (
        load.uint({"value": value}, "value") for value in values
    )
    return Margins(factor, for_liquidation, Sided(long, short), impact, usd)


def at_price(prices: MarketPrices, index_usd_e30: int, posted: Posted) -> MarketPrices:
    """As they are when the index has moved there."""
    moved = replace(prices.index, min_usd_e30=index_usd_e30, max_usd_e30=index_usd_e30)
    long_token = moved if posted.long_is_index else prices.long_token
    return replace(prices, index=moved, long_token=long_token)
