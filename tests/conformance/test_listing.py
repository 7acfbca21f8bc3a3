"""The same for every venue: its market list over time, and what recorded lists and prices mean."""

import dataclasses

import pytest

from aggregator.consolidate import Consolidator
from connectors.base import markets as market_map
from connectors.base.protocol import VenueConnector
from domain.errors import VenueProtocolError
from domain.ids import MarketId
from domain.market import Market
from domain.quote import VenueQuote
from runtime.clock import mono_ns
from tests.conformance.conftest import MakeWire
from tests.conformance.kit import A, B, Recording, Touch, Wire, prices_of, unexplained
from tests.conformance.stage import playing, serving
from tests.integration.feed_kit import until

NO_LISTS = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b'{"markets":{}}',
    b'{"markets":[],"tokens":[],"pairs":[]}',
)

# The list over time -----------------------------------------------------------------------------


async def test_a_new_market_comes_without_a_restart(make: MakeWire) -> None:
    async with playing(make, listed=[B]) as stage:
        (place,) = stage.places
        place.wire.listed.add(A)
        await place.relist()
        stage.history.clear()

        async def listed() -> bool:
            await stage.refresh()
            return A in stage.core.listed()

        await until(listed, "the new market on the list")
        await stage.until_right()
        await stage.price(place, "96000", "96000.2")
        others = stage.since(B, place.wire.venue)
        assert [quote for quote in others if quote.state != "live"] == []


async def test_a_market_that_leaves_takes_no_other_with_it(make: MakeWire) -> None:
    async with playing(make) as stage:
        (place,) = stage.places
        venue = place.wire.venue
        stage.history.clear()
        place.wire.listed.discard(A)
        await place.relist()

        async def unlisted() -> bool:
            await stage.refresh()
            return A not in stage.core.listed()

        await until(unlisted, "the market off the list")
        await until(lambda: stage.quote(A, venue) is None, "nothing more of it")
        stage.said.pop(A)
        place.wire.prices[A] = Touch("1", "1.1")
        await stage.until_said(place)
        assert A not in stage.said
        assert unexplained(stage.since(A, venue)) == []
        assert stage.shows(place, B)
        assert [q for q in stage.since(B, venue) if q.state != "live"] == []


async def test_a_market_that_leaves_says_why_before_the_list_is_read(make: MakeWire) -> None:
    async with playing(make) as stage:
        (place,) = stage.places
        venue = place.wire.venue
        place.wire.listed.discard(A)
        await place.relist()

        def told() -> bool:
            quote = stage.quote(A, venue)
            return quote is not None and quote.state == "halted" and bool(quote.reason)

        await until(told, "a reason")
        assert stage.shows(place, B)


async def test_other_scales_never_make_another_price(make: MakeWire) -> None:
    async with playing(make) as stage:
        (place,) = stage.places
        venue = place.wire.venue
        stage.history.clear()
        right = {place.wire.truth(A)}
        place.wire.rescaled.add(A)
        await place.relist()
        right.add(place.wire.truth(A))
        await stage.until_said(place)
        place.wire.prices[A] = Touch("97000.05", "97000.06")
        right.add(place.wire.truth(A))
        await stage.until_said(place)
        await stage.refresh()
        await stage.until_right()
        assert prices_of(stage.since(A, venue)) <= {price for touch in right for price in touch}
        assert unexplained(stage.since(A, venue)) == []


async def test_a_list_that_is_empty_or_cut_is_refused(make: MakeWire) -> None:
    """Taken for a list it would take every market away."""
    async with serving(make) as (place,):
        connector = place.connector()
        lists = place.wire.recording().lists
        for body in NO_LISTS:
            place.lists = dict.fromkeys(lists, body)
            with pytest.raises(VenueProtocolError) as refused:
                await connector.load_markets()
            assert refused.value.code == "GARBAGE", body
        cut = {path: body[: len(body) // 2] for path, body in lists.items()}
        place.lists = cut
        with pytest.raises(VenueProtocolError):
            await connector.load_markets()
        await connector.close()


# What was recorded ------------------------------------------------------------------------------


async def recorded_markets(make: MakeWire) -> tuple[list[Market], VenueConnector, Wire]:
    async with serving(make) as (place,):
        place.lists = dict(place.wire.recording().lists)
        connector = place.connector()
        markets = list(await connector.load_markets())
        await connector.close()
    return markets, connector, place.wire


async def test_every_recorded_market_is_found_by_its_name_and_back(make: MakeWire) -> None:
    markets, _, wire = await recorded_markets(make)
    table = market_map.load()
    assert len(markets) > 50
    assert len({item.market for item in markets}) == len(markets)
    for item in markets:
        key = table.venue_key(wire.venue, item.market)
        if key is None:
            # Named by a rule, after its own ticker.
            assert item.market.replace(f".{wire.venue.upper()}-", "-") == item.symbol
        assert table.canonical(wire.venue, key or item.symbol, item.symbol) == item.market
    # A venue's own name of a market is one of a key: two markets of one name would get one price.
    assert len({item.symbol for item in markets}) == len(markets)


def replayed(
    connector: VenueConnector, markets: list[Market], recording: Recording
) -> dict[MarketId, VenueQuote]:
    """What is published of recorded frames that come at the time they were recorded."""
    core = Consolidator({connector.venue: connector.rules.max_age_ns})
    now_ns = mono_ns()
    sessions = {}
    for source in connector.sources(markets):
        kind = source.source_id.split(":")[1]
        sessions[kind] = source.source_id, source.new_session(now_ns)
        core.attach(source.source_id, connector.venue, source.markets)
    for kind, frame in recording.frames:
        source_id, session = sessions[kind]
        session.advance(now_ns)
        session.receive(frame, recording.wall_us, now_ns)
        assert session.failure is None
        core.apply(source_id, session.events(), recording.wall_us, now_ns)
    core.advance(recording.wall_us, now_ns)
    return {best.market: best.quotes[0] for best in core.flush(now_ns)}


async def test_recorded_prices_have_their_exact_decimals(make: MakeWire) -> None:
    """Of every pool where there are pools, each in the scale of its own token or collateral."""
    markets, connector, wire = await recorded_markets(make)
    recording = wire.recording()
    named = {market for market, _ in recording.means}
    wanted = [dataclasses.replace(item, status="open") for item in markets if item.market in named]
    assert {item.market for item in wanted} == named
    quotes = replayed(connector, wanted, recording)
    found: dict[tuple[MarketId, str | None], tuple[int | None, int | None]] = {
        (name, pool.pool): (pool.bid_e18, pool.ask_e18)
        for name, quote in quotes.items()
        for pool in quote.pools
    }
    for name, quote in quotes.items():
        assert quote.state == "live", (name, quote.reason)
        if not quote.pools:
            found[name, None] = quote.bid_e18, quote.ask_e18
    assert found == dict(recording.means)
