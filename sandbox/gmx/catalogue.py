"""The tokens and markets of the replica: every recorded one, with the price that each follows."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).parent.parent / "data" / "gmx"

# A price on the wire is USD with this many decimals, per smallest unit of the token.
_PRICE_DECIMALS: Final = 30


@dataclass(frozen=True, slots=True)
class Token:
    """A token with a ticker. It follows ``asset`` of a price process, times ``factor``; ``market``
    is the canonical market of that price, None for stablecoins and vault shares. ``spread`` is the
    recorded width of the ticker as a fraction of its middle."""

    address: str
    symbol: str
    decimals: int
    asset: str
    market: str | None
    factor: float
    spread: float
    recorded_price: float


@dataclass(frozen=True, slots=True)
class Pool:
    """A market of GMX: an index token and two collateral tokens. ``index`` is None for pools that
    only swap."""

    recorded: dict[str, Any]
    index: Token | None
    long: Token
    short: Token

    @property
    def market(self) -> str | None:
        return None if self.index is None else self.index.market


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``listed`` is the recorded answer of ``/tokens``, which also names tokens without ticker."""

    listed: dict[str, Any]
    tokens: tuple[Token, ...]
    pools: tuple[Pool, ...]

    @property
    def markets(self) -> list[str]:
        """Canonical names, each once."""
        return list(dict.fromkeys(pool.market for pool in self.pools if pool.market is not None))


def load_catalogue(folder: Path = DATA) -> Catalogue:
    """Tickers and markets in recorded order."""
    listed: dict[str, Any] = json.loads((folder / "tokens.json").read_bytes())
    tickers: list[dict[str, Any]] = json.loads((folder / "tickers.json").read_bytes())
    markets: list[dict[str, Any]] = json.loads((folder / "markets.json").read_bytes())["markets"]
    known = {token["address"]: token for token in listed["tokens"]}
    with (folder / "tokens.csv").open(newline="", encoding="utf-8") as file:
        follows = {row["token"]: row for row in csv.DictReader(file)}
    tokens = {}
    for ticker in tickers:
        address = ticker["tokenAddress"]
        tokens[address] = _token(ticker, known[address]["decimals"], follows[address])
    pools = tuple(
        Pool(
            recorded,
            tokens.get(recorded["indexToken"]),
            tokens[recorded["longToken"]],
            tokens[recorded["shortToken"]],
        )
        for recorded in markets
    )
    return Catalogue(listed, tuple(tokens.values()), pools)


def _token(ticker: dict[str, Any], decimals: int, follows: dict[str, str]) -> Token:
    lowest, highest = int(ticker["minPrice"]), int(ticker["maxPrice"])
    middle = (lowest + highest) / 2
    return Token(
        address=ticker["tokenAddress"],
        symbol=ticker["tokenSymbol"],
        decimals=decimals,
        asset=follows["market"] or ticker["tokenSymbol"],
        market=follows["market"] or None,
        factor=float(follows["factor"]),
        spread=(highest - lowest) / middle,
        recorded_price=middle / 10 ** (_PRICE_DECIMALS - decimals),
    )
