"""Makes the pictures of the README from the running program:
``.venv/bin/python -m tests.e2e.screenshots``."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.kit import (
    FLAGS,
    ROOT,
    Program,
    find_browser,
    open_board,
    open_market,
    running_program,
)
from tests.e2e.wallet import Wallet

IMAGES = ROOT / "docs" / "images"
SETTLE_MS = 45_000
BOUND_BYTES = 400_000
# A function: the page's policy refuses to evaluate text.
ALL_LIVE = "() => document.querySelectorAll('.venues .venue[data-state=live]').length === 3"


def _shoot(page: Page, name: str) -> None:
    """Again where the machine was so busy with it that the page had to take prices away."""
    while True:
        page.wait_for_function(ALL_LIVE)
        page.screenshot(path=IMAGES / name)
        if page.evaluate(ALL_LIVE):
            return


def _shoot_ticket(page: Page, program: Program) -> None:
    """An order that was filled, and a quote for the next one."""
    wallet = Wallet(program, usdc="250000")
    wallet.inject(page)
    open_market(page, program.url, "ETH-USD")
    # A page that was open before has no wallet yet.
    page.reload()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Size").fill("25000")
    page.get_by_role("button", name="Find routes").click()
    gmx = page.locator('[data-route*="0x70d9"]').first.get_by_role("button", name="Quote")
    gmx.click()
    page.get_by_role("button", name="Place the order").click()
    page.wait_for_selector('[data-order][data-state="filled"]', timeout=60_000)
    page.get_by_label("Take profit").fill("4000")
    page.get_by_role("button", name="Find routes").click()
    page.wait_for_selector("[data-route]")
    page.set_viewport_size({"width": 1280, "height": 1150})
    gmx.click()
    page.wait_for_selector("[data-quote]")
    page.screenshot(path=IMAGES / "ticket.png")


def main() -> int:
    path = find_browser()
    if path is None:
        print("no browser: install Debian's chromium or name one in CHROMIUM", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        running_program(Path(directory) / "data") as program,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_page(
            viewport={"width": 1280, "height": 800}, color_scheme="dark", device_scale_factor=1.2
        )
        open_board(page, program.url)
        # Long enough for trades, 24 h changes and ages to look as they always do.
        page.wait_for_timeout(SETTLE_MS)
        _shoot(page, "board.png")
        page.set_viewport_size({"width": 1280, "height": 1260})
        open_market(page, program.url, "ETH-USD")
        page.wait_for_selector("[data-trade]")
        # The venue has candles from before this program began.
        page.select_option('[data-field="chart_venue"]', "dydx")
        page.wait_for_timeout(2_000)
        _shoot(page, "market.png")
        _shoot_ticket(page, program)
        browser.close()
    for name in ("board.png", "market.png", "ticket.png"):
        size = (IMAGES / name).stat().st_size
        print(f"docs/images/{name}: {size} bytes")
        if size > BOUND_BYTES:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
