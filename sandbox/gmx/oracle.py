"""The tickers: one observation a second, handed out in refreshes 100 ms apart. Pure: time is an
argument."""

from random import Random
from typing import Final

from domain.units import E18, power10
from sandbox.faults import ActiveFaults, Kind
from sandbox.gmx.catalogue import Catalogue, Token
from sandbox.gmx.tape import Tape
from sandbox.prices import Asset, PriceProcess

FAULT_KINDS: Final[tuple[Kind, ...]] = ("freeze", "gap", "cross", "spike", "delist")

REFRESH_MS: Final = 100
# How many refreshes behind the newest one a token's ``updatedAt`` is: shares of the recording.
_LAGS: Final = ((0, 32), (1, 92), (2, 1))
_DAY_CHANGE: Final = 0.06
_GAP_SHARE: Final = 0.3

# Annual volatility and sector of what no other replica quotes.
_OWN_COIN: Final = (0.8, "layer1")
_OWN_STABLE: Final = (0.003, "payments")


class Ticker:
    """The newest observation of one token. ``price`` is USD as the process has it; ``min_price``
    and ``max_price`` are integers of the wire, with the faults in them."""

    def __init__(self, token: Token, lag: int, day_open: float) -> None:
        self.token = token
        self.price = 0.0
        self.min_price = 0
        self.max_price = 0
        self.timestamp_s = 0
        self.updated_ms = 0
        self.is_missing = False
        self.tape = Tape(token.market or token.asset, day_open)
        self._lag_ms = lag * REFRESH_MS

    def refresh(self, price: float, refresh_ms: int, faults: ActiveFaults) -> None:
        """Takes the price as the observation of a second that has none yet."""
        self.updated_ms = refresh_ms - self._lag_ms
        second = self.updated_ms // 1000
        if second > self.timestamp_s:
            self.price = price
            self.timestamp_s = second
            self.tape.add(price, second)
        market = self.token.market
        middle = int(self.price * E18)
        if faults.hits("spike", market):
            middle += middle // 5
        half = int(middle * self.token.spread / 2)
        if faults.hits("cross", market):
            half = -middle // 200
        self.min_price = self._scaled(middle - half)
        self.max_price = self._scaled(middle + half)

    def _scaled(self, price_e18: int) -> int:
        """USD with 30 decimals for the smallest unit of the token."""
        exponent = 12 - self.token.decimals
        if exponent >= 0:
            return price_e18 * power10(exponent)
        return max(1, price_e18 // power10(-exponent))


class Oracle:
    """``refreshed_ms`` is the time of the newest refresh."""

    def __init__(self, catalogue: Catalogue, prices: PriceProcess, seed: int) -> None:
        rng = Random(f"{seed}:oracle")
        self._shared = prices
        # Tokens outside the shared process walk by themselves from where they were recorded.
        own: dict[str, Asset] = {}
        for token in catalogue.tokens:
            if token.asset not in prices and token.asset not in own:
                volatility, sector = _OWN_STABLE if token.market is None else _OWN_COIN
                start = token.recorded_price / token.factor
                own[token.asset] = Asset(token.asset, start, volatility, sector)
        self._own = PriceProcess(list(own.values()), seed)
        self._rng = rng
        lags, shares = zip(*_LAGS, strict=True)
        self.tickers: dict[str, Ticker] = {}
        for token in catalogue.tokens:
            (lag,) = rng.choices(lags, shares)
            change = 0.0 if token.market is None else rng.uniform(-_DAY_CHANGE, _DAY_CHANGE)
            self.tickers[token.address] = Ticker(token, lag, self.price(token) * (1 + change))
        self.refreshed_ms = 0

    def turn(self, now_us: int, faults: ActiveFaults) -> bool:
        """True when a refresh was due and made."""
        refresh_ms = now_us // 1000 // REFRESH_MS * REFRESH_MS
        if refresh_ms <= self.refreshed_ms:
            return False
        self.refreshed_ms = refresh_ms
        self._shared.advance(now_us)
        self._own.advance(now_us)
        for ticker in self.tickers.values():
            market = ticker.token.market
            gap = faults.hits("gap", market)
            if gap and faults.whole("gap"):
                gap = self._rng.random() < _GAP_SHARE
            ticker.is_missing = gap or faults.hits("delist", market)
            if not faults.hits("freeze", market):
                ticker.refresh(self.price(ticker.token), refresh_ms, faults)
        return True

    def price(self, token: Token) -> float:
        """USD for a whole token, as it is now."""
        process = self._shared if token.asset in self._shared else self._own
        return process.price(token.asset) * token.factor
