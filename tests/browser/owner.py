"""The owner of a real box at a real browser: the steps that every journey takes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page
from tests.box_by_script import PASSPHRASE, BoxByScript, box_by_script
from tests.browser.invented_box import listen
from tests.footprint import Footprint

from databox.cli.client import Client, operator

GUARD_SECONDS = 1.0
"""The consent screen takes no answer before that."""


@contextmanager
def real_box(warm: Path) -> Iterator[BoxByScript]:
    """A box in a home of its own, by the command that owners use; when it ends, nothing is left.

    `warm`: where the first box leaves the programs it runs on, and the next find them.
    """
    with box_by_script() as box:
        if any(warm.iterdir()):
            box.home.mkdir(mode=0o711)
            shutil.copytree(warm, box.home / "runtime")
        box.up("--yes")
        if not any(warm.iterdir()):
            shutil.copytree(box.home / "runtime", warm, dirs_exist_ok=True)
        yield box
        end(box)


def end(box: BoxByScript) -> None:
    """Press Ctrl-C, and see that the box took everything with it."""
    footprint = Footprint.of(box.pid, box.home, port_of(box.address))
    box.end()
    assert box.wait() == 0
    left = footprint.left()
    assert left == [], left


def port_of(address: str) -> int:
    """The port of an address."""
    return int(address.rpartition(":")[2])


class Owner:
    """One browser of the owner. `complaints`: what it complained of, which is never in order."""

    def __init__(self, context: BrowserContext, box: BoxByScript) -> None:
        self.box = box
        self.complaints: list[str] = []
        self._context = context
        self.page = self.another_page()

    def another_page(self) -> Page:
        """One more tab of the same browser."""
        page = self._context.new_page()
        listen(page, self.complaints)
        return page

    @property
    def client(self) -> Client:
        """The public API, as the command line has it."""
        return Client(operator(self.box.home))

    def first_run(self, mode: str = "Locked after restart") -> str:
        """Become the owner by the file that `up` opens; gives the recovery code."""
        page = self.page
        page.goto((self.box.home / "run" / "open.html").as_uri())
        page.get_by_label("Your name").fill("Ana")
        page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
        page.get_by_label(mode).check()
        page.get_by_role("button", name="Make it mine").click()
        code = page.get_by_test_id("recovery-code")
        code.wait_for()
        groups = code.locator("span").all_inner_texts()
        page.get_by_label("Type its last group").fill(groups[-1].lower())
        page.get_by_role("button", name="I have it").click()
        page.get_by_role("heading", name="Your box is ready.").wait_for()
        page.get_by_role("button", name="Go in").click()
        return "-".join(groups)

    def start_this_computer(self) -> None:
        """Start the one suggested source, and see its line."""
        self.page.get_by_role("button", name="Start", exact=True).click()
        self.page.get_by_test_id("live").wait_for(timeout=20_000)

    def sign_in(self, passphrase: str = PASSPHRASE) -> None:
        """Sign in, which opens a locked box, and wait for Home."""
        self.page.goto(self.box.address)
        self.page.get_by_label("Passphrase", exact=True).fill(passphrase)
        self.page.locator("button.main").click()
        self.page.get_by_role("heading", name="Good to see you").wait_for(timeout=20_000)

    def stored_moments(self, least: int) -> list[int]:
        """When the newest stored values of the line on Home were measured, Unix ms."""
        page = self.page
        page.get_by_role("button", name="Tap to see the stored values").click(timeout=20_000)
        rows = page.get_by_role("dialog").locator("tbody time")
        rows.nth(least - 1).wait_for(timeout=10_000)
        times: list[str] = rows.evaluate_all("times => times.map(time => time.dateTime)")
        page.keyboard.press("Escape")
        return [int(datetime.fromisoformat(text).timestamp() * 1000) for text in times]

    def visit(self, path: str) -> None:
        """Go to a page of the dashboard by its address."""
        self.page.goto(f"{self.box.address}/{path}")

    def agree(self) -> None:
        """Give the answer of the consent screen as it stands, once it takes one."""
        self.page.locator(".answer [aria-disabled=false]").first.click()

    def upload(self, folder: Path) -> str:
        """Bring a package of one's own into the box; gives its digest."""
        from databox.cli.install import files_of
        from databox.wire import api

        answer: Any = self.client.call("upload", api.UploadRequest(files=files_of(folder)))
        return str(answer.package)
