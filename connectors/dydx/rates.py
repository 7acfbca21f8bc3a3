"""What v4_markets says of funding, merged from partial rows; tells what is new, nothing twice."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.dydx import parse
from domain.events import Funding
from domain.funding import next_at
from domain.ids import MarketId
from domain.units import format_decimal, minimal_decimal, parse_decimal

INTERVAL_HOURS: Final = 1
"""``nextFundingRate`` is per hour and settled at every full one."""


class FundingTable:
    """Rates and open interest by ticker, for one connection.

    Open interest is ``baseOpenInterest``, the chain's own count, before ``openInterest``, which the
    indexer adds up from its positions; both in base units. Each contract has a long and a short, so
    the two sides are equal. It is valued at the oracle price of the moment; a new price alone is no
    news, or there would be some of every market in every block.
    """

    def __init__(self) -> None:
        self._rates: dict[str, str] = {}
        self._interest: dict[str, str] = {}
        self._counted: dict[str, str] = {}
        self._said: dict[str, tuple[str, str | None, bool, int]] = {}

    def take(self, ticker: str, row: Mapping[str, Any]) -> None:
        """Remembers what a row says. Null is as good as absent. Raises InputError or
        AttributeError for what is no number."""
        rate = row.get("nextFundingRate")
        if rate is not None:
            self._rates[ticker] = parse.signed(rate)
        for name, found in (
            ("baseOpenInterest", self._interest),
            ("openInterest", self._counted),
        ):
            text = row.get(name)
            if text is not None:
                found[ticker] = minimal_decimal(text)

    def news(
        self, market: MarketId, ticker: str, oracle: str | None, wall_us: int
    ) -> Funding | None:
        """What to tell of a market: when rate, open interest or the hour is not what was told."""
        rate = self._rates.get(ticker)
        if rate is None:
            return None
        interest = self._interest.get(ticker, self._counted.get(ticker))
        next_at_ms = next_at(wall_us // 1000, INTERVAL_HOURS)
        fresh = (rate, interest, oracle is not None, next_at_ms)
        if self._said.get(ticker) == fresh:
            return None
        self._said[ticker] = fresh
        value = None
        if interest is not None and oracle is not None:
            value = _product(interest, oracle)
        return Funding(market, rate, INTERVAL_HOURS, next_at_ms, value, value)


def _product(first: str, second: str) -> str:
    """Two plain decimals multiplied, exactly."""
    digits, decimals = parse_decimal(first)
    more_digits, more_decimals = parse_decimal(second)
    return format_decimal(digits * more_digits, decimals + more_decimals)
