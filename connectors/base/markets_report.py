"""Compare the market map with a market list of a venue, for whoever edits `markets.toml`.

    python -m connectors.base.markets_report dydx  perpetualMarkets.json
    python -m connectors.base.markets_report gmx   markets.json tokens.json
    python -m connectors.base.markets_report gains trading-variables.json

Prints what the list has and the table does not map, with the reason, and what the table names but
the list no longer has.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.base.markets import DYDX, GAINS, GMX, MarketMap, load
from domain.ids import MarketId, VenueId

_FILES: Final = {DYDX: 1, GMX: 2, GAINS: 1}


@dataclass(frozen=True, slots=True)
class Listed:
    """One market of a venue's list: the key the table uses, and the venue's name for it."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """``gone``: keys that a row has and the list has not."""

    mapped: tuple[tuple[Listed, MarketId], ...]
    unmapped: tuple[tuple[Listed, str], ...]
    gone: tuple[str, ...]


def dydx_listed(document: object) -> Iterator[Listed]:
    """Tickers of GET /v4/perpetualMarkets or of any v4_markets frame."""
    contents = _get(document, "contents")
    for part in contents if isinstance(contents, list) else [document, contents]:
        for field in ("markets", "trading"):
            table = _get(part, field)
            if isinstance(table, dict):
                yield from (Listed(ticker, ticker) for ticker in table)


def gmx_listed(markets: object, tokens: object) -> Iterator[Listed]:
    """Distinct index tokens of GET /markets, with their symbols from GET /tokens."""
    symbols = {_get(token, "address"): _get(token, "symbol") for token in _items(tokens, "tokens")}
    index_tokens = {str(_get(market, "indexToken")) for market in _items(markets, "markets")}
    for token in sorted(index_tokens):
        yield Listed(token, str(symbols.get(token, "")))


def gains_listed(document: object) -> Iterator[Listed]:
    """Pairs of GET /trading-variables (position is the index), or of the SDK's derived table."""
    for position, pair in enumerate(_items(document, "pairs")):
        index, symbol = _get(pair, "pairIndex"), _get(pair, "symbol")
        if isinstance(index, int) and isinstance(symbol, str):
            yield Listed(str(index), symbol)
        elif _get(pair, "from"):
            yield Listed(str(position), f"{_get(pair, 'from')}/{_get(pair, 'to')}")


def compare(table: MarketMap, venue: VenueId, listed: Iterable[Listed]) -> Report:
    """Shape: every listed market is in exactly one of ``mapped`` and ``unmapped``."""
    mapped: list[tuple[Listed, MarketId]] = []
    unmapped: list[tuple[Listed, str]] = []
    for item in listed:
        found = table.resolve(venue, item.key, item.name)
        if found.market is not None:
            mapped.append((item, found.market))
        else:
            unmapped.append((item, str(found.reason)))
    markets = {market for _, market in mapped}
    gone = tuple(
        str(table.venue_key(venue, market))
        for market in table.markets(venue)
        if market not in markets
    )
    return Report(tuple(mapped), tuple(unmapped), gone)


def render(venue: VenueId, report: Report) -> str:
    counts = f"{len(report.mapped)} mapped, {len(report.unmapped)} unmapped"
    lines = [f"{venue}: {counts}, {len(report.gone)} in the table but not in the list"]
    lines += [f"  unmapped {item.key} {item.name}: {why}" for item, why in report.unmapped]
    lines += [f"  gone {key}" for key in report.gone]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    venue = VenueId(arguments[0]) if arguments else VenueId("")
    paths = arguments[1:]
    if len(paths) != _FILES.get(venue):
        sys.stderr.write(__doc__ or "")
        return 2
    documents: list[object] = [json.loads(Path(path).read_text("utf-8")) for path in paths]
    if venue == DYDX:
        listed = dydx_listed(documents[0])
    elif venue == GMX:
        listed = gmx_listed(documents[0], documents[1])
    else:
        listed = gains_listed(documents[0])
    sys.stdout.write(render(venue, compare(load(), venue, listed)))
    return 0


def _get(value: object, field: str) -> object:
    return value.get(field) if isinstance(value, dict) else None


def _items(document: object, field: str) -> list[object]:
    items = document if isinstance(document, list) else _get(document, field)
    return items if isinstance(items, list) else []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
