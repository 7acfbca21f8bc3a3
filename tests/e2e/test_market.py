"""The view of one market, field by field against the tape."""

import time
from typing import Any

from playwright.sync_api import expect

from tests.e2e.conftest import NewPage
from tests.e2e.kit import READ_QUOTE, Program, Tape, open_market

FIELDS = ("bid", "ask", "mid", "bid_venue", "ask_venue", "bid_size", "ask_size")
COMPARISONS = 25


def test_fields_equal_the_envelope_of_the_same_seq(
    program: Program, tape: Tape, new_page: NewPage
) -> None:
    page = new_page()
    open_market(page, program.url, "BTC-USD")
    first = page.evaluate(READ_QUOTE)["seq"]
    seen: set[int] = set()
    deadline = time.monotonic() + 60
    while len(seen) < COMPARISONS:
        assert time.monotonic() < deadline, f"only {len(seen)} changes in a minute"
        shown: dict[str, Any] = page.evaluate(READ_QUOTE)
        if shown["seq"] in seen or shown["seq"] == first:
            time.sleep(0.02)
            continue
        seen.add(shown["seq"])
        said = tape.envelope("price:BTC-USD", shown["seq"])
        assert shown["epoch"] == said["epoch"]
        for field in FIELDS:
            assert shown["fields"][field] == (said["data"][field] or ""), (field, shown, said)
        assert float(shown["fields"]["spread_bps"]) == said["data"]["spread_bps"]


def test_shows_venues_trades_and_the_mid_in_the_title(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    row = page.locator('.vtable [data-venue="dydx"]')
    expect(row.locator('[data-field="state"]')).to_have_text("live")
    expect(row.locator('[data-field="kind"]')).to_have_text("order book")
    expect(row.locator('[data-field="bid"]')).not_to_be_empty()
    expect(page.locator('[data-field="quality"]')).to_contain_text("One venue makes this price")
    page.wait_for_selector("[data-trade]", timeout=30_000)
    trades = page.locator("[data-trade]").count()
    page.wait_for_function(
        "(n) => document.querySelectorAll('[data-trade]').length > n || n >= 60",
        arg=trades,
        timeout=30_000,
    )
    title, mid = page.evaluate(
        "[document.title, document.querySelector('[data-field=mid]').textContent]"
    )
    assert title == f"{mid} ETH-USD · perptape"


def test_says_that_a_market_does_not_exist(program: Program, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{program.url}/#/m/NOPE-USD")
    expect(page.locator('[data-state="error"]')).to_contain_text("NOPE-USD is not on the tape")
    expect(page.locator('[data-state="error"]')).to_contain_text("UNKNOWN_MARKET")
    page.get_by_role("button", name="Board").click()
    page.wait_for_selector("[data-market]")
