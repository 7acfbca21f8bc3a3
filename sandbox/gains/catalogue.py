"""What is listed: every pair of the recorded list under its own index, and the chains with their
collaterals."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).parent.parent / "data" / "gains"

# Trailing slots that the contract has but nobody uses, as the recorded list has them.
UNUSED_SLOTS: Final = 8

# Depth falls geometrically from the first to the last quoted pair; USD, whole sides.
_DEPTH_USD: Final = (25_000_000.0, 150_000.0)
_MAX_OI_USD: Final = (60_000_000.0, 400_000.0)
# Share of the batches in which a pair is quoted; the others' prints are older.
_MAJOR_SHARE: Final = 0.75
_CORE_SHARE: Final = 0.4
_OTHER_SHARE: Final = 0.15
_MAJORS: Final = frozenset((0, 1, 33, 19, 47))


@dataclass(frozen=True, slots=True)
class Pair:
    """One slot of the list. ``market`` is the canonical market whose price it quotes, or None when
    the slot only exists: delisted, or without a price in the process."""

    index: int
    base: str
    quote: str
    asset_class: str
    market_type: str
    spread_p: str
    group_index: str
    fee_index: str
    max_leverage: int
    market: str | None
    rank: float  # 0 for the largest quoted pair, 1 for the smallest

    @property
    def name(self) -> str:
        return f"{self.base}/{self.quote}"

    @property
    def is_core(self) -> bool:
        return self.market_type == "core"

    @property
    def depth_usd(self) -> int:
        return int(_between(_DEPTH_USD, self.rank))

    @property
    def max_oi_usd(self) -> float:
        return _between(_MAX_OI_USD, self.rank)

    @property
    def share(self) -> float:
        if self.index in _MAJORS:
            return _MAJOR_SHARE
        return _CORE_SHARE if self.is_core else _OTHER_SHARE


@dataclass(frozen=True, slots=True)
class Collateral:
    """A token that trades are backed with. ``price_usd`` None: the price of ETH-USD."""

    index: int
    token: str
    symbol: str
    is_active: bool
    decimals: int
    vault: str
    price_usd: float | None
    share_of_oi: float

    @property
    def unit(self) -> int:
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True)
class ChainSpec:
    chain_id: int
    block_us: int
    scale: float  # of open interest and trading, Arbitrum = 1
    collaterals: tuple[Collateral, ...]


def load_pairs() -> list[Pair]:
    """Position = pairIndex."""
    with (DATA / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    quoted = [row for row in rows if row["market"]]
    # Low indices were listed first and are the larger ones.
    ranks = {row["pair_index"]: i / (len(quoted) - 1) for i, row in enumerate(quoted)}
    return [
        Pair(
            index=int(row["pair_index"]),
            base=row["from"],
            quote=row["to"],
            asset_class=row["asset_class"],
            market_type=row["market_type"],
            spread_p=row["spread_p"],
            group_index=row["group_index"],
            fee_index=row["fee_index"],
            max_leverage=int(row["max_leverage"]),
            market=row["market"] or None,
            rank=ranks.get(row["pair_index"], 1.0),
        )
        for row in rows
    ]


def load_chains() -> list[ChainSpec]:
    chains: list[dict[str, Any]] = json.loads((DATA / "chains.json").read_bytes())
    return [
        ChainSpec(
            chain_id=chain["chainId"],
            block_us=chain["blockUs"],
            scale=chain["scale"],
            collaterals=tuple(
                Collateral(
                    index=collateral["collateralIndex"],
                    token=collateral["collateral"],
                    symbol=collateral["symbol"],
                    is_active=collateral["isActive"],
                    decimals=collateral["decimals"],
                    vault=collateral["gToken"],
                    price_usd=collateral["priceUsd"],
                    share_of_oi=collateral["shareOfOi"],
                )
                for collateral in chain["collaterals"]
            ),
        )
        for chain in chains
    ]


def load_parameters() -> dict[str, Any]:
    """What ``/trading-variables`` says that is neither of a pair nor of a collateral."""
    parameters: dict[str, Any] = json.loads((DATA / "parameters.json").read_bytes())
    return parameters


def _between(ends: Sequence[float], part: float) -> float:
    first, last = ends
    return float(first * (last / first) ** part)
