"""The bodies of every answer, each built at most once a refresh. Sans-I/O: time is an argument."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from sandbox.faults import NO_FAULTS, ActiveFaults, Kind
from sandbox.gmx import api, oracle, pools, shapes
from sandbox.gmx.api import Inventory
from sandbox.gmx.catalogue import Catalogue, Pool
from sandbox.gmx.oracle import REFRESH_MS, Oracle, Ticker
from sandbox.gmx.pools import PoolState
from sandbox.gmx.traders import Order, Traders
from sandbox.prices import PriceProcess

FAULT_KINDS: Final[tuple[Kind, ...]] = (*oracle.FAULT_KINDS, "garble", "duplicate")

_ORDERS_KEPT: Final = 256

# What one spoiled entry says its prices are.
_SPOILED: Final[tuple[Any, ...]] = (
    None,
    True,
    "",
    "0",
    "-5",
    "NaN",
    "1e999",
    "1_000",
    " 5",
    "\u0661\u0662",
    "12.5",
    17395.25,
    1739495434083952,
    [],
    {"price": "1"},
    "9" * 5_000,
)


class Keeper:
    """``orders``: those that nobody has told the chain of yet, if there is one."""

    def __init__(
        self, catalogue: Catalogue, prices: PriceProcess, *, seed: int, rate: float, now_us: int
    ) -> None:
        self._catalogue = catalogue
        self._oracle = Oracle(catalogue, prices, seed)
        self._pools = [PoolState(pool, self._oracle.price, seed) for pool in catalogue.pools]
        self._traders = Traders(self._pools, self._oracle.tickers, seed, rate)
        self.orders: deque[Order] = deque(maxlen=_ORDERS_KEPT)
        self._rate = rate
        self._pools_at_ms = now_us // 1000
        self._faults: ActiveFaults = NO_FAULTS
        self._bodies: dict[str, bytes] = {}
        self._builders: Mapping[str, Callable[[], Any]] = {
            "/ping": lambda: {"ok": True},
            "/prices/tickers": self._tickers,
            "/signed_prices/latest": lambda: {"signedPrices": self._signed_prices()},
            "/prices/24h": self._days,
            "/tokens": lambda: catalogue.listed,
            "/markets": lambda: {"markets": [self._market(pool) for pool in catalogue.pools]},
            "/markets/info": lambda: {"markets": self._infos()},
            "/v1/markets": self._api_markets,
            "/v1/markets/tickers": self._api_tickers,
            "/v1/markets/config": lambda: [self._config(state) for state in self._pools],
            "/v1/markets/values": lambda: [self._values(state) for state in self._pools],
            "/v1/markets/info": lambda: [
                api.info(self._config(state), self._values(state)) for state in self._pools
            ],
        }
        indexes = Counter(pool.recorded["indexToken"] for pool in catalogue.pools if pool.index)
        self._shared = {token for token, count in indexes.items() if count > 1}
        self.turn(now_us, NO_FAULTS)

    def turn(self, now_us: int, faults: ActiveFaults) -> None:
        """Refreshes what is due. A frozen keeper goes on serving what it has."""
        if faults.whole("freeze") or not self._oracle.turn(now_us, faults):
            return
        self._faults = faults
        elapsed_ms = now_us // 1000 - self._pools_at_ms
        if elapsed_ms >= pools.REFRESH_MS:
            self._pools_at_ms += elapsed_ms
            for state in self._pools:
                state.refresh(elapsed_ms * self._rate)
        self.orders.extend(self._traders.turn(now_us // 1000))
        self._bodies.clear()

    def body(self, path: str) -> bytes | None:
        """JSON of a path without parameters; None for a path that does not exist."""
        body = self._bodies.get(path)
        if body is None and path in self._builders:
            body = self._bodies[path] = orjson.dumps(self._builders[path]())
        return body

    def candles(self, symbol: str, period: str, limit: int) -> bytes | None:
        """JSON of the newest candles of a token; None for an unknown symbol."""
        for ticker in self._oracle.tickers.values():
            if ticker.token.symbol == symbol:
                candles = ticker.tape.newest(period, limit)
                return orjson.dumps({"period": period, "candles": candles})
        return None

    @property
    def tickers(self) -> Mapping[str, Ticker]:
        """By address of the token."""
        return self._oracle.tickers

    @property
    def pools(self) -> Sequence[PoolState]:
        return self._pools

    def is_listed(self, pool: Pool) -> bool:
        return bool(self._market(pool)["isListed"])

    def _listed(self) -> list[Ticker]:
        return [ticker for ticker in self._oracle.tickers.values() if not ticker.is_missing]

    def _tickers(self) -> list[dict[str, Any]]:
        # Of the whole venue, answers are repeated instead of entries.
        doubles = not self._faults.whole("duplicate")
        entries = []
        for ticker in self._listed():
            entry = shapes.ticker(ticker)
            market = ticker.token.market
            if self._faults.hits("garble", market):
                turn = self._oracle.refreshed_ms // REFRESH_MS % len(_SPOILED)
                entry["minPrice"] = entry["maxPrice"] = _SPOILED[turn]
            entries.append(entry)
            if doubles and self._faults.hits("duplicate", market):
                entries.append(entry)
        return entries

    def _signed_prices(self) -> list[dict[str, Any]]:
        return [
            shapes.signed_price(number, ticker)
            for number, ticker in enumerate(self._listed(), start=1)
        ]

    def _days(self) -> list[dict[str, Any]]:
        return [{"tokenSymbol": t.token.symbol} | t.tape.day() for t in self._listed()]

    def _market(self, pool: Pool) -> dict[str, Any]:
        if pool.index is not None and self._faults.hits("delist", pool.market):
            return pool.recorded | {"isListed": False}
        return pool.recorded

    def _infos(self) -> list[dict[str, Any]]:
        return [shapes.info(self._market(state.pool), state) for state in self._pools]

    def _api_markets(self) -> list[dict[str, Any]]:
        return [
            shapes.api_market(pool, is_listed=self._market(pool)["isListed"])
            for pool in self._catalogue.pools
        ]

    def _config(self, state: PoolState) -> dict[str, Any]:
        return api.config(
            state,
            is_listed=self._market(state.pool)["isListed"],
            shares_inventory=state.pool.recorded["indexToken"] in self._shared,
        )

    def _values(self, state: PoolState) -> dict[str, Any]:
        listed = self._market(state.pool)["isListed"]
        updated_ms = self._oracle.refreshed_ms if listed else None
        index = state.pool.recorded["indexToken"]
        if index not in self._shared:
            return api.values(state, Inventory(0, 0), updated_ms)
        alike = [other for other in self._pools if other.pool.recorded["indexToken"] == index]
        inventory = Inventory(
            sum(pool.short.interest_usd - pool.long.interest_usd for pool in alike),
            sum(pool.short.interest_tokens - pool.long.interest_tokens for pool in alike),
        )
        return api.values(state, inventory, updated_ms)

    def _api_tickers(self) -> list[dict[str, Any]]:
        entries = []
        for state in self._pools:
            index = state.pool.index
            if index is not None:
                ticker = self._oracle.tickers[index.address]
                if not ticker.is_missing:
                    entries.append(shapes.api_ticker(state, ticker))
        return entries
