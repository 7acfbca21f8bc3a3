"""What the polls make of answers, of silence and of nonsense, on a clock that the test moves."""

import dataclasses
from typing import Any

import pytest

from connectors.gmx import constants as c
from connectors.gmx.polls import DaySession, InfoSession, TickersSession
from connectors.gmx.state import GmxState, Listing
from domain.events import Event, Liveness, MarketState, PoolQuote, VenueStatus
from domain.ids import MarketId
from tests.unit.connectors.gmx.kit import (
    BTC,
    BTC_ROW,
    BTC_USDC,
    ETH,
    ETH_ETH,
    ETH_USDC,
    START_S,
    Poll,
    alive,
    doubts,
    quotes,
    recorded,
    state,
    statuses,
    ticker,
)

E18 = 10**18
GARBAGE: list[bytes] = [
    b"", b"{", b"null", b"{}", b"42", b"NaN", b"[1e999]", b"<html>", b"\xff", b"[" * 5000,
    b'[{"tokenAddress":true}]', b'{"markets":[]}', b'{"markets":{"a":1}}', b'{"markets":[null]}',
    b'"' + b"x" * 10_000_000 + b'"', b"[" + b"[]," * 500_000 + b"[]]",
]  # fmt: skip


def info(*rows: tuple[str, bool, str | None]) -> Any:
    """(pool, disabled, liquidity of each side in whole USD or None)."""
    found = []
    for pool, disabled, usd in rows:
        row: dict[str, Any] = {"marketToken": pool, "isListed": True, "isDisabled": disabled}
        if usd is not None:
            row["availableLiquidityLong"] = row["availableLiquidityShort"] = usd + "0" * 30
        found.append(row)
    return {"markets": found}


def opened() -> Poll:
    poll = Poll(TickersSession)
    poll.tickers(ticker(), BTC_ROW)
    return poll


# Prices ---------------------------------------------------------------------------------------


def test_a_poll_quotes_every_pool_and_proves_the_source_alive() -> None:
    poll = Poll(TickersSession)
    assert not poll.session.healthy
    events = poll.tickers(ticker(), BTC_ROW)
    assert events[0] == VenueStatus("live")
    assert alive(events)
    assert poll.session.healthy
    ms = START_S * 1000
    eth, btc = 2000 * E18, 60000 * E18
    assert list(quotes(events).values()) == [
        PoolQuote(MarketId("ETH-USD"), ETH_USDC, eth, eth, None, None, ms),
        PoolQuote(MarketId("ETH-USD"), ETH_ETH, eth, eth, None, None, ms),
        PoolQuote(MarketId("BTC-USD"), BTC_USDC, btc, btc + E18, None, None, ms),
    ]


def test_the_recorded_answer_is_quoted() -> None:
    poll = Poll(TickersSession)
    events = poll.answer(recorded("prices-tickers.arbitrum.json"))
    assert alive(events)
    found = quotes(events)[ETH_USDC]
    assert found.bid_e18 == found.ask_e18 == 1_739_495_434_083_952_000_000


def test_polls_come_at_their_interval_from_the_first_moment() -> None:
    poll = Poll(TickersSession)
    poll.wait(1.75)
    assert poll.asked == [c.TICKERS_PATH] * 4


def test_only_what_changed_is_said_again() -> None:
    poll = opened()
    events = poll.tickers(ticker(), BTC_ROW)
    assert quotes(events) == {}
    assert alive(events)
    poll.wait(0.5)
    events = poll.tickers(ticker(low="2001" + "0" * 12), BTC_ROW)
    assert set(quotes(events)) == {ETH_USDC, ETH_ETH}
    poll.wait(0.5)
    # The oracle saw the same price later: alive, but no news.
    events = poll.tickers(ticker(low="2001" + "0" * 12), BTC_ROW)
    assert quotes(events) == {}
    assert alive(events)


def test_an_answer_from_before_the_last_is_dropped() -> None:
    poll = opened()
    poll.wait(2)
    poll.tickers(ticker(), BTC_ROW)
    assert poll.tickers(ticker(low="1"), BTC_ROW, age_s=1) == []
    poll.wait(1)
    assert alive(poll.tickers(ticker(), BTC_ROW, age_s=1))
    assert poll.session.failure is None


@pytest.mark.parametrize(("age_s", "live"), [(15, True), (16, False)])
def test_a_stale_answer_proves_nothing_and_every_price_is_gone(age_s: int, live: bool) -> None:
    poll = Poll(TickersSession)
    events = poll.tickers(ticker(), BTC_ROW, age_s=age_s)
    assert alive(events) == live
    assert bool(quotes(events)) == live
    markets = [] if live else [("ETH-USD", "TICKER_STALE"), ("BTC-USD", "TICKER_STALE")]
    assert doubts(events) == markets


@pytest.mark.parametrize(("age_s", "blamed"), [(5, 0), (6, 1)])
def test_a_host_that_lags_is_used_but_not_asked_next(age_s: int, blamed: int) -> None:
    poll = Poll(TickersSession)
    assert quotes(poll.tickers(ticker(), BTC_ROW, age_s=age_s))
    assert poll.blamed == blamed


DOUBTS: list[tuple[list[Any], str]] = [
    ([], "NO_TICKER"),
    ([ticker() | {"timestamp": START_S - 16}], "TICKER_STALE"),
    ([ticker() | {"timestamp": START_S + 600}], "GARBAGE"),
    ([ticker() | {"minPrice": None}], "GARBAGE"),
    ([ticker(), ticker(low="7")], "GARBAGE"),
]


@pytest.mark.parametrize(("rows", "reason"), DOUBTS)
def test_doubt_of_one_token_takes_out_that_market_until_it_is_quoted_again(
    rows: list[Any], reason: str
) -> None:
    poll = opened()
    events = poll.tickers(*rows, BTC_ROW)
    assert doubts(events) == [("ETH-USD", reason)]
    assert alive(events)
    assert quotes(events) == {}
    # Said once, not with every poll.
    assert doubts(poll.tickers(*rows, BTC_ROW)) == []
    assert set(quotes(poll.tickers(ticker(), BTC_ROW))) == {ETH_USDC, ETH_ETH}
    assert doubts(poll.tickers(*rows, BTC_ROW)) == [("ETH-USD", reason)]


def test_a_price_below_the_scale_is_none() -> None:
    poll = Poll(TickersSession)
    events = poll.tickers(ticker(), ticker(BTC, "9999"))
    assert doubts(events) == [("BTC-USD", "GARBAGE")]


def test_a_market_is_told_again_when_asked_for() -> None:
    poll = opened()
    poll.session.resync(MarketId("ETH-USD"), poll.now_ns)
    assert set(quotes(poll.tickers(ticker(), BTC_ROW))) == {ETH_USDC, ETH_ETH}


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("kind", [TickersSession, InfoSession, DaySession])
def test_an_answer_that_cannot_be_read_changes_nothing_and_costs_the_host(
    kind: Any, body: bytes
) -> None:
    poll = Poll(kind)
    assert poll.raw(body) == []
    assert poll.blamed == 1
    assert poll.session.failure is None
    assert not poll.session.healthy


@pytest.mark.parametrize("kind", [TickersSession, InfoSession])
def test_an_empty_list_is_no_answer(kind: Any) -> None:
    poll = Poll(kind)
    assert poll.raw(b"[]") == []
    assert poll.blamed == 1


def test_answers_that_cannot_be_read_for_long_end_the_poll() -> None:
    poll = opened()
    for _ in range(c.GARBAGE_BUDGET - 1):
        poll.raw(b"{")
    poll.tickers(ticker(), BTC_ROW)
    for _ in range(c.GARBAGE_BUDGET - 1):
        poll.raw(b"{")
    assert poll.session.failure is None
    poll.raw(b"{")
    assert poll.session.failure is not None
    assert poll.session.failure.code == "GARBAGE"


def test_a_frame_of_a_socket_is_no_answer() -> None:
    with pytest.raises(TypeError):
        Poll(TickersSession).session.receive("[]", 0, 0)


# Pools ----------------------------------------------------------------------------------------


def learn(of: GmxState, now_ns: int, body: Any) -> list[Event]:
    poll = Poll(InfoSession, of=of)
    poll.now_ns = now_ns
    return poll.answer(body)


@pytest.mark.parametrize(
    ("usd", "bid_size", "ask_size"),
    [("9000000", "4500", "4500"), ("1", "0.0005", "0.0005"), (None, None, None)],
)
def test_sizes_are_what_the_pool_still_takes(
    usd: str | None, bid_size: str | None, ask_size: str | None
) -> None:
    poll = opened()
    learn(poll.state, poll.now_ns, info((ETH_USDC, False, usd), (ETH_ETH, False, None)))
    found = quotes(poll.tickers(ticker(), BTC_ROW))
    assert set(found) == ({ETH_USDC} if usd else set())
    if usd:
        assert (found[ETH_USDC].bid_size, found[ETH_USDC].ask_size) == (bid_size, ask_size)


def test_a_side_without_liquidity_has_no_price() -> None:
    poll = opened()
    body = info((ETH_USDC, False, "9"))
    body["markets"][0]["availableLiquidityLong"] = "-5"
    learn(poll.state, poll.now_ns, body)
    found = quotes(poll.tickers(ticker(), BTC_ROW))[ETH_USDC]
    assert (found.bid_e18, found.bid_size) == (2000 * E18, "0.0045")
    assert (found.ask_e18, found.ask_size) == (None, None)


@pytest.mark.parametrize(("seconds", "known"), [(20, True), (20.5, False)])
def test_sizes_not_heard_of_for_long_are_unknown(seconds: float, known: bool) -> None:
    poll = opened()
    learn(poll.state, poll.now_ns, info((ETH_USDC, True, "9000"), (ETH_ETH, False, "9000")))
    found = quotes(poll.tickers(ticker(), BTC_ROW))
    assert (found[ETH_ETH].bid_size, found[ETH_USDC].bid_e18) == ("4.5", None)
    poll.wait(seconds)
    found = quotes(poll.tickers(ticker(), BTC_ROW))
    assert set(found) == (set() if known else {ETH_ETH})
    if not known:
        assert found[ETH_ETH].bid_size is None


def test_a_disabled_pool_has_no_price_and_a_market_of_such_pools_is_halted() -> None:
    poll = opened()
    halt = Poll(InfoSession, of=poll.state)
    start = info((ETH_USDC, False, "9"), (ETH_ETH, False, "9"), (BTC_USDC, False, "9"))
    assert statuses(halt.answer(start)) == [("ETH-USD", "open"), ("BTC-USD", "open")]
    assert statuses(halt.answer(start)) == []
    one = info((ETH_USDC, True, "9"), (ETH_ETH, False, "9"), (BTC_USDC, False, "9"))
    assert statuses(halt.answer(one)) == []
    found = quotes(poll.tickers(ticker(), BTC_ROW))
    assert (found[ETH_USDC].bid_e18, found[ETH_USDC].ask_e18) == (None, None)
    assert found[ETH_ETH].bid_e18 == 2000 * E18
    both = info((ETH_USDC, True, "9"), (ETH_ETH, True, "9"), (BTC_USDC, False, "9"))
    assert statuses(halt.answer(both)) == [("ETH-USD", "halted")]
    # An answer that leaves them out does not make them open.
    assert statuses(halt.answer(info((BTC_USDC, False, "9")))) == []
    assert statuses(halt.answer(start)) == [("ETH-USD", "open")]
    assert quotes(poll.tickers(ticker(), BTC_ROW))[ETH_USDC].bid_e18 == 2000 * E18


def test_pools_come_and_go_without_a_new_session() -> None:
    poll = opened()
    eth = MarketId("ETH-USD")
    new_pool = "0x" + "1" * 40
    poll.state.list_markets((Listing(eth, ETH.lower(), 18, "ETH", (ETH_USDC, new_pool)),))
    found = quotes(poll.tickers(ticker(), BTC_ROW))
    assert set(found) == {ETH_ETH, new_pool}
    assert found[ETH_ETH].bid_e18 is None
    assert found[new_pool].bid_e18 == 2000 * E18
    assert set(quotes(poll.tickers(ticker(low="1" * 16), BTC_ROW))) == {ETH_USDC, new_pool}


def test_the_recorded_shape_of_market_info_is_read() -> None:
    of = state()
    poll = Poll(InfoSession, of=of)
    assert poll.answer(recorded("synthetic-markets-info.json"))
    known = of.pools(poll.now_ns)[ETH_USDC]
    assert (known.disabled, known.long_usd_e30) == (False, 2 * 10**37)


# Days -----------------------------------------------------------------------------------------


def test_day_changes_go_to_the_markets_with_a_name_of_their_own() -> None:
    of = state()
    btc = Listing(MarketId("BTC-USD"), BTC.lower(), 8, None, (BTC_USDC,))
    of.list_markets((of.listings[MarketId("ETH-USD")], btc))
    poll = Poll(DaySession, of=of)
    rows = [{"tokenSymbol": symbol, "open": 100, "close": 101.5} for symbol in ("ETH", "BTC", "X")]
    assert poll.answer(rows) == [MarketState(MarketId("ETH-USD"), change_24h=0.015)]
    assert poll.answer([]) == []


# Scales ---------------------------------------------------------------------------------------


def relist(poll: Poll, decimals: int = 18) -> None:
    """The market list is read again."""
    listings = poll.state.listings.values()
    poll.state.list_markets(
        dataclasses.replace(item, decimals=decimals) if item.market == "ETH-USD" else item
        for item in listings
    )


@pytest.mark.parametrize("zeros", [9, 11, 13, 14, 16])
def test_a_price_in_other_decimals_waits_for_the_list(zeros: int) -> None:
    poll = opened()
    moved = "2099" + "0" * zeros
    assert doubts(poll.tickers(ticker(low=moved), BTC_ROW)) == [("ETH-USD", "SCALE_CHANGED")]
    relist(poll)
    assert poll.tickers(ticker(low=moved), BTC_ROW) == [Liveness()]
    relist(poll, decimals=18 + 12 - zeros)
    found = quotes(poll.tickers(ticker(low=moved), BTC_ROW))
    assert {found[pool].bid_e18 for pool in (ETH_USDC, ETH_ETH)} == {2099 * E18}


def test_a_price_that_two_lists_confirm_is_the_price() -> None:
    poll = opened()
    fallen = "200" + "0" * 12
    assert doubts(poll.tickers(ticker(low=fallen), BTC_ROW)) == [("ETH-USD", "SCALE_CHANGED")]
    # The way back needs no list.
    assert quotes(poll.tickers(ticker(), BTC_ROW))[ETH_USDC].bid_e18 == 2000 * E18
    poll.tickers(ticker(low=fallen), BTC_ROW)
    relist(poll)
    relist(poll)
    assert quotes(poll.tickers(ticker(low=fallen), BTC_ROW))[ETH_USDC].bid_e18 == 200 * E18


def test_a_price_that_merely_moved_far_is_believed() -> None:
    poll = opened()
    for low in ("2999", "8999", "1799"):
        found = quotes(poll.tickers(ticker(low=low + "0" * 12), BTC_ROW))
        assert found[ETH_USDC].bid_e18 == int(low) * E18
