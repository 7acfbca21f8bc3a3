"""What is not live is never shown as live, and comes back by itself."""

import os
import signal

from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.kit import (
    DASH,
    DISCONNECTED,
    READ_QUOTE,
    SILENT,
    Program,
    Tape,
    open_board,
    open_market,
    priced,
    read_board,
    until,
)

BACK_S = 40


def _banner(page: Page) -> str:
    text: str = page.evaluate("document.querySelector('[data-banner=link]')?.innerText ?? ''")
    return text


def _blank(page: Page) -> bool:
    """No price and nothing to take for one, in any row."""
    rows = read_board(page)
    return bool(rows) and not priced(rows) and not any(row["health"] == "live" for row in rows)


def _live(page: Page) -> bool:
    return not _banner(page) and len(priced(read_board(page))) > 30


def test_a_venue_that_drops_takes_its_prices_along(program: Program, new_page: NewPage) -> None:
    board, market = new_page(), new_page()
    open_board(board, program.url)
    open_market(market, program.url, "BTC-USD")
    venue = board.locator('.venues [data-venue="dydx"]')
    program.fault("drop", 6)
    try:
        until(lambda: venue.get_attribute("data-state") not in ("live", None), 10, "not live")
        assert venue.locator('[data-field="reason"]').inner_text()
        until(lambda: _blank(board), 5, "no price on the board")
        assert {row["health"] for row in read_board(board)} <= {"no_price", "closed"}
        assert not _banner(board)
        none = market.locator('[data-field="no_price"]')
        expect(none).to_contain_text("No live price")
        expect(none).to_contain_text("dYdX")
        assert market.title() == f"{DASH} BTC-USD · perptape"
        until(lambda: _live(board), BACK_S, "prices again")
        until(lambda: market.evaluate(READ_QUOTE)["fields"]["bid"], BACK_S, "the market again")
        expect(venue.locator('[data-field="state"]')).to_have_text("live")
    finally:
        program.end_faults()


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
    until(lambda: market.evaluate(READ_QUOTE)["seq"] > fresh, 10, "changes again")
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
