"""A History that somebody with the disk and the keys changed while the box was off: the owner's
browser, which remembers what it saw, says so."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.box_by_script import PASSPHRASE, wait_for
from tests.browser.owner import Owner, end, port_of, real_box

from databox.box.keys import Keyring
from databox.kit.clock import SystemClock
from databox.kit.database import open_database
from databox.ledger.chain import Ledger
from databox.ledger.check import verify
from databox.ledger.nodes import FORMAT

pytestmark = pytest.mark.browser

DATABASE = "parts/authority/authority.db"
SINCE = re.compile(r"Checked: nothing was changed since .* lines are sealed\.")


@dataclass
class Watched:
    """A box whose owner has looked at the History; `early`: the History from before that."""

    owner: Owner
    early: Path

    @property
    def page(self) -> Page:
        return self.owner.page

    def stop(self) -> None:
        self.page.goto("about:blank")
        end(self.owner.box)

    def start(self) -> None:
        box = self.owner.box
        box.up("--port", str(port_of(box.address)))
        self.page.goto(box.address)
        self.page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
        self.page.get_by_role("button", name="Unlock").click()
        self.page.get_by_role("link", name="History").first.wait_for(timeout=20_000)

    def accept(self) -> None:
        """Say that it is right, as who put back a copy would."""
        alarm = self.page.get_by_role("alert")
        alarm.get_by_role("button", name="I put it back myself").click()
        self.page.get_by_role("dialog").get_by_role("button", name="I put it back").click()
        expect(alarm).to_have_count(0)


@pytest.fixture(scope="module")
def box(
    browser: Browser, warm: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    with real_box(warm) as home:
        owner = Owner(browser.new_context(), home)
        owner.first_run()
        owner.start_this_computer()
        watched = Watched(owner, tmp_path_factory.mktemp("early") / "authority")
        watched.stop()
        shutil.copytree((home.home / DATABASE).parent, watched.early)
        watched.start()
        owner.visit("history")
        expect(owner.page.get_by_test_id("since")).to_have_text(SINCE)
        yield watched
        owner.page.context.close()


def opened(home: Path) -> tuple[apsw.Connection, bytes]:
    """The database and the key that signs, as who has the disk and the passphrase has them."""
    keys = Keyring(home / "keys")
    keys.open_by_passphrase(PASSPHRASE)
    return open_database(home / DATABASE, keys.key("authority.database")), keys.key("ledger")


def rewrite(home: Path, statement: str) -> None:
    """Change lines, and make everything that stands over them anew, seals included."""
    connection, key = opened(home)
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'ledger_%'"
    ).fetchall():
        connection.execute(f"DROP {kind} {name}")
    connection.execute("DELETE FROM ledger_checkpoint; DROP TABLE ledger_node")
    connection.execute(FORMAT)
    connection.execute(statement)
    ledger = Ledger(connection, key, SystemClock())
    ledger._nodes.plant()
    verdict = verify(ledger)
    assert verdict.ok, "the box itself cannot tell"
    connection.close()


def test_the_control_a_box_that_was_only_restarted_says_nothing(box: Watched) -> None:
    box.stop()
    box.start()
    expect(box.page.get_by_role("alert")).to_have_count(0)
    box.owner.visit("history")
    expect(box.page.get_by_test_id("since")).to_have_text(SINCE)


def test_a_line_that_was_rewritten_with_the_real_keys_is_told(box: Watched) -> None:
    box.stop()
    rewrite(
        box.owner.box.home,
        "UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'This computer',"
        " 'That computer') AS BLOB) WHERE kind = 'installed'",
    )
    box.start()
    alarm = box.page.get_by_role("alert")
    expect(alarm).to_contain_text("Your History was rewritten")
    expect(alarm).to_contain_text("look at who can reach this computer and its disk")
    box.owner.visit("history")
    expect(box.page.get_by_test_id("since")).to_have_count(0)
    box.accept()
    expect(box.page.get_by_test_id("since")).to_have_text(SINCE)


@pytest.mark.slow
def test_lines_cut_off_with_the_real_keys_are_told(box: Watched) -> None:
    box.stop()
    rewrite(
        box.owner.box.home,
        "DELETE FROM ledger_subject WHERE n >= 3; DELETE FROM ledger_entry WHERE n >= 3;"
        " DELETE FROM ledger_known",
    )
    box.start()
    alarm = box.page.get_by_role("alert").first
    expect(alarm).to_contain_text(re.compile("Lines are missing|was rewritten"))
    box.accept()


def test_an_older_copy_put_back_is_told(box: Watched) -> None:
    box.stop()
    folder = (box.owner.box.home / DATABASE).parent
    for each in folder.iterdir():
        each.unlink()
    part = folder.stat()
    for each in box.early.iterdir():
        copy = shutil.copy2(each, folder / each.name)
        os.chown(copy, part.st_uid, part.st_gid)
    box.start()
    alarm = box.page.get_by_role("alert").first
    expect(alarm).to_contain_text(re.compile("Lines are missing|was rewritten"))
    # The source remembers too what it told.
    said = "ALARM: An older copy of the History was put back"
    wait_for(20, lambda: said in box.owner.box.verb("status").stdout)
