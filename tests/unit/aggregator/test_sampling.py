"""What becomes a tick."""

from aggregator.sampling import SAMPLE_US, SLOTS_BOUND, Sample, Sampler
from domain.candles import BEST, MINUTE_US
from domain.ids import MarketId, VenueId
from domain.quote import BestQuote, VenueQuote, best_of
from domain.units import E18

NOW_US = 1_795_392_000_000_000
BTC, ETH = MarketId("BTC-USD"), MarketId("ETH-USD")
DYDX, GMX = VenueId("dydx"), VenueId("gmx")


def quote(market: MarketId, **mids: int | None) -> BestQuote:
    venues = tuple(
        VenueQuote(
            VenueId(name), "stale" if mid is None else "live", None, "book", None,
            None if mid is None else (mid - 1) * E18, None if mid is None else (mid + 1) * E18,
            None, None, NOW_US,
        )
        for name, mid in mids.items()
    )  # fmt: skip
    return best_of(market, venues, None, "frame", NOW_US)


def samples(sampler: Sampler, now_us: int) -> list[tuple[int, Sample]]:
    return [
        (slot.at_us, sample) for slot in sampler.close(now_us) for sample in sampler.samples(slot)
    ]


def test_of_a_slot_the_last_price_counts_and_the_slot_is_its_time() -> None:
    sampler = Sampler()
    sampler.offer(quote(BTC, dydx=100), NOW_US + 1)
    sampler.offer(quote(BTC, dydx=104), NOW_US + SAMPLE_US - 1)
    sampler.offer(quote(BTC, dydx=90), NOW_US + SAMPLE_US)
    assert samples(sampler, NOW_US + SAMPLE_US) == [
        (NOW_US, Sample(BTC, {BEST: 104 * E18, "dydx": 104 * E18}))
    ]
    assert samples(sampler, NOW_US + 2 * SAMPLE_US) == [
        (NOW_US + SAMPLE_US, Sample(BTC, {BEST: 90 * E18, "dydx": 90 * E18}))
    ]


def test_only_what_changed_is_said_and_a_price_that_comes_back_is_news() -> None:
    sampler = Sampler()
    told = []
    for step, mids in enumerate(
        [
            {"dydx": 100, "gmx": 100},
            {"dydx": 100, "gmx": 101},
            {"dydx": 100, "gmx": 101},
            {"dydx": 100, "gmx": None},
            {"dydx": 100, "gmx": 101},
        ]
    ):
        at_us = NOW_US + step * SAMPLE_US
        sampler.offer(quote(BTC, **mids), at_us)
        told.append([set(s.mids) for _, s in samples(sampler, at_us + SAMPLE_US)])
    # The best bid goes up with gmx, the best ask stays with dydx.
    assert told == [[{BEST, "dydx", "gmx"}], [{BEST, "gmx"}], [], [{BEST}], [{BEST, "gmx"}]]


def test_a_price_that_stands_is_said_once_a_minute_and_one_that_is_gone_is_not() -> None:
    sampler = Sampler()
    sampler.offer(quote(BTC, dydx=100), NOW_US)
    sampler.offer(quote(ETH, dydx=50), NOW_US)
    samples(sampler, NOW_US + SAMPLE_US)
    sampler.offer(quote(ETH, dydx=None), NOW_US + SAMPLE_US)
    assert samples(sampler, NOW_US + MINUTE_US - 1) == []
    sampler.close(NOW_US + MINUTE_US)
    told = samples(sampler, NOW_US + MINUTE_US + SAMPLE_US)
    assert told == [(NOW_US + MINUTE_US, Sample(BTC, {BEST: 100 * E18, "dydx": 100 * E18}))]
    assert samples(sampler, NOW_US + MINUTE_US + 2 * SAMPLE_US) == []


def test_slots_nobody_takes_become_one_and_no_price_is_lost() -> None:
    sampler = Sampler()
    for step in range(3 * SLOTS_BOUND):
        market = MarketId(f"M{step}-USD")
        sampler.offer(quote(market, dydx=100), NOW_US + step * SAMPLE_US)
    slots = sampler.close(NOW_US + 3 * SLOTS_BOUND * SAMPLE_US)
    assert len(slots) == SLOTS_BOUND
    assert sum(len(slot.quotes) for slot in slots) == 3 * SLOTS_BOUND
