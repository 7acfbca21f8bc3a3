"""The state of one market: its book, its tape, and what the market channel says of it."""

from random import Random
from typing import Any, Final

from domain.units import format_decimal, parse_decimal
from runtime.clock import iso_ms
from sandbox.dydx.books import Book, Shape, Side
from sandbox.dydx.catalogue import Listing
from sandbox.dydx.tape import Tape, Trade

# dYdX adds this to the funding of isolated markets; others have none.
_ISOLATED_FUNDING_1H: Final = "0.0000125"
_FUNDING_NOISE: Final = 6e-6
_FUNDING_DECIMALS: Final = 20
_LATE_FROM_UPDATES_PER_S: Final = 2.0

_STATIC_FIELDS: Final = (
    "quantumConversionExponent",
    "atomicResolution",
    "subticksPerTick",
    "stepBaseQuantums",
    "marketType",
    "initialMarginFraction",
    "maintenanceMarginFraction",
    "openInterestLowerCap",
    "openInterestUpperCap",
    "tickSize",
    "stepSize",
)


class Market:
    """``scale`` is how far the book is from the price process: 1, except while spiked."""

    def __init__(self, listing: Listing, price_index: int, seed: int) -> None:
        self.listing = listing
        self.ticker = listing.ticker
        self.price_index = price_index
        self.rng = Random(f"{seed}:{listing.ticker}")
        tick = float(listing.price_grid.increment)
        step = float(listing.size_grid.increment)
        self.tick = tick
        self.level_units = listing.level_usd / (tick * step)
        late = listing.updates_per_s >= _LATE_FROM_UPDATES_PER_S
        shape = Shape(listing.half_spread_bps / 1e4, self.level_units, late)
        self.book = Book(shape, self.rng)
        self.tape = Tape(listing.ticker, listing.price_grid, listing.size_grid)
        self.status: str = listing.recorded["status"]
        self.scale = 1.0
        self.phantom: int | None = None
        self.oracle_price: str = listing.recorded["oraclePrice"]
        self.oracle_value = float(self.oracle_price)
        self.oracle_at_us = 0
        self._day_ago = self.oracle_value - float(listing.recorded["priceChange24H"])
        self._volume_units = 0
        self._trades = 0
        self._seed = seed
        interest: str = listing.recorded["openInterest"]
        self._interest_steps = self._steps(interest)

    @property
    def clob_pair_id(self) -> str:
        return str(self.listing.recorded["clobPairId"])

    def mid_ticks(self, price: float) -> float:
        return price * self.scale / self.tick

    def trade(self, number: int, height: int, at: str) -> Trade | None:
        """One fill at the touch; None where there is no book."""
        rng = self.rng
        taker: Side = "asks" if rng.random() < 0.5 else "bids"
        ticks = self.book.best(taker)
        if ticks is None:
            return None
        steps = max(1, int(self.level_units / ticks * rng.lognormvariate(-1.5, 1.2)))
        price = self.listing.price_grid.format(ticks)
        kind = "LIMIT"
        chance = rng.random()
        if chance < 0.0005:
            # Deleveraging happens at the bankruptcy price of the position, off the tick grid.
            kind = "DELEVERAGED"
            price = _off_grid(price, rng)
        elif chance < 0.01:
            kind = "LIQUIDATED"
        trade = Trade(
            id=f"{height:08x}00000002{2 + 12 * number:08x}",
            side="BUY" if taker == "asks" else "SELL",
            steps=steps,
            ticks=ticks,
            price=price,
            size=self.listing.size_grid.format(steps),
            type=kind,
            created_at=at,
            height=height,
        )
        self.tape.add(trade)
        self._volume_units += ticks * steps
        self._trades += 1
        # Half of all fills open positions, half close them.
        self._interest_steps = max(0, self._interest_steps + steps * rng.choice((-1, 1)))
        return trade

    def set_oracle(self, price: float, now_us: int) -> None:
        decimals = self.listing.oracle_decimals
        self.oracle_price = format_decimal(max(1, round(price * 10**decimals)), decimals)
        self.oracle_value = price
        self.oracle_at_us = now_us

    def oracle_moved(self, price: float) -> bool:
        return abs(price / self.oracle_value - 1) * 1e4 >= self.listing.oracle_move_bps

    def open_interest(self) -> str:
        return self.listing.size_grid.format(self._interest_steps)

    def statistics(self, now_us: int) -> dict[str, Any]:
        """What a job of the indexer refreshes for all markets every 30 s."""
        recorded = self.listing.recorded
        return {
            "priceChange24H": _signed(self.oracle_value - self._day_ago, 10),
            "volume24H": _sum(recorded["volume24H"], self.tape.usd(self._volume_units)),
            "trades24H": recorded["trades24H"] + self._trades,
            "nextFundingRate": self.next_funding(now_us),
            "openInterest": self.open_interest(),
        }

    def trading(self, now_us: int) -> dict[str, Any]:
        """The full object of a ``trading`` update, as sent when a market changes status."""
        recorded = self.listing.recorded
        return (
            {
                "id": self.clob_pair_id,
                "clobPairId": self.clob_pair_id,
                "ticker": self.ticker,
                "marketId": int(self.clob_pair_id),
                "status": self.status,
            }
            | {name: recorded[name] for name in _STATIC_FIELDS}
            | self.statistics(now_us)
            | {"baseOpenInterest": self.open_interest()}
            | {"defaultFundingRate1H": self.default_funding()}
        )

    def perpetual_market(self, now_us: int) -> dict[str, Any]:
        """The object of ``/v4/perpetualMarkets`` and of the ``v4_markets`` snapshot."""
        recorded = self.listing.recorded
        now = self.statistics(now_us) if self.listing.is_trading else recorded
        return {
            "clobPairId": self.clob_pair_id,
            "ticker": self.ticker,
            "status": self.status,
            "oraclePrice": self.oracle_price,
            "priceChange24H": now["priceChange24H"],
            "volume24H": now["volume24H"],
            "trades24H": now["trades24H"],
            "nextFundingRate": now["nextFundingRate"],
            "initialMarginFraction": recorded["initialMarginFraction"],
            "maintenanceMarginFraction": recorded["maintenanceMarginFraction"],
            "openInterest": self.open_interest(),
            "atomicResolution": recorded["atomicResolution"],
            "quantumConversionExponent": recorded["quantumConversionExponent"],
            "tickSize": recorded["tickSize"],
            "stepSize": recorded["stepSize"],
            "stepBaseQuantums": recorded["stepBaseQuantums"],
            "subticksPerTick": recorded["subticksPerTick"],
            "marketType": recorded["marketType"],
            "openInterestLowerCap": recorded["openInterestLowerCap"],
            "openInterestUpperCap": recorded["openInterestUpperCap"],
            "baseOpenInterest": self.open_interest(),
            "defaultFundingRate1H": self.default_funding(),
        }

    def default_funding(self) -> str:
        isolated = self.listing.recorded["marketType"] == "ISOLATED"
        return _ISOLATED_FUNDING_1H if isolated else "0"

    def funding(self, hour: int) -> float:
        """The rate of one hour since 1970: the recorded one with noise that the seed decides."""
        noise = Random(f"{self._seed}:{self.ticker}:{hour}").gauss(0, _FUNDING_NOISE)
        return float(self.listing.recorded["nextFundingRate"]) + noise

    def next_funding(self, now_us: int) -> str:
        """Runs from the last hour's rate to this hour's, as the average over the hour does."""
        hour, into_us = divmod(now_us, 3_600_000_000)
        part = into_us / 3_600_000_000
        rate = self.funding(hour - 1) * (1 - part) + self.funding(hour) * part
        return _signed(rate, _FUNDING_DECIMALS)

    def historical_funding(self, now_us: int, hours: int, height: int) -> list[dict[str, Any]]:
        """Newest first; the price of past hours is the present one."""
        now_hour = now_us // 3_600_000_000
        rows = []
        for hour in range(now_hour, now_hour - hours, -1):
            at_us = hour * 3_600_000_000
            rows.append(
                {
                    "ticker": self.ticker,
                    "rate": _signed(self.funding(hour), _FUNDING_DECIMALS),
                    "price": self.oracle_price,
                    "effectiveAt": iso_ms(at_us),
                    "effectiveAtHeight": str(height - (now_us - at_us) // 800_000),
                }
            )
        return rows

    def _steps(self, text: str) -> int:
        return round(float(text) / float(self.listing.size_grid.increment))


def _signed(value: float, decimals: int) -> str:
    return format_decimal(round(value * 10**decimals), decimals)


def _sum(left: str, right: str) -> str:
    a, a_decimals = parse_decimal(left)
    b, b_decimals = parse_decimal(right)
    decimals = max(a_decimals, b_decimals)
    total = a * 10 ** (decimals - a_decimals) + b * 10 ** (decimals - b_decimals)
    return format_decimal(total, decimals)


def _off_grid(price: str, rng: Random) -> str:
    digits = str(rng.randrange(10**12, 10**13 - 1)).rstrip("0")
    return price + digits if "." in price else f"{price}.{digits}"
