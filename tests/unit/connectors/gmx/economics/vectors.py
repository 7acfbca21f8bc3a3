"""The contracts' own answers, read into the inputs of the formulas."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from connectors.gmx.economics import load
from connectors.gmx.economics.fees import PositionFees
from connectors.gmx.economics.margin import Health
from connectors.gmx.economics.model import (
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    Sided,
)

FOLDER = Path(__file__).parents[4] / "data" / "gmx" / "vectors"

Row = dict[str, Any]


def read(name: str) -> Row:
    body: Row = json.loads((FOLDER / name).read_bytes())
    return body


STATES: list[Row] = read("states.json")["states"]
LIFECYCLES: list[Row] = read("lifecycles.json")["lifecycles"]
REFUSALS: list[Row] = read("refusals.json")["refusals"]
FEES: Row = read("execution_fees.json")
LONG_TOKENS = {name: row["long"] for name, row in read("states.json")["markets"].items()}


class Given(NamedTuple):
    config: MarketConfig
    state: MarketState
    prices: MarketPrices


def prices(row: Row) -> MarketPrices:
    return load.market_prices(row["index"], row["long"], row["short"])


def given(row: Row) -> Given:
    """Of a row of states.json."""
    return Given(
        load.market_config(row["config"]), load.market_state(row["state"]), prices(row["prices"])
    )


def named(name: str, market: str = "ETH") -> Given:
    return given(next(r for r in STATES if r["name"] == name and r["market"] == market))


def config_of(market: str, in_tokens: bool) -> MarketConfig:
    """Lifecycles do not repeat the configuration; it is one per market, but for the switch."""
    found = {
        load.market_config({**row["config"], "USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE": in_tokens})
        for row in STATES
        if row["market"] == market
    }
    (config,) = found
    return config


def position(row: Row, market: str, collateral: str) -> Position:
    return load.position(
        row["numbers"],
        is_long=row["flags"]["isLong"],
        collateral_is_long_token=collateral == LONG_TOKENS[market],
    )


def text(value: object) -> Any:
    """As the files have it: integers as decimal strings."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return str(value)


def texts(**values: object) -> Row:
    return {name: text(value) for name, value in values.items()}


def by_token(value: Sided[Any]) -> Row:
    return {
        side: {"longToken": text(each.long_token), "shortToken": text(each.short_token)}
        for side, each in (("long", value.long), ("short", value.short))
    }


def health_row(found: Health) -> Row:
    """In the shape of Reader.isPositionLiquidatable."""
    return {
        "0": found.liquidatable,
        "1": found.reason,
        "2": texts(
            remainingCollateralUsd=found.remaining_usd_e30,
            minCollateralUsd=found.min_collateral_usd_e30,
            minCollateralUsdForLeverage=found.min_collateral_for_leverage_usd_e30,
        ),
    }


def fees_event(fees: PositionFees, given: Given, position: Position, size: int) -> Row:
    """The numbers of PositionFeesCollected."""
    collateral = given.prices.token(position.collateral_is_long_token)
    per_size = given.state.claimable_funding_per_size.of(position.is_long)
    paid = given.state.funding_fee_per_size.of(position.is_long)
    return texts(
        tradeSizeUsd=size,
        fundingFeeAmount=fees.funding.fee_units,
        claimableLongTokenAmount=fees.funding.claimable_long_token_units,
        claimableShortTokenAmount=fees.funding.claimable_short_token_units,
        latestFundingFeeAmountPerSize=paid.of(position.collateral_is_long_token),
        latestLongTokenClaimableFundingAmountPerSize=per_size.long_token,
        latestShortTokenClaimableFundingAmountPerSize=per_size.short_token,
        borrowingFeeUsd=fees.borrowing_usd_e30,
        borrowingFeeAmount=fees.borrowing_units,
        borrowingFeeReceiverFactor=given.config.borrowing_fee_receiver_factor_e30,
        borrowingFeeAmountForFeeReceiver=fees.borrowing_for_receiver_units,
        positionFeeFactor=fees.factor_e30,
        protocolFeeAmount=fees.protocol_units,
        positionFeeReceiverFactor=given.config.position_fee_receiver_factor_e30,
        feeReceiverAmount=fees.receiver_units,
        feeAmountForPool=fees.pool_units,
        positionFeeAmountForPool=fees.position_fee_for_pool_units,
        positionFeeAmount=fees.position_fee_units,
        totalCostAmount=fees.total_units,
        uiFeeReceiverFactor=0,
        uiFeeAmount=fees.ui_units,
    ) | {
        "collateralTokenPrice.min": text(collateral.min_usd_e30),
        "collateralTokenPrice.max": text(collateral.max_usd_e30),
    }


def fees_struct(stored: PositionFees, fees: PositionFees, given: Given, position: Position) -> Row:
    """``fees`` of Reader.getPositionInfo. The Reader brings borrowing and funding up to now and
    adds them to the totals, but leaves who gets what as it follows from the stored state."""
    collateral = given.prices.token(position.collateral_is_long_token)
    per_size = given.state.claimable_funding_per_size.of(position.is_long)
    paid = given.state.funding_fee_per_size.of(position.is_long)
    return {
        "referral": texts(
            totalRebateFactor=0,
            affiliateRewardFactor=0,
            adjustedAffiliateRewardFactor=0,
            traderDiscountFactor=0,
            totalRebateAmount=fees.affiliate_units + fees.discount_units,
            traderDiscountAmount=fees.discount_units,
            affiliateRewardAmount=fees.affiliate_units,
        ),
        "pro": texts(traderTier=0, traderDiscountFactor=0, traderDiscountAmount=0),
        "funding": texts(
            fundingFeeAmount=fees.funding.fee_units,
            claimableLongTokenAmount=fees.funding.claimable_long_token_units,
            claimableShortTokenAmount=fees.funding.claimable_short_token_units,
            latestFundingFeeAmountPerSize=paid.of(position.collateral_is_long_token),
            latestLongTokenClaimableFundingAmountPerSize=per_size.long_token,
            latestShortTokenClaimableFundingAmountPerSize=per_size.short_token,
        ),
        "borrowing": texts(
            borrowingFeeUsd=fees.borrowing_usd_e30,
            borrowingFeeAmount=fees.borrowing_units,
            borrowingFeeReceiverFactor=given.config.borrowing_fee_receiver_factor_e30,
            borrowingFeeAmountForFeeReceiver=fees.borrowing_for_receiver_units,
        ),
        "ui": texts(uiFeeReceiverFactor=0, uiFeeAmount=fees.ui_units),
        "liquidation": texts(
            liquidationFeeUsd=fees.liquidation_usd_e30,
            liquidationFeeAmount=fees.liquidation_units,
            liquidationFeeReceiverFactor=0,
            liquidationFeeAmountForFeeReceiver=fees.liquidation_for_receiver_units,
        ),
        "collateralTokenPrice": texts(min=collateral.min_usd_e30, max=collateral.max_usd_e30),
        **texts(
            positionFeeFactor=fees.factor_e30,
            protocolFeeAmount=fees.protocol_units,
            positionFeeReceiverFactor=given.config.position_fee_receiver_factor_e30,
            feeReceiverAmount=stored.receiver_units,
            feeAmountForPool=stored.pool_units,
            positionFeeAmountForPool=fees.position_fee_for_pool_units,
            positionFeeAmount=fees.position_fee_units,
            totalCostAmountExcludingFunding=fees.total_without_funding_units,
            totalCostAmount=fees.total_units,
            totalDiscountAmount=fees.discount_units,
        ),
    }


# Who and which order: nothing that follows from the numbers.
IDENTITIES = frozenset(
    (
        "account",
        "affiliate",
        "collateralToken",
        "market",
        "orderKey",
        "position",
        "positionKey",
        "referralCode",
        "trader",
        "uiFeeReceiver",
    )
)


def numbers(row: Row) -> Row:
    """A row of the files without identities, at every depth."""
    return {
        name: numbers(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if name not in IDENTITIES
    }


def state_row(state: MarketState) -> Row:
    """Under the DataStore's names, as the files have it."""
    found = texts(
        POSITION_IMPACT_POOL_AMOUNT=state.impact_pool_units,
        TOTAL_PENDING_IMPACT_AMOUNT=state.total_pending_impact_units,
        FUNDING_UPDATED_AT=state.funding_updated_at_s,
        SAVED_FUNDING_FACTOR_PER_SECOND=state.saved_funding_factor_e30,
        VIRTUAL_INVENTORY_FOR_POSITIONS=state.virtual_position_usd_e30,
        VIRTUAL_INVENTORY_FOR_POSITIONS_IN_TOKENS=state.virtual_position_units,
    )
    for name, tokens in (
        ("POOL_AMOUNT", state.pool_units),
        ("SWAP_IMPACT_POOL_AMOUNT", state.swap_impact_pool_units),
        ("VIRTUAL_INVENTORY_FOR_SWAPS", state.virtual_pool_units),
    ):
        assert tokens is not None
        found[f"{name}.longToken"] = text(tokens.long_token)
        found[f"{name}.shortToken"] = text(tokens.short_token)
    for name, sides in (
        ("OPEN_INTEREST", state.open_interest_usd_e30),
        ("OPEN_INTEREST_IN_TOKENS", state.open_interest_units),
        ("COLLATERAL_SUM", state.collateral_sum_units),
        ("FUNDING_FEE_AMOUNT_PER_SIZE", state.funding_fee_per_size),
        ("CLAIMABLE_FUNDING_AMOUNT_PER_SIZE", state.claimable_funding_per_size),
    ):
        for side, row in by_token(sides).items():
            found |= {f"{name}.{token}.{side}": value for token, value in row.items()}
    for name, values in (
        ("CUMULATIVE_BORROWING_FACTOR", state.cumulative_borrowing_factor_e30),
        ("CUMULATIVE_BORROWING_FACTOR_UPDATED_AT", state.borrowing_updated_at_s),
        ("TOTAL_BORROWING", state.total_borrowing_usd_e30),
    ):
        found |= {f"{name}.long": text(values.long), f"{name}.short": text(values.short)}
    return found
