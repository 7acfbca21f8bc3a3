"""Who trades on GMX: open interest moves by positions that are opened and closed, nothing else.
Pure: time is an argument."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from sandbox.gmx.oracle import Ticker
from sandbox.gmx.pools import PoolState

# Between two orders of the whole venue at the default rate.
_MEAN_PAUSE_MS: Final = 10_000
_MAJORS: Final = ("BTC", "ETH", "SOL")
_MAJOR_WEIGHT: Final = 20
_MEDIAN_USD: Final = 4_000
_SIZE_SPREAD: Final = 1.3
# Of all orders: those that the keeper gives back.
_CANCELLED_SHARE: Final = 0.06
_TRADERS: Final = 400


@dataclass(frozen=True, slots=True)
class Seen:
    """A price that the execution used, as the oracle signed it."""

    token: str
    min_price: int
    max_price: int
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class Order:
    """A market order and what became of it. USD amounts with 30 decimals, tokens in the smallest
    units of the index token; ``interest_...``: of the side, after it. ``cancelled``: it was given
    back, and the amounts are what it had asked for."""

    number: int
    account: str
    market: str
    index_token: str
    collateral: str
    collateral_amount: int
    is_long: bool
    is_increase: bool
    size_usd: int
    size_tokens: int
    interest_usd: int
    interest_tokens: int
    price: int
    seen: tuple[Seen, ...]
    time_s: int
    cancelled: bool


class Traders:
    def __init__(
        self, pools: Sequence[PoolState], tickers: Mapping[str, Ticker], seed: int, rate: float
    ) -> None:
        self._rng = rng = Random(f"{seed}:traders")
        self._pools = [state for state in pools if state.pool.index is not None]
        self._weights = [
            _MAJOR_WEIGHT if state.pool.index and state.pool.index.symbol in _MAJORS else 1
            for state in self._pools
        ]
        self._tickers = tickers
        self._accounts = [f"0x{rng.randbytes(20).hex()}" for _ in range(_TRADERS)]
        self._pause_ms = _MEAN_PAUSE_MS / rate
        self._next_ms = 0.0
        self._number = 0

    def turn(self, now_ms: int) -> Iterator[Order]:
        """The orders of the time since the last turn."""
        if not self._next_ms:
            self._next_ms = now_ms + self._rng.expovariate(1 / self._pause_ms)
        while self._next_ms <= now_ms:
            self._next_ms += self._rng.expovariate(1 / self._pause_ms)
            order = self._order(now_ms // 1000)
            if order is not None:
                yield order

    def _order(self, now_s: int) -> Order | None:
        rng = self._rng
        (state,) = rng.choices(self._pools, self._weights)
        index = state.pool.index
        assert index is not None
        ticker = self._tickers[index.address]
        if ticker.is_missing or ticker.min_price <= 0:
            return None
        is_long = rng.random() < 0.5
        size_usd = int(_MEDIAN_USD * rng.lognormvariate(0, _SIZE_SPREAD) * 1e6) * 10**24
        is_increase = state.wants_more(is_long) if rng.random() < 0.7 else rng.random() < 0.5
        cancelled = rng.random() < _CANCELLED_SHARE
        price = ticker.max_price if is_long == is_increase else ticker.min_price
        side = state.long if is_long else state.short
        size_usd, size_tokens = state.sized(is_long, is_increase, size_usd, price)
        if size_tokens == 0:
            return None
        if not cancelled:
            state.trade(is_long, is_increase, size_usd, size_tokens)
        collateral = state.pool.long if is_long else state.pool.short
        paid = self._tickers[collateral.address]
        self._number += 1
        return Order(
            number=self._number,
            account=rng.choice(self._accounts),
            market=state.pool.recorded["marketToken"],
            index_token=index.address,
            collateral=collateral.address,
            collateral_amount=size_usd // rng.randint(2, 50) // paid.max_price,
            is_long=is_long,
            is_increase=is_increase,
            size_usd=size_usd,
            size_tokens=size_tokens,
            interest_usd=side.interest_usd,
            interest_tokens=side.interest_tokens,
            price=price,
            seen=tuple(
                Seen(each.token.address, each.min_price, each.max_price, each.timestamp_s)
                for each in dict.fromkeys((ticker, paid))
            ),
            time_s=now_s,
            cancelled=cancelled,
        )
