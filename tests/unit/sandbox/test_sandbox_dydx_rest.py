import json
from typing import Any

import pytest

from sandbox.dydx.rest import Answer, Rest
from sandbox.faults import NO_FAULTS, ActiveFaults, Fault, Kind
from tests.unit.sandbox.offline import ALL, START_US, Replica


class Caller:
    def __init__(self) -> None:
        self.replica = Replica(ALL, rate=2)
        self.replica.run(65, turn_us=100_000)
        self.rest = Rest(self.replica.feed)
        self.faults: ActiveFaults = NO_FAULTS

    def get(self, target: str, *, client: str = "", method: str = "GET") -> Answer:
        # A client of its own each, so that no test spends another's points.
        client = client or target
        return self.rest.answer(method, target, client, START_US, self.faults)


@pytest.fixture(scope="module")
def caller() -> Caller:
    return Caller()


def _body(answer: Answer) -> Any:
    assert answer.status == 200
    return json.loads(answer.body)


def test_perpetual_markets(caller: Caller) -> None:
    assert len(_body(caller.get("/v4/perpetualMarkets"))["markets"]) == 125
    assert list(_body(caller.get("/v4/perpetualMarkets?market=ETH-USD"))["markets"]) == ["ETH-USD"]
    assert len(_body(caller.get("/v4/perpetualMarkets?limit=3"))["markets"]) == 3


def test_book_is_uncrossed_and_at_most_100_a_side(caller: Caller) -> None:
    book = _body(caller.get("/v4/orderbooks/perpetualMarket/BTC-USD"))
    assert 0 < len(book["bids"]) <= 100
    assert float(book["bids"][0]["price"]) < float(book["asks"][0]["price"])


def test_trades_and_candles_agree(caller: Caller) -> None:
    trades = _body(caller.get("/v4/trades/perpetualMarket/BTC-USD?limit=5"))["trades"]
    assert len(trades) == 5
    path = "/v4/candles/perpetualMarkets/BTC-USD?resolution="
    # What is older was before the replica began.
    minutes = _body(caller.get(path + "1MIN"))["candles"][:2]
    assert minutes[0]["startedAt"] > minutes[1]["startedAt"]
    day, *_ = _body(caller.get(path + "1DAY"))["candles"]
    assert day["trades"] == sum(candle["trades"] for candle in minutes)
    assert minutes[0]["open"] != ""
    only = _body(caller.get(path + f"1MIN&fromISO={minutes[0]['startedAt']}"))["candles"]
    assert only == minutes[:1]
    older = _body(caller.get(path + f"1MIN&toISO={minutes[0]['startedAt']}&limit=1"))["candles"]
    assert older == minutes[1:]


def test_funding_is_hourly_and_newest_first(caller: Caller) -> None:
    rows = _body(caller.get("/v4/historicalFunding/BTC-USD?limit=3"))["historicalFunding"]
    recorded = ["ticker", "rate", "price", "effectiveAt", "effectiveAtHeight"]
    assert [list(row) for row in rows] == [recorded] * 3
    assert rows[0]["effectiveAt"] > rows[1]["effectiveAt"]
    assert int(rows[0]["effectiveAtHeight"]) - int(rows[1]["effectiveAtHeight"]) == 4500


def test_time_and_height(caller: Caller) -> None:
    time = _body(caller.get("/v4/time"))
    assert time["epoch"] == START_US / 1e6
    assert set(_body(caller.get("/v4/height"))) == {"height", "time"}


@pytest.mark.parametrize(
    ("target", "status", "error"),
    [
        ("/v4/nothing", 404, {"msg": "Not Found"}),
        ("//[", 404, {"msg": "Not Found"}),
        (
            "/v4/orderbooks/perpetualMarket/FOO",
            404,
            {"msg": "FOO not found in markets of type PERPETUAL"},
        ),
        ("/v4/trades/perpetualMarket/FOO", 400, {"param": "ticker", "location": "params"}),
        ("/v4/perpetualMarkets?market=FOO", 400, {"param": "market", "location": "query"}),
        ("/v4/perpetualMarkets?limit=0", 400, {"param": "limit", "value": "0"}),
        ("/v4/perpetualMarkets?limit=1001", 400, {"param": "limit"}),
        ("/v4/candles/perpetualMarkets/BTC-USD", 400, {"param": "resolution"}),
        ("/v4/candles/perpetualMarkets/BTC-USD?resolution=M1", 400, {"value": "M1"}),
        (
            "/v4/candles/perpetualMarkets/BTC-USD?resolution=1MIN&toISO=now",
            400,
            {"param": "toISO"},
        ),
    ],
)
def test_errors_have_one_envelope(
    caller: Caller, target: str, status: int, error: dict[str, Any]
) -> None:
    answer = caller.get(target)
    assert answer.status == status
    (shown,) = json.loads(answer.body)["errors"]
    assert "msg" in shown
    assert error.items() <= shown.items()


def test_only_get_exists(caller: Caller) -> None:
    assert caller.get("/v4/time", method="POST").status == 404


def test_the_101st_request_in_ten_seconds_waits(caller: Caller) -> None:
    answers = [caller.get("/v4/height", client="greedy") for _ in range(101)]
    assert [answer.status for answer in answers] == [200] * 100 + [429]
    assert json.loads(answers[-1].body) == {"errors": [{"msg": "Too many requests"}]}
    assert answers[-1].headers["Retry-After"] == "10000"
    assert answers[0].headers["RateLimit-Remaining"] == "99"
    assert caller.get("/v4/height", client="modest").status == 200
    candles = "/v4/candles/perpetualMarkets/BTC-USD?resolution=1MIN"
    assert caller.get(candles, client="greedy").status == 200
    later = caller.rest.answer("GET", "/v4/height", "greedy", START_US + 10_000_000, NO_FAULTS)
    assert later.status == 200


def test_rate_limit_fault_refuses_everyone(caller: Caller) -> None:
    caller.faults = ActiveFaults([Fault("dydx", "rate_limit", None, until_ns=1)])
    answer = caller.get("/v4/time", client="polite")
    caller.faults = NO_FAULTS
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1000"


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("geoblock", "GEOBLOCKED", "COMPLIANT"),
        ("block", "COMPLIANCE_BLOCKED", "BLOCKED"),
        ("close_only", None, "CLOSE_ONLY"),
        (None, None, "COMPLIANT"),
    ],
)
def test_who_is_served(caller: Caller, kind: Kind | None, code: str | None, status: str) -> None:
    if kind is not None:
        caller.faults = ActiveFaults([Fault("dydx", kind, None, until_ns=1)])
    account = caller.get("/v4/addresses/dydx1abc", client=f"{kind}")
    standing = caller.get("/v4/compliance/screen/dydx1abc", client=f"{kind}")
    caller.faults = NO_FAULTS
    assert account.status == (404 if code is None else 403)
    assert json.loads(account.body)["errors"][0].get("code") == code
    assert json.loads(standing.body)["status"] == status
