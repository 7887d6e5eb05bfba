"""What the owner lets go: values of a stretch, old values by a rule, a whole source."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect
from tests.browser.owner import Owner, real_box

pytestmark = pytest.mark.browser

EARLIER, LATER = "2020-01-01T00:00", "2099-01-01T00:00"


@pytest.fixture(scope="module")
def owner(browser: Browser, warm: Path) -> Iterator[Owner]:
    with real_box(warm) as box:
        owner = Owner(browser.new_context(), box)
        owner.first_run()
        owner.start_this_computer()
        yield owner
        assert owner.complaints == []
        owner.page.context.close()


def look(owner: Owner) -> Page:
    """Open the values of the processor's load."""
    page = owner.page
    page.goto(f"{owner.box.address}/sources")
    page.get_by_role("button", name="Look at the values: Processor load").click()
    expect(page.get_by_role("heading", name="How long values stay")).to_be_visible()
    return page


def length(owner: Owner) -> int:
    """How many values of the processor's load there are."""
    query = {"from": "0", "to": "4102444800000"}
    place = {"store": "os-monitor-store", "source": "cpu-load"}
    return int(owner.client.call("ts.length", query=query, **place).length)


def test_rule_says_what_goes_and_is_told_from_then_on(owner: Owner) -> None:
    page = look(owner)
    expect(page.get_by_text("Every single value stays")).to_be_visible()
    page.get_by_label("Keep single values for").fill("none")
    page.get_by_role("button", name="See what would go").click()
    expect(page.get_by_text("Give a whole number of days")).to_be_visible()
    page.get_by_label("Keep single values for").fill("7")
    page.get_by_role("button", name="See what would go").click()
    expect(page.get_by_text("Nothing would go now.")).to_be_visible()
    page.get_by_role("button", name="Keep it so").click()
    expect(page.get_by_text("Single values stay 7 days;")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Keep everything from now on").click()
    expect(page.get_by_text("Every single value stays")).to_be_visible()


def test_values_of_a_stretch_are_counted_then_deleted(owner: Owner) -> None:
    page = look(owner)
    page.get_by_label("From", exact=True).fill(LATER)
    page.get_by_label("To", exact=True).fill(EARLIER)
    page.get_by_role("button", name="Count them").click()
    expect(page.get_by_text("an end that comes after it")).to_be_visible()
    page.get_by_label("From", exact=True).fill(EARLIER)
    page.get_by_label("To", exact=True).fill(LATER)
    page.get_by_role("button", name="Count them").click()
    expect(page.get_by_text("would be deleted for good.")).to_be_visible()
    before = length(owner)
    page.get_by_role("button", name="Delete these values").click()
    expect(page.get_by_text("are deleted.")).to_be_visible()
    assert length(owner) < before
    # What was deleted is shown no more.
    shown = page.get_by_test_id("live")
    expect(shown).to_have_attribute("data-points", re.compile(r"^\d$"))


def test_source_that_was_removed_can_be_forgotten(owner: Owner) -> None:
    page = owner.page
    page.goto(f"{owner.box.address}/sources")
    page.get_by_role("button", name="Remove this source").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Left by sources that you removed")).to_be_visible()
    store = owner.box.home / "stores" / "os-monitor-store"
    assert store.is_dir()
    page.get_by_role("button", name="Forget: os-monitor").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("heading", name="Left by sources that you removed")).to_be_hidden()
    assert not store.exists()
