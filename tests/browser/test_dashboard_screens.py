"""Every screen of the dashboard, light and dark, narrow and wide: readable, and policy kept."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect
from tests.browser.invented_box import PASSPHRASE, invented_box, listen, sign_in

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SCREENS = {
    "": "[data-testid=live]",
    "sources": ".stream",
    "apps": ".app",
    "apps/computer-graph": ".permission",
    "apps/computer-graph/allow": ".answer [aria-disabled=false]",
    "apps/computer-graph/open": "[data-testid=series]",
    "apps/hello/open": "form",
    "store": ".offer",
    "store/computer-graph": ".answer [aria-disabled=false]",
    "who": ".permission",
    "leaves": ".export",
    "history": ".line",
    "settings": "h2",
}
"""Each page, and what must be on it before it is looked at."""


@dataclass(frozen=True)
class Dashboard:
    page: Page
    address: str
    complaints: list[str]


@pytest.fixture(
    scope="module",
    # A real box shows most of these pages in all four ways, in test_screens.py.
    params=[(320, "dark"), (1400, "light")],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def dashboard(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Dashboard]:
    width, theme = request.param
    with invented_box("full") as address:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce"
        )
        page = context.new_page()
        complaints = listen(page)
        sign_in(page, address)
        yield Dashboard(page, address, complaints)
        context.close()


@pytest.mark.parametrize("path", SCREENS)
def test_screen_is_accessible_and_keeps_the_policy(dashboard: Dashboard, path: str) -> None:
    page = dashboard.page
    dashboard.complaints.clear()
    page.goto(dashboard.address + path)
    page.locator(SCREENS[path]).first.wait_for()
    # What is folded away must be as sound as what is seen.
    for folded in page.locator("details").all():
        folded.evaluate("element => { element.open = true }")
    assert _violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "wider than the page"
    )
    assert dashboard.complaints == []


def test_dialog_is_accessible(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.goto(dashboard.address + "who")
    button = page.get_by_role("button", name="Stop access").first
    button.click()
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert _violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


def _violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def test_first_run_needs_no_mouse(browser: Browser) -> None:
    with invented_box("new") as address:
        page = browser.new_context().new_page()
        complaints = listen(page)
        page.goto(address + "#code=once")
        assert page.url == address, "the code stays in no address"
        page.get_by_label("Your name").focus()
        keys = page.keyboard
        keys.type("Ana")
        keys.press("Tab")
        keys.type(PASSPHRASE)
        keys.press("Enter")
        last = page.get_by_test_id("recovery-code").locator("span").last.inner_text()
        page.get_by_label("Type its last group").focus()
        keys.type(last.lower())
        keys.press("Enter")
        page.get_by_role("heading", name="Your box is ready.").wait_for()
        keys.press("Enter")
        page.get_by_role("button", name="Start").focus()
        keys.press("Enter")
        expect(page.get_by_test_id("live")).to_be_visible()
        assert complaints == []
        page.context.close()


def test_consent_cannot_be_clicked_through(browser: Browser) -> None:
    with invented_box("full") as address:
        page = browser.new_context().new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        sign_in(page, address)
        page.goto(address + "store/computer-graph")
        page.locator(".answer .button").first.click(force=True)
        page.wait_for_timeout(300)
        assert not [url for url in asked if url.endswith("/api/install")]
        page.get_by_role("button", name="Install with these choices").click()
        page.wait_for_url("**/apps/computer-graph")
        assert [url for url in asked if url.endswith("/api/install")]
        page.context.close()


def test_history_is_proven_by_the_browser(browser: Browser) -> None:
    with invented_box("full") as address:
        page = browser.new_context().new_page()
        sign_in(page, address)
        page.goto(address + "history")
        page.get_by_role("button", name="Check now").click()
        expect(page.get_by_test_id("verdict")).to_contain_text("Nobody changed it.")
        page.context.close()


def test_live_line_grows_and_can_be_paused(browser: Browser) -> None:
    with invented_box("full") as address:
        page = browser.new_context().new_page()
        sign_in(page, address)
        live = page.get_by_test_id("live")
        first = live.get_attribute("data-newest") or ""
        expect(live).not_to_have_attribute("data-newest", first)
        # Lists are asked for again every five seconds; that must not begin the line anew.
        points = int(live.get_attribute("data-points") or 0)
        page.wait_for_timeout(6000)
        # At the end of its window the oldest leave as new ones come.
        assert int(live.get_attribute("data-points") or 0) >= points - 2
        page.get_by_role("button", name="Pause").click()
        held = live.get_attribute("data-newest")
        page.wait_for_timeout(2500)
        assert live.get_attribute("data-newest") == held
        page.context.close()
