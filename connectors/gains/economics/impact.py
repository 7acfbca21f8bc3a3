"""What a fill adds to the oracle price: fixed spread, recent volume and skew of open interest.

Volume is counted per pair of a chain, skew per collateral, so fills differ between collaterals.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.gains.constants import PERCENT
from connectors.gains.economics.depth import Side, volume_impact_p
from connectors.gains.economics.scales import (
    E3,
    E10,
    WHOLE_P,
    Collateral,
    price_after_impact_e10,
    rounded_up,
    truncated,
)

_TRADER_SPREAD_P = PERCENT // E3


@dataclass(frozen=True, slots=True)
class PairFactors:
    """``cumulative_e10`` scales the volume in the windows, 0 = 1. ``protection_e10`` multiplies the
    volume impact of a profitable close within ``protection_blocks`` of the last increase, 0 = no
    such rule."""

    cumulative_e10: int = 0
    protection_e10: int = 0
    protection_blocks: int = 0
    exempt_on_open: bool = False
    exempt_after_protection: bool = False


@dataclass(frozen=True, slots=True)
class TraderTerms:
    """Terms of one trader. ``spread_e3``: percent added to the pair's; ``volume_multiplier_e3``:
    of the volume impact, 0 = 1."""

    spread_e3: int = 0
    volume_multiplier_e3: int = 0
    protection_whitelisted: bool = False


@dataclass(frozen=True, slots=True)
class PairState:
    """A pair in one collateral at one block. Volumes are sums over the windows that count now.

    ``above``, ``below``, ``offsets_ppm``: depth bands. Tokens are pair tokens, ``skew_depth_e18``
    0 = no skew. Only closes look at the ``block``.
    """

    spread_p: int
    above: Side
    below: Side
    offsets_ppm: tuple[int, ...]
    volume_long_usd_e18: int
    volume_short_usd_e18: int
    long_token_e18: int
    short_token_e18: int
    skew_depth_e18: int
    block: int = 0
    factors: PairFactors = field(default_factory=PairFactors)
    trader: TraderTerms = field(default_factory=TraderTerms)

    @property
    def total_spread_p(self) -> int:
        """Of the pair and the trader. Source: PairsStorageUtils.pairSpreadP, v10.2."""
        return self.spread_p + self.trader.spread_e3 * _TRADER_SPREAD_P

    @property
    def net_token_e18(self) -> int:
        return self.long_token_e18 - self.short_token_e18

    def counted_volume_usd_e18(self, *, up: bool) -> int:
        """Volume in the windows of the side that ``up`` moves, as much as it counts for."""
        volume = self.volume_long_usd_e18 if up else self.volume_short_usd_e18
        return volume * (self.factors.cumulative_e10 or E10) // E10

    @property
    def standing_p(self) -> int:
        return standing_skew_p(self.long_token_e18, self.short_token_e18, self.skew_depth_e18)


class Impact(NamedTuple):
    """Parts of a fill. ``position_token_e18``: size in pair tokens, stored with an opened trade."""

    position_token_e18: int
    fixed_spread_p: int
    volume_p: int
    skew_p: int
    total_p: int
    price_e10: int


def fixed_spread_p(spread_p: int, *, up: bool) -> int:
    """Half of the pair's spread, to the trader's disadvantage; ``up`` for a long that opens and a
    short that closes. Source: TradingCommonUtils.getFixedSpreadP, v10.2."""
    half = spread_p // 2
    return half if up else -half


def standing_skew_p(long_token_e18: int, short_token_e18: int, depth_e18: int) -> int:
    """Half of the collateral's net open interest against its depth: the same for both sides."""
    if not depth_e18:
        return 0
    return truncated((long_token_e18 - short_token_e18) * PERCENT, 2 * depth_e18)


def skew_impact_p(state: PairState, position_token_e18: int, *, up: bool) -> int:
    """Standing skew and half of what the trade changes it by.

    Source: PriceImpactUtils.getTradeSkewPriceImpactP, v10.2.
    """
    half = position_token_e18 // 2
    return standing_skew_p(
        state.long_token_e18 + (half if up else 0),
        state.short_token_e18 + (0 if up else half),
        state.skew_depth_e18,
    )


def protection_active(state: PairState, last_increase_block: int) -> bool:
    """Whether a profitable close would be multiplied now."""
    factors = state.factors
    return (
        factors.protection_e10 != 0
        and state.block <= last_increase_block + factors.protection_blocks
        and not state.trader.protection_whitelisted
    )


def cumulative_impact_p(
    size_usd_e18: int,
    state: PairState,
    *,
    long: bool,
    opening: bool,
    positive_pnl: bool = False,
    last_increase_block: int = 0,
) -> int:
    """Impact of recent volume and of the trade's own size. The last two arguments are of closes.

    Source: PriceImpactUtils.getTradeCumulVolPriceImpactP, v10.2.
    """
    factors, up = state.factors, long is opening
    protected = positive_pnl and not opening and protection_active(state, last_increase_block)
    exempt = factors.exempt_on_open if opening else factors.exempt_after_protection
    if exempt and not protected:
        return 0
    factor_e10 = factors.protection_e10 if protected else E10
    return volume_impact_p(
        state.counted_volume_usd_e18(up=up),
        size_usd_e18,
        state.above if up else state.below,
        state.offsets_ppm,
        up=up,
        factor_e10=factor_e10 * (state.trader.volume_multiplier_e3 or E3) // E3,
    )


def opening_impact(
    oracle_e10: int, size: int, collateral: Collateral, state: PairState, *, long: bool
) -> Impact:
    """Fill of an opening or an increase by ``size`` base units of collateral.

    Units: price e10. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: TradingCommonUtils.getTradeOpeningPriceImpact, v10.2.
    """
    spread_p = fixed_spread_p(state.total_spread_p, up=long)
    volume_p = cumulative_impact_p(collateral.usd_e18(size), state, long=long, opening=True)
    before_skew_e10 = price_after_impact_e10(oracle_e10, spread_p + volume_p)
    token_e18 = collateral.tokens_e18(size, before_skew_e10)
    skew_p = skew_impact_p(state, token_e18, up=long)
    total_p = spread_p + volume_p + skew_p
    return Impact(
        token_e18, spread_p, volume_p, skew_p, total_p, price_after_impact_e10(oracle_e10, total_p)
    )


def opening_loss_p(impact: Impact, leverage_e3: int, *, long: bool) -> int:
    """What spread and volume impact of an opening cost, in percent of the collateral; skew is not
    in it. Source: TradingCommonUtils.getNegativePnlFromOpeningPriceImpactP, v10.2."""
    cost_p = (impact.fixed_spread_p + impact.volume_p) * leverage_e3
    return truncated(cost_p if long else -cost_p, E3)


def market_price_e10(oracle_e10: int, standing_p: int) -> int:
    """The oracle price with standing skew: what take profits, stops and limits are compared with.

    The oracle price is the mark of the feed. Liquidations go by the price without skew: the index
    of the feed, and on chain the same oracle price, which knows no second one.
    Source: TradingCommonUtils.getMarketPrice, v10.2.
    """
    return price_after_impact_e10(oracle_e10, standing_p)


def oracle_from_market_e10(market_e10: int, standing_p: int) -> int:
    """The oracle price at which the market price is reached, rounded up.

    Source: TradingCommonUtils.deriveOraclePrice, v10.2.
    """
    return rounded_up(market_e10, WHOLE_P, WHOLE_P + standing_p)
