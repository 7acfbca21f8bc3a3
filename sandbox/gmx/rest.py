"""The service's REST answers: paths, parameters, errors, and what the faults of the wire do to
them. Sans-I/O."""

from collections.abc import Mapping
from http import HTTPStatus
from random import Random
from typing import Final
from urllib.parse import parse_qsl

import orjson

from sandbox.faults import ActiveFaults, Kind
from sandbox.gmx.keeper import Keeper
from sandbox.gmx.tape import PERIODS
from sandbox.port import Answer

FAULT_KINDS: Final[tuple[Kind, ...]] = ("rate_limit", "slow")

_CANDLES_PATH: Final = "/prices/candles"
_CANDLES_LIMIT: Final = (1000, 10_000)
_SLOW_US: Final = 1_500_000
_RETRY_AFTER_S: Final = 1
_REPEATS_KEPT: Final = 64
_DEEP: Final = 20_000

_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "application/json; charset=utf-8",
}

# Answers that are no list of tickers, tokens or markets; some are not even JSON.
_SPOILED: Final = (
    b"",
    b"null",
    b"NaN",
    b"17",
    b"true",
    b'"tickers"',
    b"[]",
    b"{}",
    b"[null,true,17,[],{}]",
    b'{"errors":["Internal server error"]}',
    b'{"tokens":{},"markets":null,"signedPrices":17,"candles":"","errors":[]}',
    b'{"tokens":[{"symbol":1,"address":null,"decimals":"18"}],"markets":[{"marketToken":[]}]}',
    b'{"tokens":[{"symbol":"ETH","address":"0x","decimals":1e999}],"markets":[[[]]]}',
    b'[{"tokenAddress":null,"minPrice":NaN,"maxPrice":Infinity,"updatedAt":-1,"timestamp":true}]',
    b'[{"tokenAddress":"0x82aF49447D8a07e3bd95BD0d56f35241523fBab1","tokenSymbol":"ETH",'
    b'"minPrice":"-1","maxPrice":"1e999","updatedAt":1e999,"timestamp":"now"}]',
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"markets":' * _DEEP + b"0" + b"}" * _DEEP,
)


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Rest:
    def __init__(self, keeper: Keeper, rng: Random) -> None:
        self._keeper = keeper
        self._rng = rng
        # Bodies that were sent once and have to be sent again.
        self._repeats: dict[str, bytes] = {}

    def answer(self, method: str, target: str, faults: ActiveFaults) -> Answer:
        headers: dict[str, str] = dict(_HEADERS)
        status = HTTPStatus.OK
        delay_us = _SLOW_US if faults.whole("slow") else 0
        try:
            if faults.whole("rate_limit"):
                headers["Retry-After"] = str(_RETRY_AFTER_S)
                raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
            body = self._repeated(method, target, faults)
            if faults.whole("garble"):
                body = garble(body, self._rng)
        except _Refused as refused:
            status = refused.status
            body = orjson.dumps({"errors": [str(refused)]})
        return Answer(status, headers, body, delay_us)

    def _repeated(self, method: str, target: str, faults: ActiveFaults) -> bytes:
        if not faults.whole("duplicate"):
            self._repeats.clear()
            return self._body(method, target)
        body = self._repeats.pop(target, None)
        if body is None:
            body = self._body(method, target)
            if len(self._repeats) < _REPEATS_KEPT:
                self._repeats[target] = body
        return body

    def _body(self, method: str, target: str) -> bytes:
        path, _, query_text = target.partition("?")
        if method != "GET":
            raise _Refused(HTTPStatus.NOT_FOUND, "Not Found")
        query = dict(parse_qsl(query_text, keep_blank_values=True))
        if path == _CANDLES_PATH:
            return self._candles(query)
        body = self._keeper.body(path)
        if body is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "Not Found")
        return body

    def _candles(self, query: Mapping[str, str]) -> bytes:
        period = query.get("period", "")
        if period not in PERIODS:
            raise _Refused(HTTPStatus.BAD_REQUEST, f"period must be one of {', '.join(PERIODS)}")
        default, highest = _CANDLES_LIMIT
        text = query.get("limit", str(default))
        if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= highest):
            raise _Refused(HTTPStatus.BAD_REQUEST, f"limit must be from 1 to {highest}")
        body = self._keeper.candles(query.get("tokenSymbol", ""), period, int(text))
        if body is None:
            raise _Refused(HTTPStatus.BAD_REQUEST, "unknown tokenSymbol")
        return body


def garble(body: bytes, rng: Random) -> bytes:
    """A body as broken servers, proxies and cables deliver it."""
    choice = rng.random()
    if choice < 0.2:
        return body[: rng.randrange(1, len(body))]
    if choice < 0.3:
        return body.replace(b":", b"=", rng.randint(1, 3))
    if choice < 0.4:
        return body.replace(b'"0x', b'"0X', rng.randint(1, 3)).replace(b'"ETH', b'"\xff\xfe', 1)
    return rng.choice(_SPOILED)
