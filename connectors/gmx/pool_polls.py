"""Polls of the GMX API without the network: what is set and what stands in every pool. They add to
the state; no price depends on them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.gmx import constants as c
from connectors.gmx import values
from connectors.gmx.economics.capacity import capacity
from connectors.gmx.economics.carry import hourly_rates
from connectors.gmx.economics.fixed import FACTOR_ONE
from connectors.gmx.economics.impact import stored_sum
from connectors.gmx.economics.model import Sided
from connectors.gmx.polls import Blame, PollSession
from connectors.gmx.state import GmxState, Listing
from connectors.gmx.values import PoolValues, opening_state
from domain.events import Funding
from domain.market import Market
from domain.units import format_decimal

_DECIMALS: Final = 30


class ConfigSession(PollSession):
    """The configuration of every pool into the state."""

    decode = staticmethod(values.configs)

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.CONFIG_PATH, c.CONFIG_EVERY_NS, blame, mono_ns)
        self._state = state

    def _read(self, body: Any, wall_us: int, mono_ns: int) -> None:
        self._state.book.learn_configs(body, mono_ns)


class ValuesSession(PollSession):
    """The values of every pool into the state; tells the funding of ``markets``, each pool's when
    it has changed."""

    decode = staticmethod(values.values)

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.VALUES_PATH, c.VALUES_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)
        self._said: dict[str, Funding] = {}

    def _read(self, body: Mapping[str, PoolValues], wall_us: int, mono_ns: int) -> None:
        self._state.book.learn_values(body, wall_us, mono_ns)
        newest_ms = max((item.updated_ms or 0 for item in body.values()), default=0)
        if wall_us - newest_ms * 1000 > c.VALUES_LAG_US:
            self._blame(mono_ns)
        for market in self._markets:
            listing = self._state.listings.get(market)
            if listing is None:
                continue
            for pool in listing.pools:
                told = self._funding(listing, pool, mono_ns)
                if told is not None and self._said.get(pool) != told:
                    self._said[pool] = told
                    self._events.append(told)

    def _funding(self, listing: Listing, pool: str, mono_ns: int) -> Funding | None:
        """None where the values are unknown."""
        book, key = self._state.book, pool.lower()
        found = book.values(key, mono_ns)
        if found is None:
            return None
        stored = found.opening.open_interest_usd_e30
        interest = Sided(stored_sum(stored.long, 1), stored_sum(stored.short, 1))
        rates = hourly_rates(
            interest, found.longs_pay, found.funding_per_second_e30, found.borrowing_per_second_e30
        )
        paid, received = rates.funding_e30.long, -rates.funding_e30.short
        config = book.config(key, mono_ns)
        prices = None if config is None else book.prices(listing.token, config, mono_ns)
        available: list[str | None] = [None, None]
        if config is not None and prices is not None:
            state = opening_state(config, found.opening)
            rooms = [capacity(config.opening, state, prices, is_long) for is_long in (True, False)]
            available = [_usd(room.available_usd_e30) for room in rooms]
        return Funding(
            market=listing.market,
            raw=_factor(paid),
            interval_hours=1,
            next_at_ms=None,
            oi_long_usd=_usd(interest.long),
            oi_short_usd=_usd(interest.short),
            pool=pool,
            short_raw=None if received == paid else _factor(received),
            borrow_long_raw=_factor(rates.borrow_e30.long),
            borrow_short_raw=_factor(rates.borrow_e30.short),
            available_long_usd=available[0],
            available_short_usd=available[1],
        )


def _factor(value_e30: int) -> str:
    return format_decimal(value_e30, _DECIMALS)


def _usd(value_e30: int) -> str:
    """Whole dollars, rounded down."""
    return str(value_e30 // FACTOR_ONE)
