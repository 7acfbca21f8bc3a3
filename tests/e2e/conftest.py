"""The program and the browser of all browser tests. A missing browser is a failure here: whoever
has none leaves this folder out by name."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.kit import FLAGS, Program, Tape, find_browser, running_program, until
from tests.servers import open_folder

STARTING_S = 300

expect.set_options(timeout=30_000)

NewPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The first one waits for the program to start.
        if "e2e" in item.path.parts and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(STARTING_S))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.fail("no browser: install Debian's chromium or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def program() -> Iterator[Program]:
    with open_folder() as folder, running_program(folder / "data") as program:
        markets = f"{program.url}/v1/markets"
        # A page that is opened earlier asks again, and its console tells of the refusal.
        until(lambda: httpx.get(markets).is_success, STARTING_S, "markets are known")
        yield program


@pytest.fixture
def tape(program: Program) -> Iterator[Tape]:
    tape = Tape(program.runtime["redis_url"])
    yield tape
    tape.close()


class Complaints:
    """What a page says on its console. ``network_may_fail`` is for tests that cut it."""

    def __init__(self) -> None:
        self.network_may_fail = False
        self.found: list[str] = []

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        text = message.text
        if self.network_may_fail and ("WebSocket" in text or "Failed to load resource" in text):
            return
        self.found.append(f"{message.type}: {text}")


_WATCH_POLICY = """
window.policyViolations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def new_page(browser: Browser, complaints: Complaints) -> Iterator[NewPage]:
    """Makes pages; at the end none of them may have complained or broken the content policy."""
    pages: list[Page] = []

    def make(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.add_init_script(_WATCH_POLICY)
        page = context.new_page()
        page.on("console", complaints.on_console)
        page.on("pageerror", lambda error: complaints.found.append(f"uncaught: {error}"))
        pages.append(page)
        return page

    yield make
    violations = [page.evaluate("window.policyViolations") for page in pages]
    for page in pages:
        page.context.close()
    assert not complaints.found
    assert not any(violations), violations
