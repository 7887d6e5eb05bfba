"""A box that is stopped and started again: who opens it, and what goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.box_by_script import PASSPHRASE
from tests.browser.owner import Owner, end, port_of, real_box

pytestmark = pytest.mark.browser

OTHER = "seven quiet rivers turn north"


class Life:
    """A box from one start to the next. Each test may change its passphrase, and says so here."""

    def __init__(self, owner: Owner, code: str) -> None:
        self.owner = owner
        self.code = code
        self.passphrase = PASSPHRASE

    def again(self) -> None:
        """Stop it, see that nothing is left, and start it anew at the same address."""
        box = self.owner.box
        self.owner.page.goto("about:blank")
        end(box)
        before = box.address
        box.up("--port", str(port_of(before)))
        assert box.address == before


@pytest.fixture(scope="module")
def locked(browser: Browser, warm: Path) -> Iterator[Life]:
    with real_box(warm) as box:
        owner = Owner(browser.new_context(), box)
        life = Life(owner, owner.first_run())
        owner.start_this_computer()
        yield life
        assert owner.complaints == []
        owner.page.context.close()


def test_box_that_was_stopped_is_opened_by_the_passphrase_and_goes_on(locked: Life) -> None:
    page = locked.owner.page
    locked.again()
    stopped = page.evaluate("Date.now()")
    page.goto(locked.owner.box.address)
    expect(page.get_by_text("Your box is locked.")).to_be_visible()
    field = page.get_by_label("Passphrase", exact=True)
    field.fill("not the passphrase")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("That is not the passphrase. Nothing was opened.")).to_be_visible()
    field.fill(locked.passphrase)
    page.get_by_role("button", name="Unlock").click()
    page.get_by_test_id("live").wait_for(timeout=20_000)
    page.wait_for_timeout(3000)
    moments = locked.owner.stored_moments(3)
    # The line begins before the stop and goes on after it.
    assert min(moments) < stopped < max(moments)


def test_recovery_code_opens_the_box_and_sets_a_new_passphrase(locked: Life) -> None:
    page = locked.owner.page
    locked.again()
    page.goto(locked.owner.box.address)
    page.get_by_role("button", name="I forgot my passphrase").click()
    page.get_by_label("Recovery code").fill("AAAA-" * 7 + "AAAA")
    page.get_by_label("New passphrase").fill(OTHER)
    page.get_by_role("button", name="Open the box").click()
    expect(page.get_by_text("That is not the recovery code.")).to_be_visible()
    page.get_by_label("Recovery code").fill(locked.code.lower().replace("-", " "))
    page.get_by_role("button", name="Open the box").click()
    page.get_by_test_id("live").wait_for(timeout=20_000)

    page.get_by_role("link", name="Settings").first.click()
    page.get_by_role("button", name="Sign out").click()
    field = page.get_by_label("Passphrase", exact=True)
    field.fill(locked.passphrase)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("That is not the passphrase.")).to_be_visible()
    locked.passphrase = OTHER
    field.fill(OTHER)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible(timeout=20_000)


def test_box_that_starts_by_itself_measures_before_anybody_signs_in(
    browser: Browser, warm: Path
) -> None:
    with real_box(warm) as box:
        context = browser.new_context()
        owner = Owner(context, box)
        owner.first_run("Starts by itself")
        owner.start_this_computer()
        Life(owner, "").again()
        page = owner.page
        # Nobody has come yet.
        page.wait_for_timeout(4000)
        arrived = page.evaluate("Date.now()")
        page.goto(box.address)
        moments = owner.stored_moments(1)
        assert [moment for moment in moments if arrived - 3000 < moment < arrived]
        assert owner.complaints == []
        page.context.close()
