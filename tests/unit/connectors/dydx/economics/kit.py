"""Markets, positions and books for tests of the economics."""

import json
from decimal import Decimal
from typing import Any

from connectors.dydx import parse
from connectors.dydx.economics.margin import Position
from connectors.dydx.economics.terms import MarketTerms, oracle_value, quantums_of
from domain.book import Book
from domain.events import Levels
from domain.market import Market
from tests.unit.connectors.dydx.link import RECORDED, market, recorded

D = Decimal


def btc(initial_ppm: int = 20_000, fraction_ppm: int = 600_000, **caps: Any) -> MarketTerms:
    """BTC-USD as of 2025-12: 10^-10 BTC, steps of 0.0001 BTC, ticks of 1 USD."""
    return MarketTerms(-10, -9, 1_000_000, 100_000, initial_ppm, fraction_ppm, **caps)


def eth(initial_ppm: int = 20_000, fraction_ppm: int = 600_000, **caps: Any) -> MarketTerms:
    """ETH-USD as of 2025-12: 10^-9 ETH, steps of 0.001 ETH, ticks of 0.1 USD."""
    return MarketTerms(-9, -9, 1_000_000, 100_000, initial_ppm, fraction_ppm, **caps)


def position(terms: MarketTerms, size: str, price: str, interest: int = 0) -> Position:
    return Position(terms, quantums_of(D(size), terms, "down"), oracle_value(price), interest)


def usdc(amount: str) -> int:
    return int(D(amount) * 1_000_000)


def eth_book() -> tuple[Market, Levels, Levels]:
    """The recorded mainnet snapshot of ETH-USD: 100 levels a side, 3393.2 / 3393.5."""
    frame = recorded("nautilus_2024/websocket/v4_orderbook_snapshot.json")
    listed = market("ETH-USD", "0.1", "0.001")
    return listed, *parse.levels(frame["contents"], listed)


def crossed_eth_book() -> tuple[Market, Book]:
    """The recorded sequence whose raw book is crossed at the end: 1578.933 / 1578.974 uncrossed."""
    listed = market("ETH-USD", "0.001", "0.000001")
    book = Book()
    lines = (RECORDED / "abacus/v4_orderbook_eth_sequence.jsonl").read_text().splitlines()
    for line in lines:
        frame = json.loads(line)
        stamp = frame["message_id"]
        if frame["type"] == "subscribed":
            book.snapshot(*parse.levels(frame["contents"], listed), stamp)
            continue
        for part in frame["contents"]:
            for side, rows in part.items():
                for row in rows:
                    ticks, steps = listed.tick.parse(row[0]), listed.step.parse(row[1])
                    book.apply(side == "bids", ticks, steps, stamp)
    return listed, book


def terms_row(ticker: str) -> dict[str, Any]:
    """A recorded row of the market list."""
    rows = recorded("nautilus_2024/http/list_perpetual_markets.json")["markets"]
    row: dict[str, Any] = rows[ticker]
    return row
