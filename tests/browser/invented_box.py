"""The committed bundle in a real Chromium, in front of an invented box that never sleeps."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

UI = Path(__file__).parents[2] / "ui"
PASSPHRASE = "amber kettle window nine"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser; nothing is downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@contextmanager
def invented_box(state: str) -> Iterator[str]:
    """An invented box on a free port; gives its address. `state`: new, locked, empty or full."""
    command = ("node", str(UI / "dev/box.mjs"), state, "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


_TELL_VIOLATIONS = """
document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
  console.error(`the policy refused ${effectiveDirective} ${blockedURI}`)
})
"""


def listen(page: Page, complaints: list[str] | None = None) -> list[str]:
    """Collect what the browser complains of: refused by the policy, or thrown by a script."""
    complaints = [] if complaints is None else complaints
    page.add_init_script(_TELL_VIOLATIONS)

    def console(message: ConsoleMessage) -> None:
        # An answer of 4xx is logged as an error too; those are the box's own, and shown.
        if message.type == "error" and "status of" not in message.text:
            complaints.append(message.text)

    def answered(response: Response) -> None:
        if "/api/" in response.url and response.status == 404:
            complaints.append(f"{response.request.method} {response.url} is not there")

    page.on("console", console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", answered)
    return complaints


def sign_in(page: Page, address: str) -> None:
    """Sign in and wait for Home."""
    page.goto(address)
    page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_test_id("live").wait_for()
