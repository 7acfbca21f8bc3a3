"""The ``depth`` keys of the feed, read: pools that can be priced here as well as there."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from connectors.base.economics import Economics
from connectors.base.ladders import NO_TOUCH, OpenPool
from domain.costs import OrderSide, PoolCost, UnpricedPool
from domain.errors import StaleQuote
from domain.ids import VenueId
from domain.ladder import SIDES, Place
from runtime.wire import DEPTH_VERSION

CLOSED: Final = frozenset({"CLOSED", "HOURS"})
"""Why a venue has no price of a market that it will have again."""


class DepthReader:
    """Raises InputError, KeyError, TypeError or ValueError for what it cannot read."""

    def __init__(self, economics: Mapping[VenueId, Economics]) -> None:
        self._economics = economics

    async def read(self, raw: bytes) -> tuple[Mapping[str, Any], list[OpenPool]]:
        """The content and its pools; others have their turn between two of them."""
        content = orjson.loads(raw)
        if content["version"] != DEPTH_VERSION:
            raise ValueError(f"version {content['version']}")
        pools = []
        for row in content["pools"]:
            pools.append(self._pool(row))
            await asyncio.sleep(0)
        return content, pools

    def _pool(self, row: Mapping[str, Any]) -> OpenPool:
        venue = VenueId(row["venue"])
        place = Place(
            venue, row["pool"], _usd(row["gas_usd"]), _usd(row["execution_fee_usd"]),
            row["decimals"],
        )  # fmt: skip
        buys, sells = (side in row["sides"] for side in SIDES)
        return OpenPool(place, self._economics[venue].decode(row["inputs"]), (buys, sells))

    def cost(self, pool: OpenPool, side: OrderSide, size_usd: Decimal) -> PoolCost:
        """What a size costs there, exactly."""
        place = pool.place
        if not pool.sides[SIDES.index(side)]:
            return UnpricedPool(place.venue, place.pool, side, size_usd, NO_TOUCH)
        return self._economics[place.venue].price(place.pool, pool.inputs, side, size_usd)


def _usd(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def unpriced(excluded: Sequence[Mapping[str, Any]]) -> StaleQuote:
    if any(row["reason"] in CLOSED for row in excluded):
        return StaleQuote("MARKET_CLOSED", "no venue trades it at this hour")
    return StaleQuote("QUOTE_STALE", "no venue backs a price now")
