"""The board: every market, live, and what a trader does with it."""

import time
from itertools import pairwise
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import NewPage
from tests.e2e.kit import (
    VENUES,
    Program,
    Tape,
    open_board,
    open_market,
    priced,
    read_board,
    until,
)

TEXTS = ("bid", "ask", "bid_venue", "ask_venue")
STRICT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:"
)


def _search(page: Page, text: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(text)


def _shown(page: Page) -> list[str]:
    return [row["market"] for row in read_board(page)]


def _says(row: dict[str, Any], said: dict[str, Any]) -> bool:
    texts = all(row[name] == (said[name] or "") for name in TEXTS)
    return texts and row["spread_bps"] == said["spread_bps"]


def test_shows_many_markets_whose_prices_change(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    before = {row["market"]: (row["bid"], row["ask"]) for row in priced(read_board(page))}
    assert len(before) > 30

    def changed() -> bool:
        now = {row["market"]: (row["bid"], row["ask"]) for row in priced(read_board(page))}
        return sum(now.get(market) != touch for market, touch in before.items()) >= 10

    until(changed, 20, "ten markets with another price")
    assert page.title() == "perptape"


def test_rows_say_what_the_tape_said(program: Program, tape: Tape, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    compared, newer = set(), []
    for _ in range(10):
        for row in read_board(page):
            said = tape.row(row["market"], row["seq"])
            if said is None:
                continue
            if not priced([row]) and priced([said]):
                # The gateway has not heard of the feed for a moment: that is no other price.
                continue
            if _says(row, said):
                compared.add((row["market"], row["seq"]))
            else:
                newer.append(row)
        time.sleep(0.3)
    assert len(compared) > 30
    # After a silence of the feed the gateway fills the board from the quotes, which may be ahead of
    # it: the row is then what the board says next, never what it said before.
    time.sleep(1)
    for row in newer:
        assert any(_says(row, said) for said in tape.next_rows(row["market"], row["seq"], 10)), row


def test_venue_strip_tells_state_and_age(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    shown = page.locator(".venues [data-venue]").evaluate_all(
        "all => all.map(one => one.dataset.venue)"
    )
    assert shown == list(VENUES)
    for name in VENUES:
        venue = page.locator(f'.venues [data-venue="{name}"]')
        expect(venue.locator('[data-field="state"]')).to_have_text("live")
        assert int(venue.locator('[data-field="markets"]').inner_text()) > 30
        # Ages are told with the server's clock, which the first heartbeat brings.
        age = until(venue.locator('[data-field="last_frame_age"]').inner_text, 5, "the age")
        assert age.endswith("s")
        assert float(age.removesuffix("s")) < 5
        assert "for" in venue.locator('[data-field="since"]').inner_text()


def test_rows_say_who_lists_a_market(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    listed = httpx.get(f"{program.url}/v1/markets/ETH-USD").json()["data"]["venues"]
    assert list(listed) == list(VENUES)
    pools = sum(len(venue["pools"]) for venue in listed.values())
    note = page.locator('[data-market="ETH-USD"] [data-field="note"]')
    expect(note).to_have_text(f"3 venues, {pools} pools")
    change = page.locator('[data-market="ETH-USD"] [data-field="change_24h"]')
    expect(change).to_contain_text("%")


def test_nothing_below_the_venues_moves(program: Program, new_page: NewPage) -> None:
    """Reasons come and go; the row under the pointer must stay there."""
    page = new_page()
    open_board(page, program.url)
    top = "document.querySelector('.table').getBoundingClientRect().top"
    page.wait_for_selector(".venue .reason")
    before = page.evaluate(top)
    venue = page.locator('.venues [data-venue="gmx"]')
    program.fault("drop", 30, "gmx")
    try:
        until(lambda: venue.get_attribute("data-state") == "connecting", 15, "GMX is lost")
        assert page.evaluate(top) == before
    finally:
        program.end_faults()
    until(lambda: venue.get_attribute("data-state") == "live", 30, "GMX is back")
    assert page.evaluate(top) == before


def test_search_and_keys_open_a_market_and_back_keeps_all(
    program: Program, new_page: NewPage
) -> None:
    page = new_page()
    open_board(page, program.url)
    everything = len(_shown(page))
    _search(page, "eth")
    until(lambda: 0 < len(_shown(page)) < everything, 5, "a shorter list")
    assert all("ETH" in market for market in _shown(page))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-market-view="ETH-USD"]')
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-market]")
    assert page.locator(".search input").input_value() == "eth"
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    until(lambda: len(_shown(page)) == everything, 5, "the whole list again")

    page.evaluate("window.scrollTo(0, 900)")
    page.wait_for_timeout(100)
    at = page.evaluate("window.scrollY")
    assert at > 300
    market = page.evaluate(
        "document.elementFromPoint(640, 500).closest('[data-market]').dataset.market"
    )
    page.mouse.click(640, 500)
    page.wait_for_selector(f'[data-market-view="{market}"]')
    assert page.evaluate("window.scrollY") == 0
    page.go_back()
    page.wait_for_selector("[data-market]")
    until(lambda: page.evaluate("window.scrollY") == at, 5, "the scroll as it was")


def test_sorts_by_columns(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    page.get_by_role("button", name="Market", exact=True).click()
    until(lambda: _shown(page) == sorted(_shown(page)), 5, "names upwards")
    page.get_by_role("button", name="Market", exact=True).click()
    until(lambda: _shown(page) == sorted(_shown(page), reverse=True), 5, "names downwards")
    page.get_by_role("button", name="Best bid").click()

    def falling() -> bool:
        bids = [float(row["bid"]) for row in read_board(page) if row["bid"]]
        # A price may have moved since the last sorting.
        return all(a > b * 0.99 for a, b in pairwise(bids))

    until(falling, 5, "bids downwards")
    assert page.locator('[role="columnheader"][aria-sort="descending"]').count() == 1


def test_favourites_stay(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_board(page, program.url)
    market = _shown(page)[20]
    page.locator(f'[data-market="{market}"] .star').click()
    page.reload()
    page.wait_for_selector("[data-market]")
    until(lambda: _shown(page)[:1] == [market], 10, "the favourite on top")
    page.get_by_role("button", name="Favourites").click()
    until(lambda: _shown(page) == [market], 5, "favourites alone")


def test_lives_under_a_strict_content_policy(program: Program, new_page: NewPage) -> None:
    # A page that was not fetched from the network may not talk to this machine unasked.
    page = new_page(permissions=["local-network-access"])

    def tighten(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers, "content-security-policy": STRICT_POLICY}
        route.fulfill(response=answer, headers=headers)

    page.route(f"{program.url}/", tighten)
    open_board(page, program.url)
    _search(page, "btc")
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-room="price:BTC-USD"][data-seq]')


def test_fits_a_phone(program: Program, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    open_board(page, program.url)
    fits = "document.documentElement.scrollWidth <= window.innerWidth"
    small = """() => [...document.querySelectorAll('button, select, input, .rows a, .brand')]
      .filter((it) => it.checkVisibility())
      .map((it) => (it.closest('[data-market]') && it.matches('a') ? it.closest('.row') : it))
      .filter((it) => it.getBoundingClientRect().height < 44)
      .map((it) => it.outerHTML.slice(0, 120))"""
    assert page.evaluate(fits)
    assert page.evaluate(small) == []
    page.locator('[data-market="BTC-USD"] a').click()
    page.wait_for_selector('[data-room="price:BTC-USD"][data-seq]')
    page.wait_for_selector("[data-trade]", timeout=30_000)
    assert page.evaluate(fits)
    assert page.evaluate(small) == []


def test_stands_still_for_who_asks_for_it(program: Program, new_page: NewPage) -> None:
    page = new_page(reduced_motion="reduce", color_scheme="light")
    open_board(page, program.url)
    page.wait_for_timeout(1_000)
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"


def test_speaks_aloud_only_of_states(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "BTC-USD")
    regions = ':is([aria-live], [role="alert"], [role="status"], [role="log"])'
    # Besides, the ticket speaks of what its user does.
    assert page.locator(f"{regions}:not(.ticket *)").count() == 2
    assert set(page.locator(regions).all_inner_texts()) == {""}
