"""The indexer's REST answers: paths, limits and error envelopes. Sans-I/O."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson

from runtime.clock import iso_ms
from sandbox.dydx.feed import Feed
from sandbox.dydx.tape import RESOLUTIONS
from sandbox.faults import ActiveFaults, Kind
from sandbox.port import Answer

_WINDOW_US: Final = 10_000_000
_POINTS: Final = 100
_CANDLE_POINTS: Final = 1000
_MAX_LIMIT: Final = 1000
_FUNDING_HOURS: Final = 168
_CLIENTS_KEPT: Final = 1024

_REFUSED: Final[tuple[tuple[Kind, str], ...]] = (
    ("geoblock", "GEOBLOCKED"),
    ("block", "COMPLIANCE_BLOCKED"),
)

_Query = Mapping[str, str]


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, error: dict[str, Any]) -> None:
        super().__init__(error["msg"])
        self.status = status
        self.error = error


class _Limiter:
    """Points a client has left in its window of ten seconds."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._clients: dict[str, tuple[int, int]] = {}

    def spend(self, client: str, now_us: int) -> tuple[bool, dict[str, str]]:
        """Whether the request may pass, and the headers that say so."""
        start_us, used = self._clients.get(client, (now_us, 0))
        if now_us - start_us >= _WINDOW_US:
            start_us, used = now_us, 0
        if len(self._clients) >= _CLIENTS_KEPT:
            self._clients.clear()
        self._clients[client] = start_us, used + 1
        left_ms = (start_us + _WINDOW_US - now_us) // 1000
        passes = used < self._points
        headers = {
            "RateLimit-Remaining": str(max(0, self._points - used - 1)),
            "RateLimit-Reset": str(now_us // 1000 + left_ms),
            "RateLimit-Limit": str(self._points),
        }
        if not passes:
            headers |= _retry_after(left_ms)
        return passes, headers


def _retry_after(left_ms: int) -> dict[str, str]:
    # The indexer sends milliseconds here, where HTTP means seconds.
    return {"Retry-After": str(left_ms)}


class Rest:
    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._limiter = _Limiter(_POINTS)
        self._candle_limiter = _Limiter(_CANDLE_POINTS)
        # Path up to the ticker, if there is one -> what answers it.
        self._plain: Mapping[str, Callable[[_Query, int], bytes]] = {
            "/v4/perpetualMarkets": self._perpetual_markets,
            "/v4/time": self._time,
            "/v4/height": lambda _query, _now_us: self._feed.block(),
        }
        self._by_ticker: Mapping[str, Callable[[str, _Query], bytes]] = {
            "/v4/orderbooks/perpetualMarket": self._orderbook,
            "/v4/trades/perpetualMarket": self._trades,
            "/v4/candles/perpetualMarkets": self._candles,
            "/v4/historicalFunding": self._historical_funding,
        }

    def answer(
        self, method: str, target: str, client: str, now_us: int, faults: ActiveFaults
    ) -> Answer:
        path, _, query_text = target.partition("?")
        path = path.rstrip("/")
        candles = path.startswith("/v4/candles/")
        limiter = self._candle_limiter if candles else self._limiter
        passes, headers = limiter.spend(client, now_us)
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Content-Type"] = "application/json; charset=utf-8"
        if faults.whole("rate_limit"):
            passes = False
            headers |= {"RateLimit-Remaining": "0"} | _retry_after(1000)
        try:
            if not passes:
                raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, {"msg": "Too many requests"})
            query = dict(parse_qsl(query_text, keep_blank_values=True))
            if path.startswith("/v4/addresses/"):
                body = _account(faults)
            elif path.startswith("/v4/compliance/screen/"):
                body = _standing(faults, now_us)
            else:
                body = self._body(method, path, query, now_us)
        except _Refused as refused:
            body = orjson.dumps({"errors": [refused.error]})
            return Answer(refused.status, headers, body)
        return Answer(HTTPStatus.OK, headers, body)

    def _body(self, method: str, path: str, query: _Query, now_us: int) -> bytes:
        plain = self._plain.get(path)
        head, _, ticker = path.rpartition("/")
        by_ticker = self._by_ticker.get(head)
        if method == "GET" and plain is not None:
            return plain(query, now_us)
        if method == "GET" and by_ticker is not None:
            return by_ticker(unquote(ticker), query)
        raise _Refused(HTTPStatus.NOT_FOUND, {"msg": "Not Found"})

    def _perpetual_markets(self, query: _Query, _now_us: int) -> bytes:
        name = "market" if "market" in query else "ticker"
        ticker = query.get(name)
        if ticker is not None:
            self._check_ticker(ticker, name, "query")
        return self._feed.perpetual_markets(ticker, _limit(query))

    def _time(self, _query: _Query, now_us: int) -> bytes:
        return orjson.dumps({"iso": iso_ms(now_us), "epoch": now_us // 1000 / 1000})

    def _orderbook(self, ticker: str, _query: _Query) -> bytes:
        if ticker not in self._feed.markets:
            text = f"{ticker} not found in markets of type PERPETUAL"
            raise _Refused(HTTPStatus.NOT_FOUND, {"msg": text})
        return self._feed.orderbook(ticker)

    def _trades(self, ticker: str, query: _Query) -> bytes:
        self._check_ticker(ticker, "ticker", "params")
        return self._feed.trades(ticker, _limit(query))

    def _candles(self, ticker: str, query: _Query) -> bytes:
        self._check_ticker(ticker, "ticker", "params")
        resolution = query.get("resolution", "")
        if resolution not in RESOLUTIONS:
            text = f"resolution must be a valid Candle Resolution, one of {','.join(RESOLUTIONS)}"
            raise _invalid(text, "resolution", "query", resolution)
        from_s = _time_of(query, "fromISO", float("-inf"))
        to_s = _time_of(query, "toISO", float("inf"))
        return self._feed.candles(ticker, resolution, _limit(query), from_s, to_s)

    def _historical_funding(self, ticker: str, query: _Query) -> bytes:
        self._check_ticker(ticker, "ticker", "params")
        return self._feed.historical_funding(ticker, min(_limit(query), _FUNDING_HOURS))

    def _check_ticker(self, ticker: str, param: str, location: str) -> None:
        if ticker not in self._feed.markets:
            text = "ticker must be a valid ticker (BTC-USD, etc)"
            raise _invalid(text, param, location, ticker)


def _account(faults: ActiveFaults) -> bytes:
    """Nobody has one here, and some may not even ask."""
    for kind, code in _REFUSED:
        if faults.whole(kind):
            text = "Because you appear to be a resident of, or trading from, a restricted place"
            raise _Refused(HTTPStatus.FORBIDDEN, {"code": code, "msg": text})
    raise _Refused(HTTPStatus.NOT_FOUND, {"msg": "No subaccounts found for the address"})


def _standing(faults: ActiveFaults, now_us: int) -> bytes:
    status, reason = "COMPLIANT", None
    if faults.whole("block"):
        status, reason = "BLOCKED", "COMPLIANCE_PROVIDER"
    elif faults.whole("close_only"):
        status, reason = "CLOSE_ONLY", "US_GEO"
    return orjson.dumps({"status": status, "reason": reason, "updatedAt": iso_ms(now_us)})


def _limit(query: _Query) -> int:
    text = query.get("limit", str(_MAX_LIMIT))
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MAX_LIMIT:
        return int(text)
    message = f"limit must be a positive integer that is not greater than max: {_MAX_LIMIT}"
    raise _invalid(message, "limit", "query", text)


def _time_of(query: _Query, name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid("Invalid value", name, "query", text) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _invalid(text: str, param: str, location: str, value: str) -> _Refused:
    error = {"value": value, "msg": text, "param": param, "location": location}
    return _Refused(HTTPStatus.BAD_REQUEST, error)
