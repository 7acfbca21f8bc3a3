"""Ladders for sizes that somebody asks for, from the depth that the feed publishes."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from api.depth import DepthReader
from api.problems import Unavailable
from connectors.base.economics import Economics
from connectors.base.ladders import OpenPool, cells_of
from domain.errors import InputError
from domain.ids import VenueId
from domain.ladder import SIDES, SplitRow, exact_rows, ladder_data, points_of, splits_of
from domain.units import minimal
from runtime.channels import ladder_room

TURN_S: Final = 1.0
"""Whoever waits longer for others is told so."""


class LadderPricer:
    """Prices one request at a time, in pieces of a pool and side between which the loop has its
    turn: a price takes some 0.1 ms, and ten sizes at ten pools are two hundred."""

    def __init__(
        self, economics: Mapping[VenueId, Economics], service_fee_bps: Decimal = Decimal(0)
    ) -> None:
        self._economics = economics
        self._service_fee_bps = service_fee_bps
        self._depth = DepthReader(economics)
        self._turn = asyncio.Lock()

    async def price(self, depth: bytes, sizes_usd: Sequence[Decimal]) -> dict[str, Any]:
        """The ``ladder`` envelope of these sizes.

        Raises Unavailable ``BUSY``, or ``FEED_UNAVAILABLE`` for a depth that cannot be read.
        """
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("BUSY", "too many ladders are asked for") from None
        try:
            return await self._price(depth, sizes_usd)
        except (InputError, KeyError, TypeError, ValueError) as error:
            why = "this gateway cannot read what the feed says of the depth"
            raise Unavailable("FEED_UNAVAILABLE", why) from error
        finally:
            self._turn.release()

    async def _price(self, raw: bytes, sizes_usd: Sequence[Decimal]) -> dict[str, Any]:
        content, pools = await self._depth.read(raw)
        rows = []
        for side in SIDES:
            costs = []
            for pool in pools:
                costs.append([self._depth.cost(pool, side, size) for size in sizes_usd])
                await asyncio.sleep(0)
            rows.append(exact_rows([pool.place for pool in pools], costs))
        mid = content["mid"]
        splits = self._splits(pools, sizes_usd, mid)
        names = [minimal(size) for size in sizes_usd]
        excluded, fee_bps = content["excluded"], self._service_fee_bps
        return {
            "type": "snapshot",
            "room": ladder_room(content["market"]),
            **{name: content[name] for name in _STAMP},
            "data": ladder_data(names, rows, splits, mid, excluded, fee_bps),
        }

    def _splits(
        self, pools: Sequence[OpenPool], sizes_usd: Sequence[Decimal], mid: str | None
    ) -> list[Sequence[SplitRow]]:
        if len(pools) < 2 or mid is None:
            return [[None] * len(sizes_usd) for _ in SIDES]
        points = points_of([float(size) for size in sizes_usd])
        cells = cells_of(self._economics, pools, points)
        places = [[pool.place for pool in pools]]
        found = splits_of(cells, points, places, np.array([float(mid)]))
        return [of_side[0] for of_side in found]


_STAMP: Final = ("seq", "epoch", "cause", "received_us", "published_us")
