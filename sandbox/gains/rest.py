"""REST answers of the pricing host and of the chain backends, told apart by path. Sans-I/O."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson

from sandbox.faults import ActiveFaults
from sandbox.gains.chain import Chain
from sandbox.gains.feed import PriceFeed
from sandbox.gains.variables import Variables
from sandbox.port import Answer

PRICING: Final = "/pricing"
BACKEND: Final = "/backend/"

_CANDLES: Final = re.compile(r"/charts/(\d{1,5})/(\d{1,12})/(\d{1,12})/(\d{1,5})", re.ASCII)
_TRADER: Final = re.compile(r"/open-trades/(0x[0-9a-fA-F]{40})", re.ASCII)
_RETRY_AFTER_S: Final = "1"


class Rest:
    def __init__(
        self, feed: PriceFeed, chains: Mapping[int, Chain], variables: Mapping[int, Variables]
    ) -> None:
        self._feed = feed
        self._chains = {str(chain_id): chain for chain_id, chain in chains.items()}
        self._variables = {str(chain_id): each for chain_id, each in variables.items()}

    def answer(self, method: str, target: str, faults: ActiveFaults) -> Answer:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Content-Type": "application/json; charset=utf-8",
        }
        if faults.whole("rate_limit"):
            headers["Retry-After"] = _RETRY_AFTER_S
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, headers)
        path = target.partition("?")[0].rstrip("/")
        body = self._body(path) if method == "GET" else None
        if body is None:
            return _refusal(HTTPStatus.NOT_FOUND, headers)
        return Answer(HTTPStatus.OK, headers, body)

    def _body(self, path: str) -> bytes | None:
        if path.startswith(PRICING):
            return self._pricing(path.removeprefix(PRICING))
        if path.startswith(BACKEND):
            chain_id, slash, rest = path.removeprefix(BACKEND).partition("/")
            if chain_id in self._chains:
                return self._backend(chain_id, slash + rest)
        return None

    def _pricing(self, path: str) -> bytes | None:
        if path == "/charts":
            return self._feed.charts()
        candles = _CANDLES.fullmatch(path)
        if candles is None:
            return None
        pair_index, from_s, to_s, minutes = map(int, candles.groups())
        if minutes == 0:
            return None
        return self._feed.candles(pair_index, from_s * 1000, to_s * 1000, minutes)

    def _backend(self, chain_id: str, path: str) -> bytes | None:
        chain, variables = self._chains[chain_id], self._variables[chain_id]
        if path == "/trading-variables":
            return variables.body()
        if path == "/trading-variables/all":
            return variables.body()[:-1] + b',"allTrades":[]}'
        if path == "/open-trades":
            return chain.open_trades(None)
        trader = _TRADER.fullmatch(path)
        return None if trader is None else chain.open_trades(trader[1])


def _refusal(status: HTTPStatus, headers: dict[str, str]) -> Answer:
    return Answer(status, headers, orjson.dumps({"error": status.phrase}))
