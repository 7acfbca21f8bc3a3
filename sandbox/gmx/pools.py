"""What one GMX market says of its pool: interest, liquidity and rates, which move slowly with the
seed. Amounts in USD and rates are integers with 30 decimals."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from domain.units import E18, power10
from sandbox.gmx.catalogue import Pool, Token
from sandbox.gmx.terms import Terms

REFRESH_MS: Final = 5_000

# Pool size by the index token, then what is left for pools of one token.
_MAJOR_USD: Final = 40e6
_MINOR_USD: Final = 2.5e6
_ONE_TOKEN_SHARE: Final = 0.2
# The part of a side's pool that positions may reserve. Some sides are full, and past it as prices
# moved: their liquidity is below zero.
RESERVE_BPS: Final = 9_000
_MAX_USE: Final = 1.02
_FULL_SHARE: Final = 0.03
_FULL: Final = 5.0
# Values return to their mean within about this time at the default rate.
_RELAXATION_MS: Final = 600_000
YEAR_S: Final = 365 * 86_400
_MAX_FUNDING_YEARLY: Final = 0.4
_MAX_BORROWING_YEARLY: Final = 0.5


@dataclass(slots=True)
class Side:
    """``pool_amount`` in units of the collateral token; positive rates are paid by the trader;
    ``use`` is the part of the reserve that traders want, and interest what they have."""

    use: float = 0.0
    interest_usd: int = 0
    interest_tokens: int = 0
    available_usd: int = 0
    pool_amount: int = 0
    pool_usd: int = 0
    funding_rate: int = 0
    borrowing_rate: int = 0


class PoolState:
    """``terms``: what governance has set; ``longs_pay``: funding, to shorts."""

    def __init__(self, pool: Pool, price: Callable[[Token], float], seed: int) -> None:
        rng = Random(f"{seed}:{pool.recorded['marketToken']}")
        self.pool = pool
        self.longs_pay = False
        self.long = Side()
        self.short = Side()
        self._rng = rng
        self._price = price
        is_major = pool.index is not None and pool.index.symbol in ("BTC", "ETH")
        size_usd = (_MAJOR_USD if is_major else _MINOR_USD) * rng.lognormvariate(0, 0.5)
        if pool.long is pool.short:
            size_usd *= _ONE_TOKEN_SHARE
        self.terms = Terms(pool, size_usd, Random(f"{seed}:{pool.recorded['marketToken']}:terms"))
        self._tokens = [size_usd / 2 / price(token) for token in (pool.long, pool.short)]
        self._mean_use = [
            _FULL if rng.random() < _FULL_SHARE else rng.gauss(-0.3, 0.5) for _ in range(2)
        ]
        # Stationary walks: pool of each side, then use of each side.
        self._walks = [rng.gauss(0, 1) for _ in range(4)]
        self.refresh(0.0)
        if pool.index is not None:
            self._open(pool.index)

    def _open(self, index: Token) -> None:
        """The positions that are there at the start."""
        for side in (self.long, self.short):
            side.interest_usd = self._wanted_usd(side)
            whole = side.interest_usd * power10(index.decimals)
            side.interest_tokens = whole // _e30(self._price(index))
        self.refresh(0.0)

    def wants_more(self, is_long: bool) -> bool:
        side = self.long if is_long else self.short
        return self._wanted_usd(side) > side.interest_usd

    def sized(self, is_long: bool, is_increase: bool, size_usd: int, price: int) -> tuple[int, int]:
        """What an order of this size comes to: USD and index tokens. No more than is there is
        closed, and nothing is opened where no liquidity is left."""
        side = self.long if is_long else self.short
        if is_increase:
            size_usd = min(size_usd, max(0, side.available_usd))
            return size_usd, size_usd // price
        size_usd = min(size_usd, side.interest_usd // 2)
        return size_usd, side.interest_tokens * size_usd // max(1, side.interest_usd)

    def trade(self, is_long: bool, is_increase: bool, size_usd: int, size_tokens: int) -> None:
        side = self.long if is_long else self.short
        sign = 1 if is_increase else -1
        side.interest_usd += sign * size_usd
        side.interest_tokens += sign * size_tokens
        side.available_usd -= sign * size_usd

    @staticmethod
    def _wanted_usd(side: Side) -> int:
        return int(side.use * RESERVE_BPS * 1e6) * side.pool_usd // (10_000 * 10**6)

    def refresh(self, elapsed_ms: float) -> None:
        """Takes present prices, and moves on by a time."""
        keep = math.exp(-elapsed_ms / _RELAXATION_MS)
        fresh = math.sqrt(1 - keep**2)
        self._walks = [keep * walk + fresh * self._rng.gauss(0, 1) for walk in self._walks]
        self._fill(0, self.long, self.pool.long)
        self._fill(1, self.short, self.pool.short)
        if self.pool.index is not None:
            self._set_rates()

    def _fill(self, i: int, side: Side, token: Token) -> None:
        amount = self._tokens[i] * math.exp(0.03 * self._walks[i])
        pool_usd = amount * self._price(token)
        side.pool_amount = int(amount * E18) * power10(token.decimals) // E18
        side.pool_usd = _e30(pool_usd)
        index = self.pool.index
        if index is None:
            return
        side.use = _MAX_USE / (1 + math.exp(-self._mean_use[i] - 0.3 * self._walks[2 + i]))
        # A long can win without bound: its tokens count at today's price, a short its size.
        reserved = side.interest_usd
        if side is self.long:
            reserved = side.interest_tokens * _e30(self._price(index)) // power10(index.decimals)
        side.available_usd = min(
            side.pool_usd * RESERVE_BPS // 10_000 - reserved,
            self.terms.max_interest_usd - side.interest_usd,
        )

    def _set_rates(self) -> None:
        """The larger side pays funding, spread over the interest of the other, and borrowing."""
        self.longs_pay = self.long.interest_usd >= self.short.interest_usd
        payer, taker = (self.long, self.short) if self.longs_pay else (self.short, self.long)
        both = payer.interest_usd + taker.interest_usd
        if not taker.interest_usd:
            return
        skew = (payer.interest_usd - taker.interest_usd) / both
        paid = _a_year(_MAX_FUNDING_YEARLY * skew)
        payer.funding_rate = paid
        taker.funding_rate = -paid * payer.interest_usd // taker.interest_usd
        payer.borrowing_rate = _a_year(_MAX_BORROWING_YEARLY * payer.use**1.4)
        taker.borrowing_rate = 0


def _e30(value: float) -> int:
    return int(value * 1e12) * E18


def _a_year(rate: float) -> int:
    """An annual fraction as the chain has it: a whole number for a second, times a year."""
    return _e30(rate) // YEAR_S * YEAR_S
