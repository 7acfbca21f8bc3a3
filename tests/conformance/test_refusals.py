"""The same for every venue: refused, banned or left hanging, alone, and without knocking often."""

import pytest

from domain.errors import VenueUnavailable
from tests.conformance.conftest import MakeWire
from tests.conformance.kit import A
from tests.conformance.stage import playing, serving
from tests.integration.feed_kit import until

BANS = (403, 418, 429)
KNOCKS = 15


@pytest.mark.parametrize("status", BANS)
async def test_a_refused_list_is_asked_for_again_only_when_it_may_be(
    make: MakeWire, status: int
) -> None:
    async with serving(make) as (place,):
        connector = place.connector()
        place.refuse(status, wait_s=40)
        for _ in range(30):
            with pytest.raises(VenueUnavailable) as refused:
                await connector.load_markets()
            assert refused.value.code == "RATE_LIMITED"
            assert 30 < (refused.value.retry_after_s or 0) <= 40
        assert sum(place.asked.values()) == 1
        await connector.close()


async def test_a_ban_is_waited_for_and_the_others_go_on(make: MakeWire, other: MakeWire) -> None:
    async with playing(make, other) as stage:
        place, spared = stage.places
        venue = place.wire.venue
        stage.history.clear()
        place.asked.clear()
        place.refuse(429, wait_s=1)
        await until(lambda: stage.trouble().startswith("RATE_LIMITED"), "out, and why")
        await until(lambda: (q := stage.quote(A, venue)) is not None and q.bid_e18 is None, "out")
        for bid in range(90_000, 90_004):
            await stage.price(spared, f"{bid}", f"{bid}.2")
        assert sum(place.asked.values()) <= KNOCKS
        said = stage.since(A, spared.wire.venue)
        assert said
        assert {quote.state for quote in said} == {"live"}
        place.refusal = None
        await stage.price(place, "90000", "90000.2")
        assert stage.trouble() == ""


async def test_connections_that_hang_are_given_up_and_made_anew(make: MakeWire) -> None:
    async with playing(make) as stage:
        (place,) = stage.places
        stage.history.clear()
        place.hang()
        await until(lambda: stage.trouble() != "", "out, and why")
        await stage.price(place, "96000", "96000.2")
        states = {quote.state for quote in stage.since(A, place.wire.venue)}
        assert states - {"live"}
