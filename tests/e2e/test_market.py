"""The view of one market, field by field against the tape."""

import time
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import NewPage
from tests.e2e.kit import (
    READ_QUOTE,
    READ_VENUES,
    VENUES,
    Program,
    Tape,
    open_market,
    read_venues,
    until,
)

FIELDS = ("bid", "ask", "mid", "bid_venue", "ask_venue", "bid_size", "ask_size")
COMPARISONS = 25
ORACLE_COMPARISONS = 8
KINDS = {"dydx": "order book", "gmx": "oracle", "gains": "oracle"}


def _only_at(program: Program, *venues: str) -> str:
    """An open market that these venues have and no other."""
    rows = httpx.get(f"{program.url}/v1/markets?limit=1000").json()["data"]
    return next(row["market"] for row in rows if list(row["venues"]) == [*venues] and row["open"])


def test_fields_equal_the_envelope_of_the_same_seq(
    program: Program, tape: Tape, new_page: NewPage
) -> None:
    page = new_page()
    open_market(page, program.url, "BTC-USD")
    _compare_fields(page, tape, "BTC-USD", COMPARISONS)


@pytest.mark.parametrize("venues", [("gmx",), ("gmx", "gains")])
def test_fields_of_an_oracle_market_equal_the_envelope(
    program: Program, tape: Tape, new_page: NewPage, venues: tuple[str, ...]
) -> None:
    page = new_page()
    market = _only_at(program, *venues)
    open_market(page, program.url, market)
    _compare_fields(page, tape, market, ORACLE_COMPARISONS)
    assert {row["kind"] for row in read_venues(page).values()} == {"oracle"}


def _compare_fields(page: Page, tape: Tape, market: str, comparisons: int) -> None:
    first = page.evaluate(READ_QUOTE)["seq"]
    seen: set[int] = set()
    deadline = time.monotonic() + 200
    while len(seen) < comparisons:
        assert time.monotonic() < deadline, f"only {len(seen)} changes"
        shown: dict[str, Any] = page.evaluate(READ_QUOTE)
        if shown["seq"] in seen or shown["seq"] == first:
            time.sleep(0.02)
            continue
        said = tape.envelope(f"price:{market}", shown["seq"])
        if said["data"]["bid"] and not any(shown["fields"].values()):
            # The gateway has not heard of the feed for a moment.
            continue
        seen.add(shown["seq"])
        assert shown["epoch"] == said["epoch"]
        for field in FIELDS:
            assert shown["fields"][field] == (said["data"][field] or ""), (field, shown, said)
        assert float(shown["fields"]["spread_bps"]) == said["data"]["spread_bps"]


def test_venues_and_pools_equal_the_envelope_of_the_same_seq(
    program: Program, tape: Tape, new_page: NewPage
) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    listed = httpx.get(f"{program.url}/v1/markets/ETH-USD").json()["data"]["venues"]
    first = page.evaluate(READ_VENUES)["seq"]
    seen: set[int] = set()
    deadline = time.monotonic() + 200
    while len(seen) < COMPARISONS:
        assert time.monotonic() < deadline, f"only {len(seen)} changes"
        shown: dict[str, Any] = page.evaluate(READ_VENUES)
        if shown["seq"] in seen or shown["seq"] == first:
            time.sleep(0.02)
            continue
        said = tape.envelope("price:ETH-USD", shown["seq"])["data"]["venues"]
        if all(row["state"] == "stale" for row in shown["venues"].values()):
            # The gateway has not heard of the feed for a moment.
            continue
        seen.add(shown["seq"])
        assert list(shown["venues"]) == list(said) == list(VENUES)
        for name, row in shown["venues"].items():
            for field in ("bid", "ask"):
                assert row[field] == (said[name][field] or ""), (name, field, shown, said)
            assert row["pool"] == said[name]["pool"]
            assert row["state"] == said[name]["state"]
            # A pool that nothing was said of has a row without a price.
            pools = {key: {"bid": "", "ask": ""} for key in listed[name]["pools"]} | {
                pool["pool"]: {"bid": pool["bid"] or "", "ask": pool["ask"] or ""}
                for pool in said[name].get("pools", ())
            }
            assert row["pools"] == (pools if len(pools) > 1 else {}), (name, shown, said)


def test_shows_venues_trades_and_the_mid_in_the_title(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    for name, kind in KINDS.items():
        row = page.locator(f'.vtable [data-venue="{name}"]')
        expect(row.locator('[data-field="state"]')).to_have_text("live", timeout=30_000)
        expect(row.locator('[data-field="kind"]')).to_have_text(kind)
        expect(row.locator('[data-field="bid"]')).not_to_be_empty()
        expect(row.locator('[data-field="age"]')).to_contain_text("s")
    expect(page.locator('[data-field="quality"]')).to_contain_text("3 venues make this price")
    change = page.locator('.market-head [data-field="change_24h"]')
    expect(change).to_contain_text("%")
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


def _one_is_shown(pools: Locator) -> bool:
    return [row.startswith("shown") for row in pools.all_inner_texts()].count(True) == 1


def test_a_price_of_several_pools_shows_them(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, "ETH-USD")
    listed = httpx.get(f"{program.url}/v1/markets/ETH-USD").json()["data"]["venues"]
    for name in ("gmx", "gains"):
        assert len(listed[name]["pools"]) > 1
        pools = page.locator(f'[data-venue-pool^="{name} "]')
        expect(pools).to_have_count(len(listed[name]["pools"]), timeout=30_000)
        # On a busy machine a venue may be left out for a moment, and then none is.
        until(partial(_one_is_shown, pools), 30, f"the pool of {name} that is shown")
        order = pools.evaluate_all("all => all.map(one => one.dataset.venuePool.split(' ')[1])")
        assert order == listed[name]["pools"]
    arbitrum = page.locator('[data-venue-pool="gains 42161:USDC"] [data-field="pool"]')
    expect(arbitrum).to_have_text("USDC on Arbitrum")


def test_says_who_does_not_list_a_market(program: Program, new_page: NewPage) -> None:
    page = new_page()
    open_market(page, program.url, _only_at(program, "gmx"))
    quality = page.locator('[data-field="quality"]')
    expect(quality).to_contain_text("One venue makes this price")
    expect(quality).to_contain_text("Not listed at dYdX and Gains")


def test_a_market_that_is_closed_by_hours_says_so(
    program: Program, new_page: NewPage, request: pytest.FixtureRequest
) -> None:
    def closed_markets() -> list[str]:
        rows = httpx.get(f"{program.url}/v1/markets?limit=1000").json()["data"]
        shut = [row for row in rows if not row["open"] and list(row["venues"]) == ["gains"]]
        return [row["market"] for row in shut]

    program.hold_hours(forex="closed")
    request.addfinalizer(lambda: program.hold_hours(forex="clock"))
    market = until(closed_markets, 60, "a market closes")[0]
    page = new_page()
    page.goto(f"{program.url}/#/m/{market}")
    none = page.locator('[data-field="no_price"]')
    expect(none).to_contain_text("Gains: the market is closed at this hour")
    row = page.locator('.vtable [data-venue="gains"]')
    expect(row.locator('[data-field="state"]')).to_have_text("closed")
    expect(page.locator('.market-head [data-field="health"]')).to_have_text("closed")


def test_says_that_a_market_does_not_exist(program: Program, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{program.url}/#/m/NOPE-USD")
    expect(page.locator('[data-state="error"]')).to_contain_text("NOPE-USD is not on the tape")
    expect(page.locator('[data-state="error"]')).to_contain_text("UNKNOWN_MARKET")
    page.get_by_role("button", name="Board").click()
    page.wait_for_selector("[data-market]")
