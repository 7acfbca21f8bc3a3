"""Inputs of pools at one moment, as the connector makes them."""

from dataclasses import fields

from connectors.gmx.economics.model import OpeningConfig, OpeningState
from connectors.gmx.economics.pricing import GmxInputs, PoolTerms
from tests.unit.connectors.gmx.economics import vectors as v

DECIMALS = {"ETH": 18, "BTC": 8}


def inputs(market: v.Given, decimals: int) -> GmxInputs:
    """With no more of the market than opening a position depends on."""
    config = OpeningConfig(
        **{f.name: getattr(market.config, f.name) for f in fields(OpeningConfig)}
    )
    state = OpeningState(**{f.name: getattr(market.state, f.name) for f in fields(OpeningState)})
    return GmxInputs(PoolTerms(decimals, config, state), market.prices)


STATES = [inputs(v.given(row), DECIMALS[row["market"]]) for row in v.STATES]
