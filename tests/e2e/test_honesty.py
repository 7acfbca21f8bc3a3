"""What is not live is never shown as live, and comes back by itself."""

import os
import signal
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.kit import (
    DASH,
    DISCONNECTED,
    READ_QUOTE,
    SILENT,
    VENUES,
    Program,
    Tape,
    open_board,
    open_market,
    priced,
    read_board,
    read_venues,
    until,
)

BACK_S = 40
FROZEN = (
    "Left out: its oracle price is too old",
    "Left out: no proof that its prices are current",
)


def _banner(page: Page) -> str:
    text: str = page.evaluate("document.querySelector('[data-banner=link]')?.innerText ?? ''")
    return text


def _blank(page: Page) -> bool:
    """No price and nothing to take for one, in any row."""
    rows = read_board(page)
    return bool(rows) and not priced(rows) and not any(row["health"] == "live" for row in rows)


def _live(page: Page) -> bool:
    return not _banner(page) and len(priced(read_board(page))) > 30


def test_venues_that_drop_take_their_prices_along(program: Program, new_page: NewPage) -> None:
    board, market = new_page(), new_page()
    open_board(board, program.url)
    open_market(market, program.url, "BTC-USD")
    venues = {name: board.locator(f'.venues [data-venue="{name}"]') for name in VENUES}
    try:
        for name in VENUES:
            program.fault("drop", 60, name)
        for name, venue in venues.items():
            until(
                lambda venue=venue: venue.get_attribute("data-state") not in ("live", None),
                10,
                f"{name} is not live",
            )
            assert venue.locator('[data-field="reason"]').inner_text()
        until(lambda: _blank(board), 5, "no price on the board")
        assert {row["health"] for row in read_board(board)} <= {"no_price", "closed"}
        assert not _banner(board)
        none = market.locator('[data-field="no_price"]')
        expect(none).to_contain_text("No live price")
        for name in ("dYdX", "GMX", "Gains"):
            expect(none).to_contain_text(name)
        assert market.title() == f"{DASH} BTC-USD · perptape"
    finally:
        program.end_faults()
    until(lambda: _live(board), BACK_S, "prices again")
    until(lambda: market.evaluate(READ_QUOTE)["fields"]["bid"], BACK_S, "the market again")
    for venue in venues.values():
        expect(venue.locator('[data-field="state"]')).to_have_text("live", timeout=BACK_S * 1_000)


def test_one_venue_that_drops_leaves_the_others(program: Program, new_page: NewPage) -> None:
    board, market = new_page(), new_page()
    open_board(board, program.url)
    open_market(market, program.url, "BTC-USD")
    markets = httpx.get(f"{program.url}/v1/markets?limit=1000").json()["data"]
    alone = {row["market"] for row in markets if list(row["venues"]) == ["dydx"]}
    assert alone
    program.fault("drop", 60)
    try:
        until(lambda: read_venues(market)["dydx"]["state"] != "live", 10, "dYdX is not live")
        assert read_venues(market)["dydx"]["reason"].startswith("Left out: ")
        rows: list[dict[str, Any]] = []

        def those_alone_are_out() -> bool:
            rows[:] = read_board(board)
            mine = [row for row in rows if row["market"] in alone]
            assert len(mine) == len(alone)
            unpriced = not any(row["market"] in alone for row in priced(rows))
            return unpriced and {row["health"] for row in mine} <= {"no_price", "closed"}

        until(those_alone_are_out, 5, "no price where nobody else has one")
        assert not any("dydx" in (row["bid_venue"], row["ask_venue"]) for row in rows)
        assert len(priced(rows)) > 30
        assert market.evaluate(READ_QUOTE)["fields"]["bid"]
        assert not _banner(board)
    finally:
        program.end_faults()
    until(lambda: read_venues(market)["dydx"]["state"] == "live", BACK_S, "dYdX again")


def test_a_frozen_oracle_says_why_and_the_others_go_on(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    until(lambda: {v["state"] for v in read_venues(page).values()} == {"live"}, 30, "all are live")
    program.fault("freeze", 90, "gmx")
    try:
        # Its prices may be 15 s old, and not older.
        shown: dict[str, Any] = {}

        def gmx_alone_is_out() -> bool:
            shown.update(read_venues(page))
            others = (shown[name]["state"] for name in ("dydx", "gains"))
            return shown["gmx"]["reason"] in FROZEN and set(others) == {"live"}

        until(gmx_alone_is_out, 25, "GMX says why, the others are live")
        assert shown["gmx"]["state"] != "live"
        assert not shown["gmx"]["bid"]
        assert not shown["gmx"]["ask"]
        assert len(shown["gmx"]["pools"]) > 1
        assert not any(any(touch.values()) for touch in shown["gmx"]["pools"].values())
        quality = page.locator('[data-field="quality"]')
        expect(quality).to_contain_text("2 venues make this price. 1 left out.")
        strip = page.locator('.venues [data-venue="gmx"]')
        expect(strip.locator('[data-field="reason"]')).not_to_be_empty()
        for name in ("dydx", "gains"):
            assert shown[name]["reason"] == ""
            first = shown[name]["bid"]
            assert first
            until(
                lambda name=name, first=first: read_venues(page)[name]["bid"] not in (first, ""),
                20,
                f"{name} goes on",
            )
        assert page.evaluate(READ_QUOTE)["fields"]["bid_venue"] in ("dydx", "gains")
    finally:
        program.end_faults()
    until(lambda: read_venues(page)["gmx"]["state"] == "live", BACK_S, "GMX again")
    assert len(read_venues(page)["gmx"]["pools"]) > 1


def test_a_dead_gateway_is_a_disconnection_and_heals(
    program: Program, tape: Tape, new_page: NewPage, complaints: Complaints
) -> None:
    board, market = new_page(), new_page()
    open_board(board, program.url)
    open_market(market, program.url, "BTC-USD")
    complaints.network_may_fail = True

    # From now on the server has another build of the page.
    def newer(route: Route) -> None:
        answer = route.fetch()
        name = 'name="perptape-build" content="'
        body = answer.text().replace(name, name + "newer-")
        route.fulfill(response=answer, body=body)

    board.route(f"{program.url}/", newer)
    old = program.pids("gateway")
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    until(lambda: DISCONNECTED in _banner(board), 5, "the banner")
    assert _blank(board)
    assert not any(row["seq"] for row in read_board(board))
    shown = market.evaluate(READ_QUOTE)
    assert shown["seq"] is None
    assert not any(shown["fields"].values())
    assert market.title() == f"{DASH} BTC-USD · perptape"

    until(lambda: _live(board), BACK_S, "prices again")
    fresh = until(lambda: market.evaluate(READ_QUOTE)["seq"], BACK_S, "the market again")
    tape.envelope("price:BTC-USD", fresh)
    until(lambda: (market.evaluate(READ_QUOTE)["seq"] or 0) > fresh, 10, "changes again")
    until(lambda: program.pids("gateway") not in ([], old), 15, "another gateway")
    expect(board.locator('[data-banner="build"]')).to_contain_text("A newer version is available")
    expect(market.locator('[data-banner="build"]')).to_have_count(0)


def test_a_feed_that_stops_is_silent_and_a_new_one_is_taken(
    program: Program, new_page: NewPage, complaints: Complaints
) -> None:
    board, market = new_page(), new_page()
    open_board(board, program.url)
    open_market(market, program.url, "BTC-USD")
    epoch = market.evaluate(READ_QUOTE)["epoch"]
    feeds = program.pids("feed")
    for pid in feeds:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: _blank(board), 5, "no price on the board")
        until(lambda: SILENT in _banner(board), 6, "the banner")
        assert not market.evaluate(READ_QUOTE)["fields"]["bid"]
    finally:
        for pid in feeds:
            os.kill(pid, signal.SIGKILL)
    until(lambda: _live(board), BACK_S, "prices again")
    until(lambda: market.evaluate(READ_QUOTE)["fields"]["bid"], BACK_S, "the market again")
    assert market.evaluate(READ_QUOTE)["epoch"] > epoch
    assert not complaints.found


def test_a_frozen_gateway_is_noticed_without_a_closed_connection(
    program: Program, new_page: NewPage, complaints: Complaints
) -> None:
    page = new_page()
    open_board(page, program.url)
    complaints.network_may_fail = True
    gateways = program.pids("gateway")
    for pid in gateways:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: SILENT in _banner(page), 6, "the banner")
        assert _blank(page)
    finally:
        for pid in gateways:
            os.kill(pid, signal.SIGCONT)
    until(lambda: _live(page), BACK_S, "prices again")
