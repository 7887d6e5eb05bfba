"""Every screen of a real box, narrow and wide, light and dark; and consent without a mouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, expect
from tests.box_by_script import PASSPHRASE, BoxByScript
from tests.browser.owner import Owner, end, port_of, real_box

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS = [(width, theme) for width in (320, 1400) for theme in THEMES]
MOST_TABS = 80

SETTLE = "() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished))"
"""Colours that are still changing would be measured half way."""

SCREENS = {
    "": "[data-testid=live]",
    "sources": ".stream",
    "apps": ".app",
    "apps/computer-graph": ".permission",
    "apps/computer-graph/allow": ".answer [aria-disabled=false]",
    "apps/computer-graph/open": "[data-testid=series]",
    "apps/hello/open": "[data-testid=invented]",
    "store": ".offer",
    "who": ".permission",
    "leaves": "main p",
    "history": ".line",
    "settings": "h2",
    "nowhere": "h1",
}
"""Each page, and what must be on it before it is looked at."""


@pytest.fixture(scope="module")
def box(warm: Path) -> Iterator[BoxByScript]:
    with real_box(warm) as box:
        yield box


def faults(page: Page) -> dict[str, list[str]]:
    """What is wrong with a screen, by how it is looked at."""
    found = {}
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        # What is folded away must be as sound as what is seen.
        page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = true))")
        page.evaluate(SETTLE)
        violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        said = [
            f"{each['id']}: {node['html'][:200]}" for each in violations for node in each["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append("wider than the page")
        if said:
            found[f"{width} {theme}"] = said
    return found


@pytest.fixture(scope="module")
def entry(browser: Browser, box: BoxByScript) -> dict[str, dict[str, list[str]]]:
    """What is wrong with the screens of the way in, each by its title; they are seen once."""
    owner = Owner(browser.new_context(), box)
    page = owner.page
    found = {}
    page.goto((box.home / "run" / "open.html").as_uri())
    page.get_by_label("Your name").fill("Ana")
    found["Make it yours"] = faults(page)
    page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    page.get_by_role("button", name="Make it mine").click()
    last = page.get_by_test_id("recovery-code").locator("span").last
    last.wait_for()
    found["Write this down"] = faults(page)
    page.get_by_label("Type its last group").fill(last.inner_text())
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("heading", name="Your box is ready.").wait_for()
    found["Your box is ready."] = faults(page)
    page.get_by_role("button", name="Go in").click()
    page.get_by_role("button", name="Start", exact=True).wait_for()
    found["Your box is empty"] = faults(page)
    end(box)
    box.up("--port", str(port_of(box.address)))
    page.goto(box.address)
    page.get_by_role("button", name="Unlock").wait_for()
    found["Your box is locked."] = faults(page)
    page.get_by_role("button", name="I forgot my passphrase").click()
    found["Open it with the recovery code"] = faults(page)
    owner.sign_in()
    owner.start_this_computer()
    page.context.close()
    assert owner.complaints == []
    return found


@pytest.mark.parametrize(
    "title",
    [
        "Make it yours",
        "Write this down",
        "Your box is ready.",
        "Your box is empty",
        "Your box is locked.",
        "Open it with the recovery code",
    ],
)
def test_screen_of_the_way_in_is_accessible(
    entry: dict[str, dict[str, list[str]]], title: str
) -> None:
    assert entry[title] == {}


@pytest.fixture(scope="module")
def owner(browser: Browser, box: BoxByScript, entry: object) -> Iterator[Owner]:
    owner = Owner(browser.new_context(), box)
    owner.sign_in()
    yield owner
    owner.page.context.close()


def go_to(page: Page, target: Locator) -> None:
    """Walk to something with the Tab key, and see that it shows where one is."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            break
    expect(target).to_be_focused()
    seen = """element => {
      const shown = element.matches(':focus-visible') && [element, element.closest('label')].some(
        (each) => each && getComputedStyle(each).outlineStyle !== 'none')
      const { top, bottom } = element.getBoundingClientRect()
      const middle = document.elementFromPoint(innerWidth / 2, (top + bottom) / 2)
      const covered = middle?.closest('.answer') && !element.closest('.answer')
      return [shown, covered ? 'covered' : 'in sight']
    }"""
    assert target.evaluate(seen) == [True, "in sight"], target


@pytest.fixture(scope="module")
def agreed(owner: Owner) -> dict[str, object]:
    """The consent screen of Computer graph, answered by keys alone, from the App store on."""
    page = owner.page
    page.set_viewport_size({"width": 1400, "height": 800})
    owner.visit("store")
    look = page.get_by_role("link", name="Look at it: Computer graph")
    look.wait_for()
    go_to(page, look)
    page.keyboard.press("Enter")
    page.locator(".answer [aria-disabled=false]").first.wait_for()
    wrong = faults(page)
    page.set_viewport_size({"width": 1400, "height": 800})
    page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = false))")
    page.locator("h1").click()

    load, memory = (page.get_by_role("group", name="Which source").nth(each) for each in (0, 1))
    go_to(page, load.get_by_label("Processor load of this computer"))
    exact = page.get_by_role("group", name="How exact").first
    go_to(page, exact.get_by_label("Every value"))
    page.keyboard.press("ArrowRight")
    expect(exact.get_by_label("Each minute")).to_be_checked()
    page.keyboard.press("ArrowLeft")
    go_to(page, memory.get_by_label("Nothing"))
    page.keyboard.press("ArrowUp")
    expect(memory.get_by_label("Memory in use on this computer")).to_be_checked()
    place = page.get_by_label("May send to example.databox.test")
    go_to(page, place)
    page.keyboard.press("Space")
    expect(place).to_be_checked()
    page.keyboard.press("Space")
    until = page.get_by_role("group", name="Until")
    go_to(page, until.get_by_label("30 days"))
    page.keyboard.press("ArrowLeft")
    go_to(page, page.get_by_text("What will be written in your History"))
    page.keyboard.press("Enter")
    written = page.locator("pre.written").inner_text()
    go_to(page, page.get_by_role("button", name="Install with these choices"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/apps/computer-graph")
    return {"wrong": wrong, "written": written}


def test_consent_screen_is_accessible(agreed: dict[str, object]) -> None:
    assert agreed["wrong"] == {}


def test_consent_is_given_by_keys_alone(owner: Owner, agreed: dict[str, object]) -> None:
    written = str(agreed["written"])
    assert "Processor load of this computer: Every value" in written
    assert "Memory in use on this computer: Every value" in written
    assert "May not send to" in written
    grants = owner.client.call("grants").grants
    mine = [each.source for each in grants if each.client == "computer-graph"]
    assert sorted(mine) == ["cpu-load", "memory-used"]


@pytest.fixture(scope="module")
def furnished(owner: Owner, agreed: dict[str, object]) -> Owner:
    """With an app that sees, and one that may not and shows invented data."""
    page = owner.page
    owner.visit("store/hello")
    page.get_by_label("Nothing").check()
    owner.agree()
    page.wait_for_url("**/apps/hello")
    owner.complaints.clear()
    return owner


@pytest.mark.parametrize("path", SCREENS)
def test_screen_is_accessible_and_keeps_the_policy(furnished: Owner, path: str) -> None:
    furnished.visit(path)
    furnished.page.locator(SCREENS[path]).first.wait_for(timeout=20_000)
    assert faults(furnished.page) == {}
    assert furnished.complaints == []
