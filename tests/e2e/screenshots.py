"""Makes the pictures of the README from the running program:
``.venv/bin/python -m tests.e2e.screenshots``."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.kit import FLAGS, ROOT, find_browser, open_board, open_market, running_program

IMAGES = ROOT / "docs" / "images"
SETTLE_MS = 45_000
BOUND_BYTES = 300_000


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
            viewport={"width": 1280, "height": 800}, color_scheme="dark", device_scale_factor=1.5
        )
        open_board(page, program.url)
        # Long enough for trades, 24 h changes and ages to look as they always do.
        page.wait_for_timeout(SETTLE_MS)
        page.screenshot(path=IMAGES / "board.png")
        open_market(page, program.url, "BTC-USD")
        page.wait_for_selector("[data-trade]")
        page.wait_for_timeout(2_000)
        page.screenshot(path=IMAGES / "market.png")
        browser.close()
    for name in ("board.png", "market.png"):
        size = (IMAGES / name).stat().st_size
        print(f"docs/images/{name}: {size} bytes")
        if size > BOUND_BYTES:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
