"""A plain position in a pair without any impact, for rules that the computed cases do not reach."""

from dataclasses import replace

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.closing import (
    Market,
)
from connectors.gains.economics.depth import NO_DEPTH
from connectors.gains.economics.fees import (
    FeeShares,
    FeeTerms,
)
from connectors.gains.economics.impact import PairState
from connectors.gains.economics.limits import (
    Exposure,
    LeverageLimits,
)
from connectors.gains.economics.position import (
    Ledger,
    LiquidationTerms,
    Position,
    Trade,
    TradeInfo,
)
from connectors.gains.economics.scales import E10, E18, Collateral

USDC = Collateral(6, 10**8)
ONE = 10**6
PRICE = 100_000 * E10
FEES = FeeTerms(600_000_000, 10 * E10, 1_250_000, counter_multiplier_e3=400)
SHARES = FeeShares(5_000, 24_500, 4_000, 56_500, 15_000)
TERMS = LiquidationTerms(5 * 10**8, 90 * E10, 75 * E10, 25_000, 60_000)
LIMITS = LeverageLimits(1_100, 150_000, 50_000)
BARE = PairState(0, NO_DEPTH, NO_DEPTH, (0,) * 30, 0, 0, 0, 0, 0, 1_000)
MARKET = Market(USDC, BARE, FEES, SHARES)
TRADE = Trade(True, 1_000 * ONE, 10_000, PRICE, E18 // 10)
POSITION = Position(TRADE, TradeInfo(max_slippage_e3=1_000), Ledger(), TERMS)
NO_GROUP = OpenInterest(0, 0, 0)
FULL = Exposure(OpenInterest(0, 0, 9_999 * E10), NO_GROUP)
SOME_ROOM = Exposure(OpenInterest(0, 0, 10_000 * E10), NO_GROUP)


def short(position: Position) -> Position:
    return replace(position, trade=replace(position.trade, long=False))
