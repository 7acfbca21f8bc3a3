"""Ladders made in a process beside the feed: they take as long as hundreds of frames."""

from collections.abc import Mapping, Sequence

from aggregator.depth import Known
from aggregator.ladders import Ladder, ladders
from connectors.registry import ECONOMICS
from domain.ids import MarketId
from runtime import beside


async def price_beside(found: Mapping[MarketId, Known]) -> Sequence[Ladder]:
    """Raises BesideLost."""
    return await beside.call(_price, found)


def _price(found: Mapping[MarketId, Known]) -> list[Ladder]:
    return ladders(ECONOMICS, found)
