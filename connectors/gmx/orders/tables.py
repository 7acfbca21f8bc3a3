"""What a builder has to know of the venue before it is asked anything: contracts, pools, tokens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.gmx import parse
from connectors.gmx.economics.opened import NATIVE, PoolToken
from connectors.gmx.orders.abi import Version
from connectors.gmx.parse import Token
from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class TradedPool:
    """``market`` token in lower case; ``decimals``: of the index token."""

    market: str
    decimals: int
    long_token: PoolToken
    short_token: PoolToken


@dataclass(frozen=True, slots=True)
class Collateral:
    """``native``: paid with ether, which the router wraps."""

    token: PoolToken
    is_long_token: bool
    native: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """``contracts``: checksummed addresses by name (``EXCHANGE_ROUTER``). ``native_token``: address
    of the wrapped one in lower case. ``pools``: by market token in lower case, also those that are
    not listed any more: their orders and positions are still there."""

    chain_id: int
    version: Version
    contracts: Mapping[str, str]
    native_token: str
    pools: Mapping[str, TradedPool]

    def pool(self, name: str | None) -> TradedPool:
        """Raises: InputError ``UNKNOWN_POOL``."""
        found = self.pools.get((name or "").lower())
        if found is None:
            raise InputError("UNKNOWN_POOL", f"no pool of GMX: {name!s:.60}")
        return found

    def collateral(self, pool: TradedPool, symbol: str) -> Collateral:
        """Raises: InputError ``COLLATERAL`` for what the pool does not take."""
        for token in (pool.long_token, pool.short_token):
            native = token.address == self.native_token
            if token.is_called(symbol, self.native_token):
                return Collateral(token, token is pool.long_token, native and symbol == NATIVE)
        raise InputError(
            "COLLATERAL",
            f"{symbol:.20} is neither {pool.long_token.symbol} nor {pool.short_token.symbol}",
        )


def traded_pools(tokens: Mapping[str, Token], rows: Sequence[Any]) -> Mapping[str, TradedPool]:
    """Rows of ``/markets`` by market token in lower case; those that only swap, cannot be read or
    have a token without decimals are left out."""
    return {pool.market: pool for pool in _traded(tokens, rows)}


def _traded(tokens: Mapping[str, Token], rows: Sequence[Any]) -> Iterator[TradedPool]:
    for found in parse.readable(rows, parse.pool_tokens):
        index, long_token, short_token = (tokens.get(token) for token in found[1:])
        if index is not None and long_token is not None and short_token is not None:
            yield TradedPool(
                found.market_token,
                index.decimals,
                PoolToken(found.long_token, long_token.symbol, long_token.decimals),
                PoolToken(found.short_token, short_token.symbol, short_token.decimals),
            )
