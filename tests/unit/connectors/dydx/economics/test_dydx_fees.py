"""Fee tiers, discounts and recorded fees."""

import json
from typing import Any

import pytest

from connectors.dydx.economics.fees import (
    FEE_TIERS,
    FeeTier,
    charged_ppm,
    fee_bps,
    fee_e6,
    tier_for,
    tiers_of,
)
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import D, usdc

M = usdc("1000000")


@pytest.mark.parametrize(
    ("millions", "name", "taker", "maker"),
    [
        (0, "1", "5", "1"), (1, "2", "4.5", "1"), (5, "3", "4", "0.5"), (25, "4", "3.5", "0"),
        (50, "5", "3", "0"), (100, "6", "2.5", "-0.7"), (200, "7", "2.5", "-1.1"),
        (10_000, "7", "2.5", "-1.1"),
    ],
)  # fmt: skip
def test_the_documented_table(millions: int, name: str, taker: str, maker: str) -> None:
    tier = tier_for(0, millions * M)
    assert (tier.name, fee_bps(tier.taker_ppm), fee_bps(tier.maker_ppm)) == (
        name,
        D(taker),
        D(maker),
    )
    assert tier_for(millions * M, 0) == tier
    if millions in (1, 5, 25, 50, 100, 200):
        assert tier_for(1, millions * M - 2) != tier
        assert tier_for(1, millions * M - 1) == tier


# Recorded fills: price, size, fee, of which the ppm is 500 for takers and 100 for makers.
@pytest.mark.parametrize(
    ("price", "size", "ppm", "fee"),
    [
        ("3178.5", "0.002", 500, "0.003179"),
        ("3176.3", "0.001", 500, "0.001589"),
        ("2477.6", "0.002", 100, "0.000496"),
        ("2437", "0.001", 500, "0.001219"),
        ("2620.1", "0.001", 500, "0.001311"),
        ("2624.7", "0.001", 500, "0.001313"),
        ("90000", "0.01", 500, "0.45"),
    ],
)
def test_recorded_fees_are_rounded_up(price: str, size: str, ppm: int, fee: str) -> None:
    assert fee_e6(usdc(str(D(price) * D(size))), ppm) == usdc(fee)


def test_a_rebate_is_rounded_against_the_maker() -> None:
    assert fee_e6(9_999, -110) == -1
    assert fee_e6(9_999, 110) == 2
    assert fee_e6(9_090, -110) == 0


def test_discounts() -> None:
    assert charged_ppm(500) == 500
    assert charged_ppm(500, market_charge_ppm=500_000) == 250
    assert charged_ppm(500, staking_discount_ppm=50_000) == 475
    assert charged_ppm(499, market_charge_ppm=500_000, staking_discount_ppm=500_000) == 124
    assert charged_ppm(500, market_charge_ppm=0, staking_discount_ppm=500_000) == 0
    # Rebates get the market's share, cut toward zero, and no discount for staking.
    assert charged_ppm(-111, market_charge_ppm=500_000, staking_discount_ppm=500_000) == -55


def node_row(**change: Any) -> dict[str, Any]:
    row = {
        "name": "1", "absoluteVolumeRequirement": "0", "totalVolumeShareRequirementPpm": 0,
        "makerVolumeShareRequirementPpm": 0, "makerFeePpm": -110, "takerFeePpm": 500,
    }  # fmt: skip
    return row | change


def test_a_live_table_replaces_the_documented_one() -> None:
    body = {
        "params": {
            "tiers": [
                node_row(),
                node_row(name="2", absoluteVolumeRequirement=str(M), takerFeePpm=450),
                node_row(
                    name="3",
                    absoluteVolumeRequirement=str(125 * M),
                    totalVolumeShareRequirementPpm=5_000,
                    makerVolumeShareRequirementPpm=10_000,
                    takerFeePpm=250,
                ),
            ]
        }
    }
    tiers = tiers_of(json.loads(json.dumps(body)))
    assert tiers[1] == FeeTier("2", M, 450, -110)
    assert tier_for(M, 200 * M, 1_000 * M, tiers).name == "2"  # 0.1 % of all as a maker
    assert tier_for(10 * M, 200 * M, 1_000 * M, tiers).name == "3"
    assert tier_for(10 * M, 200 * M, 100_000 * M, tiers).name == "2"  # 0.2 % of all


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [node_row(absoluteVolumeRequirement="1")],
        [node_row(), node_row(absoluteVolumeRequirement="2"), node_row()],
        [node_row(takerFeePpm=100)],
    ],
)
def test_a_table_the_chain_would_refuse_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError) as refused:
        tiers_of({"params": {"tiers": rows}})
    assert refused.value.code == "BAD_TIERS"


def test_the_own_table_is_one_the_chain_would_take() -> None:
    needs = [tier.volume_e6 for tier in FEE_TIERS]
    assert needs == sorted(needs)
    assert needs[0] == 0
    assert min(t.taker_ppm for t in FEE_TIERS) + min(t.maker_ppm for t in FEE_TIERS) >= 0
