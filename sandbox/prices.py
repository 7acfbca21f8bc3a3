"""The seeded price process that every venue replica follows. Pure: time is an argument.

Log returns are one common factor, one factor a sector and a part of their own, so that assets move
together as real ones do. Steps lie on a fixed grid: the same seed gives the same prices whatever
the moments at which it is read."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

STEP_US: Final = 100_000
ASSETS_FILE: Final = Path(__file__).parent / "data" / "assets.csv"

# Weights of the common and of the sector factor in an asset's return; squares sum below 1 and the
# rest is its own. Pairs of large crypto assets come out at a correlation near 0.8, others near 0.5.
SECTORS: Final[Mapping[str, tuple[float, float]]] = {
    "major": (0.85, 0.30),
    "layer1": (0.72, 0.28),
    "layer2": (0.68, 0.35),
    "defi": (0.66, 0.32),
    "meme": (0.58, 0.42),
    "ai": (0.60, 0.45),
    "gaming": (0.64, 0.36),
    "payments": (0.70, 0.25),
    "forex": (0.0, 0.60),
    "stocks": (0.0, 0.55),
    "indices": (0.0, 0.90),
    "commodities": (0.0, 0.55),
}
# These draw from a generator of their own: having them leaves the walks of crypto as they are.
_NOT_CRYPTO: Final = ("forex", "stocks", "indices", "commodities")

_YEAR_S: Final = 365 * 86_400
# After a pause of the process (a suspended machine) prices go on from where they were.
_MAX_CATCH_UP_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Asset:
    """Where a market starts and how it moves."""

    market: str
    price: float
    annual_vol: float
    sector: str


def load_assets(path: Path = ASSETS_FILE) -> list[Asset]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Asset(row["market"], float(row["price"]), float(row["annual_vol"]), row["sector"])
            for row in csv.DictReader(file)
        ]


class PriceProcess:
    """Correlated geometric random walks. ``values`` holds the price of every market, in USD, in
    the order of ``markets``."""

    def __init__(self, assets: Sequence[Asset], seed: int) -> None:
        self.markets: tuple[str, ...] = tuple(asset.market for asset in assets)
        self._index = {market: i for i, market in enumerate(self.markets)}
        others = np.array([asset.sector in _NOT_CRYPTO for asset in assets])
        sectors = sorted({asset.sector for asset in assets}, key=_crypto_first)
        crypto_sectors = sum(sector not in _NOT_CRYPTO for sector in sectors)
        # Factors come first in what a generator draws, then what is the assets' own.
        self._generators = (
            (np.random.default_rng(seed), 1 + crypto_sectors, int((~others).sum())),
            (np.random.default_rng((seed, 1)), len(sectors) - crypto_sectors, int(others.sum())),
        )
        common = np.array([SECTORS[asset.sector][0] for asset in assets])
        sector = np.array([SECTORS[asset.sector][1] for asset in assets])
        step_vol = np.array([asset.annual_vol for asset in assets])
        step_vol *= math.sqrt(STEP_US / 1e6 / _YEAR_S)
        self._of_sector = np.array([sectors.index(asset.sector) for asset in assets])
        self._others = others
        self._common = step_vol * common
        self._sector = step_vol * sector
        self._own = step_vol * np.sqrt(1 - common**2 - sector**2)
        self._drift = -(step_vol**2) / 2
        self._log = np.log(np.array([asset.price for asset in assets]))
        self._next_us: int | None = None
        self.values: list[float] = [asset.price for asset in assets]
        # Counts calls of ``set``, so that followers need not wait for their next event.
        self.jumps = 0

    def __contains__(self, market: str) -> bool:
        return market in self._index

    def index(self, market: str) -> int:
        return self._index[market]

    def price(self, market: str) -> float:
        return self.values[self._index[market]]

    def advance(self, now_us: int) -> None:
        """Moves to the last grid step at or before ``now_us``; the first call only starts it."""
        if self._next_us is None or now_us - self._next_us > _MAX_CATCH_UP_US:
            self._next_us = now_us + STEP_US
        if now_us < self._next_us:
            return
        while self._next_us <= now_us:
            self._next_us += STEP_US
            self._step()
        self.values = np.exp(self._log).tolist()

    def set(self, prices: Mapping[str, float]) -> None:
        """Puts markets at given prices; they walk on from there."""
        self.jumps += 1
        for market, price in prices.items():
            i = self._index[market]
            self._log[i] = math.log(price)
            self.values[i] = price

    def _step(self) -> None:
        own = np.empty(len(self._log))
        (first, factors, count), (second, other_factors, other_count) = self._generators
        draws = first.standard_normal(factors + count)
        other_draws = second.standard_normal(other_factors + other_count)
        own[~self._others] = draws[factors:]
        own[self._others] = other_draws[other_factors:]
        of_sectors = np.concatenate((draws[1:factors], other_draws[:other_factors]))
        self._log += self._drift
        self._log += self._common * draws[0]
        self._log += self._sector * of_sectors[self._of_sector]
        self._log += self._own * own


def _crypto_first(sector: str) -> tuple[bool, str]:
    return sector in _NOT_CRYPTO, sector
