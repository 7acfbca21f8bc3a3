"""The ticket: from the sign-in to the fill with a wallet in the browser, and what it refuses."""

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.kit import Program, open_market, until
from tests.e2e.wallet import Wallet

MARKET = "ETH-USD"
# The pool of ETH and USDC.
GMX = '[data-route^="gmx:42161:0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"]'
SLOW_MS = 60_000


@pytest.fixture(autouse=True)
def _prices_may_go(complaints: Complaints) -> None:
    """For a moment, on a busy machine: the page asks again, and the console tells of it."""
    complaints.network_may_fail = True


def _open(program: Program, new_page: NewPage, wallet: Wallet, **options: object) -> Page:
    page = new_page(**options)
    wallet.inject(page)
    open_market(page, program.url, MARKET)
    return page


def _sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator('[data-session="in"]')).to_be_visible()


def _find_routes(page: Page, size: str = "2000") -> None:
    page.get_by_label("Size").fill(size)
    page.get_by_role("button", name="Find routes").click()
    expect(page.locator("[data-routes]")).to_be_visible()


def _gmx_is_priced(program: Program) -> bool:
    """Routes leave a venue out for a moment when the machine is busy."""
    body = {
        "market": MARKET, "side": "BUY", "intent": "open", "type": "market",
        "notional_usd": "2000", "leverage": "5", "venues": ["gmx"],
    }  # fmt: skip
    answer = httpx.post(f"{program.url}/v1/routes", json=body)
    return answer.is_success and bool(answer.json()["data"]["routes"])


def _place(page: Page, route: str = GMX) -> Locator:
    page.locator(route).first.get_by_role("button", name="Quote").click()
    quoted = page.locator("[data-quote]")
    expect(quoted.locator('[data-field="countdown"]')).to_have_text(re.compile(r"^\d+ s$"))
    quoted.get_by_role("button", name="Place the order").click()
    order = page.locator("[data-order]").first
    expect(order).to_be_visible()
    return order


def test_trades_on_gmx_and_shows_it_after_a_reload(program: Program, new_page: NewPage) -> None:
    wallet = Wallet(program)
    page = _open(program, new_page, wallet)
    _sign_in(page)
    until(lambda: _gmx_is_priced(program), 30, "a route at GMX")
    _find_routes(page)
    row = page.locator(GMX).first
    row.get_by_role("button", name="bps").click()
    expect(page.locator('[data-cost="execution_fee"]')).to_contain_text("$")
    order = _place(page)
    expect(order).to_have_attribute("data-state", "filled", timeout=SLOW_MS)
    assert wallet.asked.count("eth_sendTransaction") == 2
    assert "wallet_switchEthereumChain" in wallet.asked
    order.locator("summary").click()
    expect(order.locator("[data-fill]")).to_have_count(1)
    order_id = order.get_attribute("data-order")
    wallet.asked.clear()
    page.reload()
    again = page.locator(f'[data-order="{order_id}"]')
    expect(again).to_have_attribute("data-state", "filled")
    expect(page.locator('[data-joined="true"]')).to_be_visible()
    assert not {"personal_sign", "eth_requestAccounts"} & set(wallet.asked)
    page.get_by_role("button", name=f"Close {MARKET} at GMX").click()
    closing = page.locator("[data-order]").filter(has_text="Close long")
    expect(closing).to_have_attribute("data-state", "filled", timeout=SLOW_MS)


def test_refusals_are_shown_plainly(program: Program, new_page: NewPage) -> None:
    wallet = Wallet(program, usdc="0")
    page = _open(program, new_page, wallet)
    wallet.decline = True
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator('[data-problem="DECLINED"]')).to_contain_text("Declined in the wallet")
    _sign_in(page)
    page.get_by_label("Size").fill("0")
    page.get_by_role("button", name="Find routes").click()
    expect(page.locator("#fault-size")).to_have_text("more than 0")
    _find_routes(page, "90000000")
    expect(page.locator('[data-field="no_routes"]')).to_be_visible()
    for venue in ("dYdX", "GMX", "Gains"):
        expect(page.locator("[data-excluded-route]").filter(has_text=venue).first).to_be_visible()
    until(lambda: _gmx_is_priced(program), 30, "a route at GMX")
    _find_routes(page)
    order = _place(page)
    expect(order).to_have_attribute("data-state", "rejected")
    expect(order.locator('[data-field="order_reason"]')).to_contain_text(re.compile("BALANCE"))
    assert "eth_sendTransaction" not in wallet.asked


def test_what_the_wallet_declines_can_be_cancelled_on_a_phone(
    program: Program, new_page: NewPage
) -> None:
    wallet = Wallet(program)
    page = _open(program, new_page, wallet, viewport={"width": 390, "height": 844}, has_touch=True)
    _sign_in(page)
    until(lambda: _gmx_is_priced(program), 30, "a route at GMX")
    _find_routes(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wallet.decline = True
    order = _place(page)
    expect(order.locator('[data-problem="DECLINED"]')).to_be_visible()
    expect(order.get_by_role("button", name="Approve the collateral")).to_be_visible()
    page.reload()
    again = page.locator("[data-order]").first
    expect(again.get_by_role("button", name="Approve the collateral")).to_be_visible()
    again.get_by_role("button", name="Cancel").click()
    expect(again).to_have_attribute("data-state", "cancelled")
