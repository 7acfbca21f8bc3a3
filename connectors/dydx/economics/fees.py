"""Trading fees: the tiers, and what a fill pays.

Source: dydxprotocol/v4-documentation ``concepts/trading/rewards`` of 2026-04 (governance changes
the table; the live one is ``/dydxprotocol/v4/feetiers/perpetual_fee_params`` of a node),
v4-chain ``x/feetiers/keeper/keeper.go``, ``x/clob/keeper/process_single_match.go``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from connectors.dydx.economics.terms import PPM
from domain import exact
from domain.errors import InputError

_USDC: Final = 10**6
_MILLION: Final = 10**6 * _USDC


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Fees in ppm of the notional, negative is a rebate; what a trader must have traded in 30 days.

    ``volume_e6``: maker and taker together, quote quantums. ``total_share_ppm``,
    ``maker_share_ppm``: of the volume of all traders.
    """

    name: str
    volume_e6: int
    taker_ppm: int
    maker_ppm: int
    total_share_ppm: int = 0
    maker_share_ppm: int = 0


FEE_TIERS: Final = (
    FeeTier("1", 0, 500, 100),
    FeeTier("2", 1 * _MILLION, 450, 100),
    FeeTier("3", 5 * _MILLION, 400, 50),
    FeeTier("4", 25 * _MILLION, 350, 0),
    FeeTier("5", 50 * _MILLION, 300, 0),
    FeeTier("6", 100 * _MILLION, 250, -70),
    FeeTier("7", 200 * _MILLION, 250, -110),
)


def tiers_of(body: dict[str, Any]) -> tuple[FeeTier, ...]:
    """The live table as a node answers it.

    Raises InputError ``BAD_TIERS`` for a table the chain would refuse, KeyError, TypeError and
    ValueError for other shapes.
    """
    tiers = tuple(
        FeeTier(
            str(row["name"]),
            int(row["absoluteVolumeRequirement"]),
            int(row["takerFeePpm"]),
            int(row["makerFeePpm"]),
            int(row["totalVolumeShareRequirementPpm"]),
            int(row["makerVolumeShareRequirementPpm"]),
        )
        for row in body["params"]["tiers"]
    )
    needs = [(tier.volume_e6, tier.total_share_ppm, tier.maker_share_ppm) for tier in tiers]
    if not tiers or needs[0] != (0, 0, 0):
        raise InputError("BAD_TIERS", "the first tier must be for everybody")
    if any(now < before for a, b in pairwise(needs) for before, now in zip(a, b, strict=True)):
        raise InputError("BAD_TIERS", "tiers out of order")
    if min(tier.maker_ppm for tier in tiers) + min(tier.taker_ppm for tier in tiers) < 0:
        raise InputError("BAD_TIERS", "rebates above fees")
    return tiers


def tier_for(
    maker_e6: int, taker_e6: int, all_e6: int = 0, tiers: Sequence[FeeTier] = FEE_TIERS
) -> FeeTier:
    """The last tier of the unbroken row whose needs the 30-day volumes meet.

    Units: quote quantums; ``all_e6`` is the volume of all traders, for tables that ask for shares.
    Source: ``x/feetiers/keeper/keeper.go`` getUserFeeTier.
    """
    found = tiers[0]
    for tier in tiers:
        if (
            maker_e6 + taker_e6 < tier.volume_e6
            or maker_e6 + taker_e6 < all_e6 * tier.total_share_ppm // PPM
            or maker_e6 < all_e6 * tier.maker_share_ppm // PPM
        ):
            break
        found = tier
    return found


def charged_ppm(fee_ppm: int, market_charge_ppm: int = PPM, staking_discount_ppm: int = 0) -> int:
    """The fee after a market's discount (the share that is charged) and, unless it is a rebate, the
    one for staking (the share that is not). Rounding: toward zero, as the chain's int32.

    Source: ``x/feetiers/keeper/keeper.go`` GetPerpetualFeePpm.
    """
    fee = exact.trunc_div(fee_ppm * market_charge_ppm, PPM)
    if fee > 0 and staking_discount_ppm > 0:
        fee = fee * (PPM - staking_discount_ppm) // PPM
    return fee


def fee_e6(quote_e6: int, fee_ppm: int) -> int:
    """Fee of one fill in quote quantums, rounded up: a rebate shrinks.

    Source: ``x/clob/keeper/process_single_match.go`` persistMatchedOrders.
    """
    return exact.ceil_div(quote_e6 * fee_ppm, PPM)


def fee_bps(fee_ppm: int) -> Decimal:
    """Parts per million as basis points; exact."""
    return Decimal(f"{fee_ppm}E-2")
