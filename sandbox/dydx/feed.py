"""What the chain and the indexer do, as a function of time: book events, blocks with trades and
oracle prices, statistics. One heap schedules all markets; no task, no socket, no clock."""

import heapq
import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from runtime.clock import iso_ms
from sandbox.dydx.books import Change, Side
from sandbox.dydx.catalogue import Listing
from sandbox.dydx.market import Market
from sandbox.faults import ActiveFaults, Kind
from sandbox.prices import PriceProcess

ORDERBOOK: Final = "v4_orderbook"
TRADES: Final = "v4_trades"
MARKETS: Final = "v4_markets"
CANDLES: Final = "v4_candles"
BLOCK_HEIGHT: Final = "v4_block_height"

FAULT_KINDS: Final[tuple[Kind, ...]] = ("freeze", "cross", "spike", "delist")

_BLOCK_US: Final = (600_000, 1_000_000)
_MEAN_BLOCK_US: Final = 800_000
# Heights grow with the wall clock, so that a restarted replica never goes back.
_HEIGHT_ZERO_US: Final = 1_700_000_000_000_000
_STATISTICS_US: Final = 30_000_000
_ORACLE_QUIET_US: Final = 20_000_000
_PHANTOM_US: Final = 200_000
_PHANTOM_ABOVE: Final = 1.01
_SPIKE: Final = 1.2
# The indexer publishes one level a message; only a book that is built anew comes in one.
_SINGLE_UPTO: Final = 12


class Update(NamedTuple):
    channel: str
    id: str
    ticker: str | None
    contents: bytes


class Feed:
    def __init__(
        self,
        listings: Sequence[Listing],
        prices: PriceProcess,
        *,
        seed: int,
        rate: float,
        now_us: int,
    ) -> None:
        self._prices = prices
        self._rng = Random(f"{seed}:feed")
        self._rate = rate
        self.markets: dict[str, Market] = {
            listing.ticker: Market(listing, prices.index(listing.ticker), seed)
            for listing in listings
        }
        self._live = [market for market in self.markets.values() if market.listing.is_trading]
        self.height = (now_us - _HEIGHT_ZERO_US) // _MEAN_BLOCK_US
        self.block_us = now_us
        self._next_block_us = now_us
        self._next_statistics_us = now_us + _STATISTICS_US
        self._next_phantom_us = now_us
        self._minute = 0
        self._disturbed = False
        self._jumps = prices.jumps
        self._now_us = now_us
        prices.advance(now_us)
        for market in self._live:
            price = prices.values[market.price_index]
            market.book.rebuild(market.mid_ticks(price))
            market.set_oracle(price, now_us - self._rng.randrange(_ORACLE_QUIET_US))
        self._heap = [(now_us + self._wait_us(market), i) for i, market in enumerate(self._live)]
        heapq.heapify(self._heap)

    def step(self, now_us: int, faults: ActiveFaults) -> list[Update]:
        """Everything that happened since the last step, in order."""
        self._now_us = now_us
        self._prices.advance(now_us)
        updates: list[Update] = []
        if faults or self._disturbed:
            self._disturbed = bool(faults)
            self._turn_faults(faults, updates)
        for market in self._due():
            if market.status == "ACTIVE" and not faults.hits("freeze", market.ticker):
                self._book_event(market, updates)
        if now_us >= self._next_block_us:
            self._block(faults, updates)
        if now_us >= self._next_statistics_us:
            self._next_statistics_us = now_us + _STATISTICS_US
            self._statistics(updates)
        return updates

    def orderbook(self, ticker: str) -> bytes:
        """Snapshot: the true book, which is what the indexer's uncrossing leaves."""
        market = self.markets[ticker]
        return _json({side: _levels(market, side) for side in ("bids", "asks")})

    def trades(self, ticker: str, limit: int) -> bytes:
        return _json({"trades": self.markets[ticker].tape.newest_trades(limit)})

    def candles(
        self,
        ticker: str,
        resolution: str,
        limit: int,
        from_s: float = -math.inf,
        to_s: float = math.inf,
    ) -> bytes:
        tape = self.markets[ticker].tape
        return _json({"candles": tape.newest_candles(resolution, limit, from_s, to_s)})

    def perpetual_markets(self, ticker: str | None, limit: int) -> bytes:
        chosen = list(self.markets.values()) if ticker is None else [self.markets[ticker]]
        shown = {market.ticker: market.perpetual_market(self._now_us) for market in chosen[:limit]}
        return _json({"markets": shown})

    def historical_funding(self, ticker: str, hours: int) -> bytes:
        rows = self.markets[ticker].historical_funding(self._now_us, hours, self.height)
        return _json({"historicalFunding": rows})

    def block(self) -> bytes:
        return _json({"height": str(self.height), "time": iso_ms(self.block_us)})

    def _due(self) -> Iterator[Market]:
        """Markets whose books have an event now; all of them after a jump of prices."""
        if self._jumps != self._prices.jumps:
            self._jumps = self._prices.jumps
            yield from self._live
        heap, now_us = self._heap, self._now_us
        while heap[0][0] <= now_us:
            index = heap[0][1]
            market = self._live[index]
            heapq.heapreplace(heap, (now_us + self._wait_us(market), index))
            yield market

    def _wait_us(self, market: Market) -> int:
        return int(self._rng.expovariate(market.listing.updates_per_s * self._rate) * 1e6)

    def _mid_ticks(self, market: Market) -> float:
        return market.mid_ticks(self._prices.values[market.price_index])

    def _book_event(self, market: Market, updates: list[Update]) -> None:
        _publish(market, market.book.evolve(self._mid_ticks(market), self._now_us), updates)
        if market.phantom is not None:
            self._show_phantom(market, updates)

    def _rebuild(self, market: Market, updates: list[Update]) -> None:
        if market.status == "ACTIVE":
            _publish(market, market.book.rebuild(self._mid_ticks(market)), updates)

    def _turn_faults(self, faults: ActiveFaults, updates: list[Update]) -> None:
        """Starts and ends what a fault does to the books."""
        phantoms_due = self._now_us >= self._next_phantom_us
        if phantoms_due:
            self._next_phantom_us = self._now_us + _PHANTOM_US
        for market in self._live:
            ticker = market.ticker
            delisted = faults.hits("delist", ticker)
            if delisted != (market.status != "ACTIVE"):
                self._turn_listing(market, delisted, updates)
            scale = _SPIKE if faults.hits("spike", ticker) else 1.0
            if scale != market.scale:
                market.scale = scale
                self._rebuild(market, updates)
            if faults.hits("cross", ticker) and not delisted:
                if market.phantom is None or phantoms_due:
                    self._show_phantom(market, updates)
            elif market.phantom is not None:
                self._end_phantom(market, updates)

    def _turn_listing(self, market: Market, delisted: bool, updates: list[Update]) -> None:
        market.status = "FINAL_SETTLEMENT" if delisted else "ACTIVE"
        trading = {market.ticker: market.trading(self._now_us)}
        updates.append(Update(MARKETS, MARKETS, market.ticker, _json({"trading": trading})))
        if delisted:
            _publish(market, market.book.clear(), updates)
        else:
            self._rebuild(market, updates)

    def _show_phantom(self, market: Market, updates: list[Update]) -> None:
        """A bid above the asks, published again and again so that it stays the newest level."""
        ask = market.book.best("asks")
        if ask is None:
            return
        if market.phantom is not None and market.phantom <= ask:
            self._end_phantom(market, updates)
        if market.phantom is None:
            market.phantom = math.ceil(ask * _PHANTOM_ABOVE) + 1
        size = max(1, int(market.level_units / ask * (1 + market.rng.random())))
        _publish(market, [("bids", market.phantom, size)], updates)

    def _end_phantom(self, market: Market, updates: list[Update]) -> None:
        phantom, market.phantom = market.phantom, None
        if phantom is not None and not market.book.holds("bids", phantom):
            _publish(market, [("bids", phantom, 0)], updates)

    def _block(self, faults: ActiveFaults, updates: list[Update]) -> None:
        now_us = self._now_us
        self.height += 1
        self.block_us = now_us
        self._next_block_us = now_us + self._rng.randint(*_BLOCK_US)
        at = iso_ms(now_us)
        minute = now_us // 60_000_000
        if minute != self._minute:
            self._minute = minute
            for market in self._live:
                mid_half_ticks = int(self._mid_ticks(market) * 2)
                market.tape.roll(minute * 60, mid_half_ticks, market.open_interest())
        filled = 0
        for market in self._live:
            if market.status != "ACTIVE" or faults.hits("freeze", market.ticker):
                continue
            filled += self._trade(market, filled, at, updates)
            self._oracle(market, at, updates)
        contents = _json({"blockHeight": str(self.height), "time": at})
        updates.append(Update(BLOCK_HEIGHT, BLOCK_HEIGHT, None, contents))

    def _trade(self, market: Market, number: int, at: str, updates: list[Update]) -> int:
        """The block's fills of one market: geometric in number, so that they come in bursts."""
        mean = market.listing.trades_per_block * self._rate
        trades: list[dict[str, Any]] = []
        while self._rng.random() < mean / (1 + mean):
            trade = market.trade(number + len(trades), self.height, at)
            if trade is None:
                break
            trades.append(trade.update())
        if trades:
            ticker = market.ticker
            updates.append(Update(TRADES, ticker, ticker, _json({"trades": trades})))
            for resolution, candle in market.tape.candle_updates():
                updates.append(Update(CANDLES, f"{ticker}/{resolution}", ticker, _json(candle)))
            interest = {"id": market.clob_pair_id, "baseOpenInterest": market.open_interest()}
            contents = _json({"trading": {ticker: interest}})
            updates.append(Update(MARKETS, MARKETS, ticker, contents))
        return len(trades)

    def _oracle(self, market: Market, at: str, updates: list[Update]) -> None:
        price = self._prices.values[market.price_index]
        quiet = self._now_us - market.oracle_at_us > _ORACLE_QUIET_US
        if not quiet and not market.oracle_moved(price):
            return
        market.set_oracle(price, self._now_us)
        shown: dict[str, Any] = {
            "oraclePrice": market.oracle_price,
            "effectiveAt": at,
            "effectiveAtHeight": str(self.height),
            "marketId": int(market.clob_pair_id),
        }
        contents = _json({"oraclePrices": {market.ticker: shown}})
        updates.append(Update(MARKETS, MARKETS, market.ticker, contents))

    def _statistics(self, updates: list[Update]) -> None:
        trading = {market.ticker: market.statistics(self._now_us) for market in self._live}
        updates.append(Update(MARKETS, MARKETS, None, _json({"trading": trading})))


def _publish(market: Market, changes: Sequence[Change], updates: list[Update]) -> None:
    ticker = market.ticker
    price, size = market.listing.price_grid.format, market.listing.size_grid.format
    if len(changes) <= _SINGLE_UPTO:
        for side, ticks, steps in changes:
            contents = f'{{"{side}":[["{price(ticks)}","{size(steps)}"]]}}'.encode()
            updates.append(Update(ORDERBOOK, ticker, ticker, contents))
        return
    sides: dict[Side, list[tuple[str, str]]] = {}
    for side, ticks, steps in changes:
        sides.setdefault(side, []).append((price(ticks), size(steps)))
    updates.append(Update(ORDERBOOK, ticker, ticker, _json(sides)))


def _levels(market: Market, side: Side) -> list[dict[str, str]]:
    price, size = market.listing.price_grid.format, market.listing.size_grid.format
    return [{"price": price(ticks), "size": size(steps)} for ticks, steps in market.book.side(side)]


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
