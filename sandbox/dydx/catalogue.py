"""The markets of the replica: every one of a recorded list, with how busy each is to be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.units import Grid

RECORDED_MARKETS: Final = (
    Path(__file__).parent.parent / "data" / "dydx" / "list_perpetual_markets.json"
)

# (markets, first, last): book updates a second fall geometrically over the rank by volume.
_MAJORS: Final = (10, 50.0, 15.0)
_MIDDLE: Final = (35, 15.0, 5.0)
_SMALL_FIRST: Final = 3.0
_SMALL_LAST: Final = 0.2

# Depth and spread run from the most to the least traded market.
_LEVEL_USD: Final = (60_000.0, 150.0)
_HALF_SPREAD_BPS: Final = (0.5, 12.0)

_BLOCKS_A_DAY: Final = 86_400 / 0.8
_TRADES_FLOOR_A_DAY: Final = 2_000
_TRADES_FACTOR: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """One recorded market and its behaviour in the replica."""

    ticker: str
    recorded: dict[str, Any]
    price_grid: Grid
    size_grid: Grid
    updates_per_s: float
    trades_per_block: float
    level_usd: float
    half_spread_bps: float
    oracle_decimals: int
    oracle_move_bps: float

    @property
    def is_trading(self) -> bool:
        """False for markets that were recorded out of trading: they stay as they are."""
        return bool(self.recorded["status"] == "ACTIVE")


def load_listings(path: Path = RECORDED_MARKETS) -> list[Listing]:
    """Every recorded market, most traded first."""
    markets: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["markets"]
    ranked = sorted(markets.values(), key=lambda market: -float(market["volume24H"]))
    return [_listing(market, rank, len(ranked)) for rank, market in enumerate(ranked)]


def _listing(recorded: dict[str, Any], rank: int, count: int) -> Listing:
    oracle_price: str = recorded["oraclePrice"]
    part = rank / (count - 1)
    trades_a_day = max(int(recorded["trades24H"]), _TRADES_FLOOR_A_DAY) * _TRADES_FACTOR
    return Listing(
        ticker=recorded["ticker"],
        recorded=recorded,
        price_grid=Grid(recorded["tickSize"]),
        size_grid=Grid(recorded["stepSize"]),
        updates_per_s=_updates_per_s(rank, count),
        trades_per_block=trades_a_day / _BLOCKS_A_DAY,
        level_usd=_between(_LEVEL_USD, part),
        half_spread_bps=_between(_HALF_SPREAD_BPS, part),
        oracle_decimals=len(oracle_price.partition(".")[2]),
        oracle_move_bps=2.0 if rank < _MAJORS[0] else 5.0,
    )


def _updates_per_s(rank: int, count: int) -> float:
    for size, first, last in (_MAJORS, _MIDDLE):
        if rank < size:
            return _between((first, last), rank / (size - 1))
        rank -= size
        count -= size
    return _between((_SMALL_FIRST, _SMALL_LAST), rank / max(1, count - 1))


def _between(ends: Sequence[float], part: float) -> float:
    """Geometric interpolation: ``part`` 0 gives the first end, 1 the last."""
    first, last = ends
    return float(first * (last / first) ** part)
