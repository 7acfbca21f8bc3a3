"""What a builder has to know of the venue before it is asked anything: contracts, pairs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.base.markets import GAINS, AssetClass, MarketMap
from connectors.gains.orders.deployments import (
    DEPLOYMENTS,
    CollateralToken,
    Deployment,
    deployment,
)
from domain.errors import InputError
from domain.ids import MarketId
from domain.orders import OrderLeg

NATIVE: Final = "ETH"
"""What is posted in place of the wrapped coin, where that is a collateral."""


@dataclass(frozen=True, slots=True)
class PairRef:
    """``index``: the same on every chain."""

    index: int
    asset_class: AssetClass


@dataclass(frozen=True, slots=True)
class Posted:
    """A collateral, and whether the native coin is sent in its place."""

    token: CollateralToken
    native: bool


@dataclass(frozen=True, slots=True)
class Tables:
    pairs: Mapping[MarketId, PairRef]
    deployments: Mapping[int, Deployment]

    def pair(self, market: MarketId) -> PairRef:
        """Raises InputError ``UNKNOWN_MARKET``."""
        found = self.pairs.get(market)
        if found is None:
            raise InputError("UNKNOWN_MARKET", f"no pair of Gains: {market!s:.40}")
        return found

    def deployment(self, leg: OrderLeg) -> Deployment:
        """Raises InputError ``UNKNOWN_CHAIN``, or ``UNKNOWN_POOL`` for a pool of another chain."""
        found = deployment(self.deployments, leg.chain_id)
        chain, _, symbol = (leg.pool or "").partition(":")
        if chain != str(found.chain_id) or not symbol:
            raise InputError("UNKNOWN_POOL", f"no pool of chain {found.chain_id}: {leg.pool!s:.40}")
        return found

    def posted(self, leg: OrderLeg) -> Posted:
        """The pool's collateral.

        Raises InputError as ``deployment`` does, ``UNKNOWN_COLLATERAL``, or ``COLLATERAL`` where
        the leg posts another than the pool takes.
        """
        token = self.deployment(leg).by_symbol((leg.pool or "").partition(":")[2])
        native = token.wrapped_native and leg.collateral_symbol == NATIVE
        if not native and leg.collateral_symbol != token.symbol:
            raise InputError("COLLATERAL", f"{leg.pool} does not take {leg.collateral_symbol:.20}")
        return Posted(token, native)


def tables(market_map: MarketMap, deployments: Mapping[int, Deployment] = DEPLOYMENTS) -> Tables:
    """Of every market that the table gives a pair."""
    pairs = {}
    for market in market_map.markets(GAINS):
        key, asset_class = market_map.venue_key(GAINS, market), market_map.asset_class(market)
        if key is not None and asset_class is not None:
            pairs[market] = PairRef(int(key), asset_class)
    return Tables(pairs, deployments)
