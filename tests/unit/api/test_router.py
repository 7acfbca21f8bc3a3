"""Routes over the three venues, priced by their own economics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
import pytest

from api.endpoints import _checked
from api.problems import Invalid, Unavailable
from api.routing.answer import answer_row
from api.routing.request import RouteRequest, request_of
from api.routing.router import Answer, Router
from api.schemas.routing import RouteBody
from connectors.desks import ROUTES
from connectors.dydx.economics.pricing import BookInputs, Margin
from connectors.dydx.economics.quote import Scale
from connectors.gains.economics.position import LiquidationTerms
from connectors.registry import ECONOMICS
from domain.errors import StaleQuote
from domain.funding import Place
from domain.ids import VenueId
from runtime.wire import DEPTH_VERSION
from tests.unit.connectors.gains.economics.pools import POOL, changed

SCALE = Scale(10**18, 10**14)
BOOK = BookInputs(
    SCALE, ((99_990, 10**5), (99_900, 10**6)), ((100_010, 10**5), (100_100, 10**6)), 500
)
BODY = {
    "market": "BTC-USD",
    "side": "BUY",
    "intent": "open",
    "type": "market",
    "notional_usd": "10000",
    "leverage": "10",
}
VENUES: Mapping[str, Mapping[str, Any]] = {
    "dydx": {"chain_ids": ["dydx-mainnet-1"], "max_leverage": "50"},
    "gains": {"chain_ids": [42161], "max_leverage": "150"},
}
EXCLUDED = {"venue": "gmx", "reason": "STALE"}


def parse(body: Mapping[str, Any]) -> RouteRequest:
    """As an endpoint does."""
    checked = _checked(RouteBody, {k: v for k, v in body.items() if v is not None}, "body")
    assert isinstance(checked, RouteBody)
    return request_of(checked)


def row(venue: str, pool: str | None, inputs: Any, *sides: str) -> dict[str, Any]:
    return {
        "venue": venue,
        "pool": pool,
        "decimals": 10,
        "gas_usd": "0" if venue == "dydx" else None,
        "execution_fee_usd": "0",
        "sides": list(sides or ("BUY", "SELL")),
        "inputs": ECONOMICS[VenueId(venue)].encode(inputs),
    }


def depth(*pools: dict[str, Any], mid: str | None = "100000") -> bytes:
    content = {"version": DEPTH_VERSION, "market": "BTC-USD", "published_us": 1_790_000_000_124_001}
    return orjson.dumps(content | {"mid": mid, "pools": pools, "excluded": [EXCLUDED]})


BOTH = (row("dydx", None, BOOK), row("gains", "42161:USDC", POOL))


async def route(
    body: Mapping[str, Any], raw: bytes | None = None, funding: Sequence[Place] = ()
) -> Answer:
    raw = depth(*BOTH) if raw is None else raw
    return await Router(ECONOMICS, ROUTES).route(parse(body), raw, VENUES, funding)


async def answer(body: Mapping[str, Any], raw: bytes | None = None) -> dict[str, Any]:
    return answer_row(
        await route(body, raw), lambda item: [{"code": "BALANCE", "symbol": item.leg.venue}]
    )


async def test_an_answer_has_what_the_contract_says() -> None:
    found = await answer(BODY)
    assert found["as_of"] == "2026-09-21T14:13:20.124Z"
    assert {item["route_id"] for item in found["routes"]} == {
        "dydx:dydx-mainnet-1:-:USDC",
        "gains:42161:42161:USDC:USDC",
    }
    assert found["best"] == found["routes"][0]["route_id"]
    costs = [Decimal(item["total_cost_usd"]) for item in found["routes"]]
    assert costs == sorted(costs)
    assert found["split"] == [{"route_id": found["best"], "share_bps": 10_000}]
    assert found["excluded"] == [
        {
            "venue": "gmx",
            "chain_id": None,
            "pool": None,
            "code": "STALE",
            "message": "the venue is not in the best price now",
        }
    ]
    for item in found["routes"]:
        assert item["notional_usd"] == "10000"
        # Leverage 10, and a unit of the collateral is worth about a dollar.
        assert Decimal("999") < Decimal(item["collateral_amount"]) < Decimal("1001")
        paid = sum(Decimal(line["usd"]) - Decimal(line["refundable_usd"]) for line in item["costs"])
        assert paid == Decimal(item["total_cost_usd"])
        bound = Decimal(item["expected_price"]) * Decimal("1.005")
        assert Decimal(item["guard"]["price"]) <= bound
        assert Decimal(item["guard"]["price"]) > Decimal(item["expected_price"])
        assert item["needs"] == [{"code": "BALANCE", "symbol": item["venue"]}]
    assert orjson.loads(orjson.dumps(found)) == found


async def test_the_cheapest_by_hand() -> None:
    """A taker of 10,000 USD on the book pays 10,010 a piece against 100,000 and 5 bps."""
    found = {item["venue"]: item for item in (await answer(BODY))["routes"]}
    exact = 10_000 * (1 - Fraction(100_000, 100_010) + Fraction(5, 10_000))
    assert 0 <= Fraction(found["dydx"]["total_cost_usd"]) - exact < Fraction(1, 10**18)


async def test_a_liquidation_price_is_told_of_an_opening() -> None:
    """At 10 x, 10 % and what is kept back away from the fill; of an exit nobody can say."""
    margin = Margin(-10, 20_000, 600_000)
    liquidation = LiquidationTerms(5 * 10**8, 90 * 10**10, 75 * 10**10, 25_000, 60_000)
    pool = replace(POOL, state=replace(POOL.state, liquidation=liquidation))
    raw = depth(row("dydx", None, replace(BOOK, margin=margin)), row("gains", "42161:USDC", pool))
    for side, low, high in (("BUY", 90_000, 93_000), ("SELL", 107_000, 110_000)):
        routes = (await answer(BODY | {"side": side}, raw))["routes"]
        assert len(routes) == 2
        for item in routes:
            assert low < Decimal(item["liquidation_price"]) < high
    exits = BODY | {"intent": "decrease", "leverage": None}
    assert {item["liquidation_price"] for item in (await answer(exits, raw))["routes"]} == {None}
    assert {item["liquidation_price"] for item in (await answer(BODY))["routes"]} == {None}


async def test_a_size_in_base_units_is_filled_as_such() -> None:
    body = BODY | {"notional_usd": None, "size_base": "2.5"}
    for item in (await answer(body))["routes"]:
        assert item["size_base"] == "2.5"
        filled = Decimal(item["notional_usd"]) / Decimal(item["expected_price"])
        assert abs(filled - Decimal("2.5")) < Decimal("1e-9")


async def test_a_large_size_is_split_where_that_is_cheaper() -> None:
    body = BODY | {"notional_usd": "1500000", "max_legs": 3}
    found = await answer(body)
    assert sum(share["share_bps"] for share in found["split"]) == 10_000
    assert len(found["split"]) == 2
    shares = (await route(body)).split_legs
    assert sum(leg.leg.notional_usd for leg in shares) == 1_500_000
    assert [leg.route.place.route_id for leg in shares] == [
        share["route_id"] for share in found["split"]
    ]
    for leg, share in zip(shares, found["split"], strict=True):
        assert leg.leg.notional_usd == 150 * share["share_bps"]
        assert Decimal(leg.leg.notional_usd) / 10 <= (leg.leg.collateral_amount or 0)
    assert len((await answer(body | {"max_legs": 1}))["split"]) == 1


@pytest.mark.parametrize(
    ("code", "venue", "change"),
    [
        ("VENUE_FILTER", "dydx", {"venues": ["gains"]}),
        ("CHAIN_FILTER", "dydx", {"chain_ids": [42161]}),
        ("COLLATERAL", "gains", {"collateral": {"symbol": "DAI"}}),
        ("PRECISION", "dydx", {"notional_usd": None, "size_base": "0.10001"}),
        ("PRECISION", "gains", {"leverage": None, "collateral": {"amount": "100.1234567"}}),
        # 1250 USD at 0.06 % is the least fee, 0.75 USD, and five of it are posted at least.
        ("MIN_COLLATERAL", "gains", {"notional_usd": "500", "leverage": "140"}),
        ("MIN_LEVERAGE", "gains", {"leverage": "1.05"}),
        ("GUARD_TOO_TIGHT", "dydx", {"limit_price": "100009"}),
        ("GUARD_TOO_TIGHT", "gains", {"side": "SELL", "limit_price": "100000"}),
        ("MAX_LEVERAGE", "dydx", {"leverage": "51"}),
        ("MAX_LEVERAGE", "dydx", {"leverage": None, "collateral": {"amount": "100"}}),
        ("BRACKETS", "dydx", {"stop_loss": "90000"}),
        ("POST_ONLY", "gains",
         {"type": "limit", "limit_price": "90000", "post_only": True, "time_in_force": "GTC"}),
        ("TIME_IN_FORCE", "gains",
         {"type": "limit", "limit_price": "90000", "time_in_force": "IOC"}),
        ("DEPTH", "dydx", {"notional_usd": "50000000"}),
        ("BELOW_STEP", "dydx", {"notional_usd": "1"}),
    ],
)  # fmt: skip
async def test_what_is_left_out_says_why(code: str, venue: str, change: dict[str, Any]) -> None:
    found = await answer(BODY | change)
    assert (venue, code) in [(item["venue"], item["code"]) for item in found["excluded"]]
    assert venue not in [item["venue"] for item in found["routes"]]


async def test_an_exit_is_not_refused_for_its_bound() -> None:
    body = BODY | {"intent": "decrease", "leverage": None, "limit_price": "90000"}
    assert len((await route(body)).legs) == 2


async def test_what_would_be_lost_at_once_depends_on_the_leverage() -> None:
    """The contract lets an opening cost 40 % of what is posted: 30 bps at 133 x."""
    raw = depth(row("gains", "42161:USDC", changed(spread_p=60 * 10**8)))
    assert len((await route(BODY | {"leverage": "132"}, raw)).legs) == 1
    found = await route(BODY | {"leverage": "135"}, raw)
    assert [item.code for item in found.excluded if item.venue == "gains"] == ["IMPACT"]


async def test_a_share_that_is_too_small_for_its_venue_is_not_dealt_to_it() -> None:
    """3.75 USD are posted at least: the whole posts 10, a tenth 1."""
    body = BODY | {"notional_usd": "1000", "leverage": "100", "max_legs": 3}
    wide = replace(
        BOOK, bids=((99_990, 100), (90_000, 10**6)), asks=((100_010, 90), (130_000, 10**6))
    )
    venues = {**VENUES, "dydx": {**VENUES["dydx"], "max_leverage": "100"}}
    raw = depth(row("dydx", None, wide), row("gains", "42161:USDC", POOL))
    found = await Router(ECONOMICS, ROUTES).route(parse(body), raw, venues)
    assert {item.leg.venue for item in found.legs} == {"dydx", "gains"}
    for item in found.split_legs:
        assert item.leg.venue != "gains" or (item.leg.collateral_amount or 0) >= Decimal("3.75")


async def test_nothing_is_compared_without_a_middle() -> None:
    with pytest.raises(StaleQuote):
        await route(BODY, depth(*BOTH, mid=None))
    with pytest.raises(Unavailable) as caught:
        await route(BODY, depth({"venue": "gmx"}))
    assert caught.value.code == "FEED_UNAVAILABLE"


@pytest.mark.parametrize("reason", ["HOURS", "CLOSED"])
async def test_a_closed_market_is_named_so(reason: str) -> None:
    content = orjson.loads(depth(mid=None)) | {"excluded": [{"venue": "gains", "reason": reason}]}
    with pytest.raises(StaleQuote) as caught:
        await route(BODY, orjson.dumps(content))
    assert caught.value.code == "MARKET_CLOSED"


async def test_a_fee_of_whoever_runs_it_is_a_line_of_every_route() -> None:
    plain = await route(BODY)
    charged = await Router(ECONOMICS, ROUTES, Decimal(5)).route(parse(BODY), depth(*BOTH), VENUES)
    assert all("service_fee" not in {line.code for line in leg.route.costs} for leg in plain.legs)
    for leg, before in zip(charged.legs, plain.legs, strict=True):
        [line] = [line for line in leg.route.costs if line.code == "service_fee"]
        assert (line.usd, line.bps) == (Decimal(5), Decimal(5))
        assert leg.route.total_cost_usd == before.route.total_cost_usd + 5
        assert leg.leg == before.leg


async def test_nowhere_to_go_is_an_answer() -> None:
    found = await answer(BODY, depth())
    assert (found["best"], found["routes"], found["split"]) == (None, [], [])


async def test_holding_costs_what_the_rates_say() -> None:
    rates = Place(VenueId("dydx"), None, Decimal("0.0001"), Decimal("-0.0001"), Decimal("0.00001"))
    found = await route(BODY | {"holding_hours": 8}, funding=[rates])
    routes = {item.route.place.venue: item.route for item in found.legs}
    lines = {line.code: line.usd for line in routes[VenueId("dydx")].costs}
    assert (lines["funding"], lines["borrowing"]) == (Decimal(8), Decimal("0.8"))
    assert "funding" in routes[VenueId("gains")].unknown
    short = await route(BODY | {"side": "SELL", "holding_hours": 8}, funding=[rates])
    [dydx] = [item.route for item in short.legs if item.route.place.venue == "dydx"]
    assert {line.code: line.usd for line in dydx.costs}["funding"] == Decimal(-8)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("body.market", {"market": None}),
        ("body.market", {"market": "BTC USD"}),
        ("body.side", {"side": "buy"}),
        ("body.intent", {"intent": 1}),
        ("body.type", {"type": "__proto__"}),
        ("body.notional_usd", {"notional_usd": 10000}),
        ("body.notional_usd", {"notional_usd": "1_000"}),
        ("body.notional_usd", {"notional_usd": "1E+3"}),
        ("body.notional_usd", {"notional_usd": "-0"}),
        ("body.notional_usd", {"notional_usd": "\u0661"}),
        ("body.notional_usd", {"notional_usd": " 1 "}),
        ("body.notional_usd", {"notional_usd": "NaN"}),
        ("body.notional_usd", {"notional_usd": "100000001"}),
        ("body.leverage", {"leverage": True}),
        ("body", {"leverage": "0"}),
        ("body", {"leverage": None}),
        ("body", {"size_base": "1"}),
        ("body.post_only", {"post_only": "true"}),
        ("body.venues", {"venues": []}),
        ("body.venues", {"venues": "dydx"}),
        ("body.venues", {"venues": ["x"] * 17}),
        ("body.chain_ids", {"chain_ids": [0]}),
        ("body.chain_ids", {"chain_ids": [True]}),
        ("body.holding_hours", {"holding_hours": "8761"}),
        ("body.max_legs", {"max_legs": 4}),
        ("body.max_legs", {"max_legs": "2"}),
        ("body.collateral", {"collateral": "USDC"}),
        ("body.collateral.x", {"collateral": {"x": 1}}),
        ("body.\\u202e", {"\u202e": 1}),
    ],
)
def test_a_bad_body_says_where(path: str, change: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse(BODY | change)
    assert path in [issue.path for issue in caught.value.issues]
