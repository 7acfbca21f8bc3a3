"""Candles, the ladder and funding on the page."""

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NewPage
from tests.e2e.kit import Program, Tape, open_market, until

CHART = "[data-chart]"

READ_LADDER = """() => {
  const card = document.querySelector('[data-room^="ladder:"]');
  const rows = {};
  for (const row of card.querySelectorAll('[data-ladder-row]')) {
    rows[row.dataset.ladderRow] = [...row.querySelectorAll('[data-size]')].map(
      (cell) => cell.querySelector('[data-field="all_in"]')?.textContent ?? null);
  }
  return { seq: Number(card.dataset.seq), rows };
}"""


def _wait_for_candles(page: Page, least: int) -> None:
    page.wait_for_function(
        "(n) => Number(document.querySelector('[data-chart]').dataset.candles) >= n",
        arg=least,
        timeout=60_000,
    )


def test_the_chart_shows_what_was_recorded_and_what_a_venue_tells(
    program: Program, new_page: NewPage
) -> None:
    page = new_page()
    open_market(page, program.url, "BTC-USD")
    _wait_for_candles(page, 1)
    expect(page.locator(CHART)).to_have_attribute("data-phase", "shown")
    told = f"{program.url}/v1/candles/BTC-USD?venue=dydx&interval=1h"
    until(lambda: len(httpx.get(told).json()["data"]) > 50, 120, "dYdX tells its candles")
    page.get_by_label("Price of").select_option("dydx")
    page.get_by_role("button", name="1h", exact=True).click()
    expect(page.locator(CHART)).to_have_attribute("data-chart", "BTC-USD:1h")
    _wait_for_candles(page, 50)
    assert page.locator(f"{CHART} canvas").count() > 0
    page.locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")


def test_the_newest_candle_goes_on_with_the_price(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    _wait_for_candles(page, 1)
    page.get_by_role("button", name="1s", exact=True).click()
    _wait_for_candles(page, 3)
    before = int(page.locator(CHART).get_attribute("data-candles") or 0)
    _wait_for_candles(page, before + 3)


def test_the_ladder_shows_the_envelope_of_its_seq(
    program: Program, tape: Tape, new_page: NewPage
) -> None:
    page = new_page()
    open_market(page, program.url, "BTC-USD")
    page.wait_for_selector("[data-ladder-row] [data-best]", timeout=60_000)
    # The first ladder shown may have been said before this test began to read the tape.
    seq = page.evaluate(READ_LADDER)["seq"]
    compared = 0
    while compared < 3:
        page.wait_for_function(
            "(n) => Number(document.querySelector('[data-room^=\"ladder:\"]').dataset.seq) > n",
            arg=seq,
            timeout=60_000,
        )
        shown = page.evaluate(READ_LADDER)
        seq = shown["seq"]
        if not shown["rows"]:
            # The gateway has not heard of the feed for a moment.
            continue
        compared += 1
        data = tape.envelope("ladder:BTC-USD", seq)["data"]
        told = {f"{row['venue']} {row['pool'] or ''}": row["all_in"] for row in data["buy"]}
        assert shown["rows"] == told
    page.get_by_role("button", name="Sell", exact=True).click()
    page.wait_for_selector("[data-ladder-row] [data-best]")


def test_funding_is_sorted_by_the_cheapest_place(program: Program, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{program.url}/#/funding")
    page.wait_for_selector("[data-funding-row]", timeout=60_000)
    listed = {
        row["market"] for row in httpx.get(f"{program.url}/v1/markets?limit=1000").json()["data"]
    }
    rows = page.locator("[data-funding-row]")
    names = rows.evaluate_all("all => all.map((row) => row.dataset.fundingRow)")
    assert set(names) <= listed
    page.get_by_role("button", name="Cheapest long").click()
    first = rows.first.locator('[data-field="cheapest_long"]')
    expect(first).to_contain_text("receives")
    page.get_by_label("Search a market").fill("BTC-USD")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link", name="BTC-USD").click()
    page.wait_for_selector('[data-market-view="BTC-USD"]')
