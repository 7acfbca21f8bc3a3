"""What the pools can be priced with now, from what polls of the API, the chain and the tickers have
said. Pure; part of the state that sources share."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from connectors.gmx import constants as c
from connectors.gmx.economics.fixed import FACTOR_ONE
from connectors.gmx.economics.model import MarketPrices, OpeningState, PriceRange
from connectors.gmx.economics.opened import PoolToken, Posted, long_is_index
from connectors.gmx.economics.pricing import NO_FIXED, Fixed, GmxInputs, PoolTerms
from connectors.gmx.parse import Ticker
from connectors.gmx.values import PoolConfig, PoolValues, opening_state
from domain import exact


class IndexToken(NamedTuple):
    """``address`` in lower case; ``min_size_usd_e30``: of a position in it, 0 where unknown;
    ``min_collateral_usd_e30``: likewise, None where unknown; ``tokens``: of its pools."""

    address: str
    decimals: int
    min_size_usd_e30: int
    min_collateral_usd_e30: int | None = None
    symbol: str | None = None
    tokens: tuple[PoolToken, ...] = ()


class OrderGas(NamedTuple):
    """What an order costs whatever its size: ``fee_wei`` is the smallest execution fee, ``gas_wei``
    the transaction's own. ``native_token``: whose price turns wei into USD."""

    fee_wei: int
    gas_wei: int
    native_token: str


class _Said(NamedTuple):
    """When something was said, by both clocks."""

    wall_us: int
    mono_ns: int

    def age_us(self, of_us: int, mono_ns: int) -> int:
        """How old at ``mono_ns`` is what it says of ``of_us``."""
        return self.wall_us - of_us + (mono_ns - self.mono_ns) // 1000


class _Terms(NamedTuple):
    """What was made of what."""

    config: PoolConfig
    stored: OpeningState
    token: IndexToken
    terms: PoolTerms


class _Read(NamedTuple):
    """Of the chain."""

    config: PoolConfig
    stored: OpeningState
    mono_ns: int


class PoolBook:
    """Configurations and values by market token, prices by token, addresses in lower case; each is
    unknown again when it is too old."""

    def __init__(self) -> None:
        self._configs: Mapping[str, PoolConfig] = {}
        self._configs_ns = 0
        self._values: Mapping[str, PoolValues] = {}
        self._values_said = _Said(0, 0)
        self._reads: dict[str, _Read] = {}
        self._tickers: Mapping[str, Ticker | None] = {}
        self._tickers_said = _Said(0, 0)
        self._gas: OrderGas | None = None
        self._gas_ns = 0
        # Made anew only when something else is said.
        self._terms: dict[str, _Terms] = {}
        self._prices: dict[str, PriceRange] = {}
        self._inputs: dict[str, GmxInputs] = {}
        self._fixed: tuple[OrderGas, PriceRange, Fixed] | None = None

    def learn_configs(self, configs: Mapping[str, PoolConfig], mono_ns: int) -> None:
        """Takes over a good answer."""
        self._configs, self._configs_ns = configs, mono_ns

    def learn_values(self, values: Mapping[str, PoolValues], wall_us: int, mono_ns: int) -> None:
        """Takes over a good answer."""
        self._values, self._values_said = values, _Said(wall_us, mono_ns)

    def learn_read(self, pool: str, config: PoolConfig, stored: OpeningState, mono_ns: int) -> None:
        """Takes over what the contracts themselves have of a pool; it stands in where the API says
        nothing."""
        self._reads[pool] = _Read(config, stored, mono_ns)

    def learn_tickers(
        self, tickers: Mapping[str, Ticker | None], wall_us: int, mono_ns: int
    ) -> None:
        """Takes over a good answer."""
        self._tickers, self._tickers_said = tickers, _Said(wall_us, mono_ns)

    def learn_gas(self, gas: OrderGas, mono_ns: int) -> None:
        """Takes over a good answer."""
        self._gas, self._gas_ns = gas, mono_ns

    def keep(self, pools: Iterable[str]) -> None:
        """Forgets what was made for any others."""
        kept = set(pools)
        self._reads = {pool: read for pool, read in self._reads.items() if pool in kept}
        self._terms = {pool: made for pool, made in self._terms.items() if pool in kept}
        self._inputs = {pool: made for pool, made in self._inputs.items() if pool in kept}

    def config(self, pool: str, mono_ns: int) -> PoolConfig | None:
        """None where it is unknown."""
        if mono_ns - self._configs_ns > c.CONFIG_MAX_AGE_NS:
            return None
        return self._configs.get(pool)

    def values(self, pool: str, mono_ns: int) -> PoolValues | None:
        """None where they are unknown."""
        values = self._values.get(pool)
        if values is None or values.updated_ms is None:
            return None
        age_us = self._values_said.age_us(values.updated_ms * 1000, mono_ns)
        return values if -c.TICKER_AHEAD_US <= age_us <= c.VALUES_MAX_AGE_US else None

    def price(self, token: str, mono_ns: int) -> PriceRange | None:
        """None where it is unknown; the very same object while it stands."""
        ticker, said = self._tickers.get(token), self._tickers_said
        if (
            ticker is None
            or mono_ns - said.mono_ns > c.MAX_AGE_NS
            or said.age_us(ticker.time_s * 1_000_000, mono_ns) > c.TICKER_MAX_AGE_US
        ):
            return None
        known = self._prices.get(token)
        if known is None or (known.min_usd_e30, known.max_usd_e30) != ticker[:2]:
            known = self._prices[token] = PriceRange(ticker.min_price, ticker.max_price)
        return known

    def prices(self, index: str, config: PoolConfig, mono_ns: int) -> MarketPrices | None:
        """None where one of them is unknown."""
        found = self.price(index, mono_ns)
        long_token = self.price(config.long_token, mono_ns)
        short_token = self.price(config.short_token, mono_ns)
        if found is None or long_token is None or short_token is None:
            return None
        return MarketPrices(found, long_token, short_token)

    def fixed(self, mono_ns: int) -> Fixed:
        """What an order costs whatever its size, as far as it is known."""
        gas = self._gas
        if gas is None or mono_ns - self._gas_ns > c.GAS_MAX_AGE_NS:
            return NO_FIXED
        price = self.price(gas.native_token, mono_ns)
        if price is None:
            return NO_FIXED
        known = self._fixed
        if known is None or known[0] is not gas or known[1] is not price:
            costs = [_cents(wei * price.max_usd_e30) for wei in (gas.gas_wei, gas.fee_wei)]
            known = self._fixed = (gas, price, Fixed(*costs))
        return known[2]

    def inputs(self, pool: str, index: IndexToken, mono_ns: int) -> GmxInputs | None:
        """The very same object while nothing changes; None where the pool cannot be priced."""
        known_of = self._said(pool, mono_ns) or self._read(pool, mono_ns)
        if known_of is None or known_of[0].disabled:
            return None
        config, stored = known_of
        prices = self.prices(index.address, config, mono_ns)
        if prices is None:
            return None
        terms, fixed = self._pool_terms(pool, config, stored, index), self.fixed(mono_ns)
        known = self._inputs.get(pool)
        if (
            known is None
            or known.terms is not terms
            or known.prices != prices
            or known.fixed != fixed
        ):
            fee_wei = None if fixed is NO_FIXED or self._gas is None else self._gas.fee_wei
            known = self._inputs[pool] = GmxInputs(terms, prices, fixed, fee_wei)
        return known

    def is_told(self, pool: str, mono_ns: int) -> bool:
        """Whether the API says all of it."""
        return self._said(pool, mono_ns) is not None

    def _said(self, pool: str, mono_ns: int) -> tuple[PoolConfig, OpeningState] | None:
        config, values = self.config(pool, mono_ns), self.values(pool, mono_ns)
        return None if config is None or values is None else (config, values.opening)

    def _read(self, pool: str, mono_ns: int) -> tuple[PoolConfig, OpeningState] | None:
        read = self._reads.get(pool)
        if read is None or mono_ns - read.mono_ns > c.READ_MAX_AGE_NS:
            return None
        return read.config, read.stored

    def _pool_terms(
        self, pool: str, config: PoolConfig, stored: OpeningState, index: IndexToken
    ) -> PoolTerms:
        known = self._terms.get(pool)
        if (
            known is not None
            and known.config is config
            and known.stored is stored
            and known.token == index
        ):
            return known.terms
        least = index.min_size_usd_e30 or config.opening.min_position_size_usd_e30
        opening = replace(config.opening, min_position_size_usd_e30=least)
        posted = _posted(config, index)
        terms = PoolTerms(index.decimals, opening, opening_state(config, stored), posted)
        if known is not None and known.terms == terms:
            terms = known.terms
        self._terms[pool] = _Terms(config, stored, index, terms)
        return terms


def _posted(config: PoolConfig, index: IndexToken) -> Posted | None:
    """None where a token of the pool is unknown."""
    known = {token.address: token for token in index.tokens}
    long_token, short_token = known.get(config.long_token), known.get(config.short_token)
    if long_token is None or short_token is None:
        return None
    margins, least = config.margins, index.min_collateral_usd_e30
    if margins is not None and least is not None:
        margins = replace(margins, min_collateral_usd_e30=least)
    elif margins is not None and not margins.min_collateral_usd_e30:
        margins = None
    moves = long_is_index(index.address, index.symbol, long_token)
    return Posted(long_token, short_token, moves, margins)


def _cents(usd_e30: int) -> Decimal:
    """Hundredths of a cent, rounded up."""
    return exact.decimal(Fraction(usd_e30, FACTOR_ONE), 4, "up")
