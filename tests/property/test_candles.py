"""Candles say what the ticks say, whatever way and however often these come."""

from hypothesis import given
from hypothesis import strategies as st

from aggregator.candles import Forming
from domain.candles import MINUTE_US, PERIODS, SECOND_US, Candle, Tick, bucket, fold, widened
from domain.ids import MarketId

START_US = 1_795_392_000_000_000
DAY_US = PERIODS["1d"]
BTC = MarketId("BTC-USD")

# Some close together, some with hours between.
TIMES = st.one_of(
    st.integers(0, 400).map(lambda n: START_US + n * 250_000),
    st.integers(0, 2 * DAY_US // 250_000).map(lambda n: START_US + n * 250_000),
)
SERIES = st.dictionaries(TIMES, st.integers(1, 10**24), max_size=60).map(
    lambda prices: [Tick(at_us, price) for at_us, price in prices.items()]
)
WIDTHS = st.sampled_from(list(PERIODS.values()))


def naive(ticks: list[Tick], width_us: int) -> list[Candle]:
    found = []
    for t_us in sorted({tick.at_us // width_us * width_us for tick in ticks}):
        prices = [p for at, p in sorted(ticks) if t_us <= at < t_us + width_us]
        found.append(Candle(t_us, prices[0], max(prices), min(prices), prices[-1], len(prices)))
    return found


@given(SERIES, WIDTHS)
def test_a_candle_is_what_its_ticks_say_and_a_gap_has_none(
    ticks: list[Tick], width_us: int
) -> None:
    assert fold(ticks, width_us) == naive(ticks, width_us)


@given(SERIES, WIDTHS, st.randoms(use_true_random=False), st.integers(0, 60))
def test_order_and_repetition_change_nothing(
    ticks: list[Tick], width_us: int, random: st.DataObject, again: int
) -> None:
    mixed = ticks + ticks[:again]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert fold(mixed, width_us) == fold(ticks, width_us)


@given(SERIES, st.sampled_from([("1m", "5m"), ("1s", "1d"), ("5m", "1h"), ("4h", "1d")]))
def test_wide_candles_are_the_same_from_finer_ones(
    ticks: list[Tick], periods: tuple[str, str]
) -> None:
    finer, coarser = (PERIODS[period] for period in periods)
    assert widened(reversed(fold(ticks, finer)), coarser) == fold(ticks, coarser)


@given(SERIES, TIMES, st.integers(1, 10**24))
def test_a_late_tick_opens_only_its_own_bucket(ticks: list[Tick], at_us: int, price: int) -> None:
    before = fold([tick for tick in ticks if tick.at_us != at_us], MINUTE_US)
    after = fold([*(tick for tick in ticks if tick.at_us != at_us), Tick(at_us, price)], MINUTE_US)
    own = bucket(at_us, MINUTE_US)
    assert [c for c in before if c.t_us != own] == [c for c in after if c.t_us != own]
    (late,) = [c for c in after if c.t_us == own]
    assert late.low_e18 <= price <= late.high_e18


@given(SERIES, st.integers(0, 60))
def test_a_forming_candle_goes_on_where_an_earlier_process_ended(
    ticks: list[Tick], cut: int
) -> None:
    ticks = sorted(ticks)
    whole, rest = Forming(), Forming()
    for tick in ticks:
        whole.add(BTC, *tick)
    for tick in ticks[cut:]:
        rest.add(BTC, *tick)
    for period, width_us in PERIODS.items():
        for candle in fold(ticks[:cut], width_us):
            rest.seed(BTC, period, candle)
    assert rest.shown(BTC) == whole.shown(BTC)


def test_due_is_what_changed_or_closed_each_once() -> None:
    forming = Forming()
    forming.add(BTC, START_US, 5)
    assert forming.due(START_US + SECOND_US) == [BTC]
    assert forming.due(START_US + 2 * SECOND_US) == []
    assert forming.due(START_US + MINUTE_US) == [BTC]
    assert forming.due(START_US + 2 * MINUTE_US) == []
    assert forming.due(START_US + 5 * MINUTE_US) == [BTC]
    forming.say_again()
    assert forming.due(START_US + 5 * MINUTE_US + SECOND_US) == [BTC]
