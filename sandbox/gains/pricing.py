"""What a trade of gTrade comes to at an oracle price: fill, result, fees, liquidation. Pure; the
integers of the contract: prices and percentages with 10 decimals, leverage in thousandths.

Source: gTrade's ``TradingCommonUtils.sol`` and ``TradingCallbacksUtils.sol``, v10, without the
impact of volume, and without funding and borrowing fees."""

from dataclasses import dataclass
from typing import Final

from sandbox.gains.catalogue import Collateral, Pair
from sandbox.gains.interest import E10, E18, Interest, at_percent, truncated
from sandbox.gains.requests import Holding, Trade

_HUNDRED: Final = 100 * E10
_GOV_SHARE_E3: Final = 245
_LIQUIDATION: Final = (90 * E10, 75 * E10, 25_000, 60_000)
_MAX_LIQUIDATION_SPREAD: Final = 5 * E10 // 100


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a pair in a collateral at one moment. ``fee_p``: of a size, with 12 decimals;
    ``least_usd_e18``: size that pays a fee at least."""

    pair: Pair
    collateral: Collateral
    interest: Interest
    oracle: int
    collateral_price_usd_e8: int
    fee_p: int
    least_usd_e18: int

    def collateral_of(self, usd_e18: int) -> int:
        whole = usd_e18 * 10**8 // self.collateral_price_usd_e8
        return whole * self.collateral.unit // E18

    @property
    def least_fee(self) -> int:
        return self.collateral_of(self.least_usd_e18 * self.fee_p // 10**12)

    @property
    def cancel_fee(self) -> int:
        """What a refused request costs."""
        return self.least_fee // 2 * _GOV_SHARE_E3 // 1000

    def fee(self, size: int) -> int:
        return max(size * self.fee_p // 10**12, self.least_fee)


@dataclass(frozen=True, slots=True)
class Impact:
    """Fields in the order of the contract's events; percentages signed."""

    tokens: int
    fixed_spread_p: int
    volume_p: int
    skew_p: int
    total_p: int
    price: int


def impact(terms: Terms, *, long: bool, opens: bool, size: int, tokens: int = 0) -> Impact:
    """``tokens``: of a position that is closed; of one that is opened they follow from its size."""
    sign = 1 if long == opens else -1
    spread_p = sign * (int(terms.pair.spread_p) // 2)
    if opens:
        before_skew = at_percent(terms.oracle, spread_p)
        tokens = size * E18 // terms.collateral.unit * E10 // before_skew
    skew_p = terms.interest.skew_p_e10(sign * tokens)
    total_p = spread_p + skew_p
    return Impact(tokens, spread_p, 0, skew_p, total_p, at_percent(terms.oracle, total_p))


def pnl_p(trade: Trade, price: int) -> int:
    """Percent of the collateral, at least -100."""
    moved = price - trade.open_price if trade.long else trade.open_price - price
    won = truncated(moved * 100 * E10 * trade.leverage, trade.open_price * 1000)
    return max(-_HUNDRED, won)


def of_percent(amount: int, percent: int) -> int:
    return truncated(amount * percent, _HUNDRED)


def value(holding: Holding, price: int, closing_fee: int) -> int:
    """What the trader gets for all of it."""
    trade = holding.trade
    worth = trade.collateral + of_percent(trade.collateral, pnl_p(trade, price))
    worth += holding.realized_pnl - holding.realized_fees - closing_fee
    return max(0, worth)


def liquidation_price(trade: Trade, terms: Terms, costs: int) -> int:
    """``costs``: fees that are realized and that of closing, less results that are realized."""
    if trade.collateral == 0:
        return 0
    spread_p = min(int(terms.pair.spread_p) // 2, _MAX_LIQUIDATION_SPREAD)
    left = of_percent(trade.collateral, _threshold_p(trade.leverage)) - costs
    distance = truncated(trade.open_price * left * 1000, trade.collateral * trade.leverage)
    distance -= trade.open_price * spread_p // _HUNDRED
    return max(0, trade.open_price - distance if trade.long else trade.open_price + distance)


def is_beyond(price: int, limit: int, *, falls: bool) -> bool:
    """Whether a price has come to a limit that it reaches by falling, or else by rising."""
    return price <= limit if falls else price >= limit


def slips(price: int, expected: int, max_slippage_p: int, *, buys: bool) -> bool:
    """Whether a fill is worse than was asked for; percent in thousandths, 0 for 1 %."""
    bound = expected * (max_slippage_p or 1000) // 100_000
    return price > expected + bound if buys else price < expected - bound


def _threshold_p(leverage: int) -> int:
    first, last, start, end = _LIQUIDATION
    reached = min(max(leverage, start), end) - start
    return first - (first - last) * reached // (end - start)
