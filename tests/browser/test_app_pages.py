"""An app with its own pages: what its owner is told, and that nothing of them gets out.

The app tries each way out in the sealed frame, and the control is the same app outside a box.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Page, expect, sync_playwright
from tests.box_by_script import BoxByScript, wait_for
from tests.browser.owner import Owner, real_box
from tests.browser.sites import Outside, site

pytestmark = pytest.mark.browser

APP = Path(__file__).parent / "escaping_app"
ESCAPES = (APP / "escapes.js").read_text()
WAYS = re.findall(r"^  '?(\w[\w ]*?)'?: (?:async )?\(to\)", ESCAPES, re.MULTILINE)
CONTROL_S = 3.0
"""What leads out is given this long."""
MARGIN_S = 0.3
LABEL = re.compile(r"[a-z2-7]{26}\.localhost:\d+")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser with the switches that owners have: Playwright's own change how frames store."""
    # Whatever a page makes of a name, nothing is asked of a machine but this.
    only_here = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        chromium = subprocess.Popen(
            (
                "/usr/bin/chromium",
                "--headless",
                "--no-sandbox",
                "--no-first-run",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "--allow-loopback-in-peer-connection",
                only_here,
            ),
            stderr=subprocess.DEVNULL,
        )
        try:
            told = Path(profile) / "DevToolsActivePort"
            wait_for(20, lambda: told.exists() and "\n" in told.read_text())
            port = told.read_text().split()[0]
            with sync_playwright() as playwright:
                opened = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
                yield opened
                opened.close()
        finally:
            chromium.terminate()
            chromium.wait(20)


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    listener = Outside()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def box(warm: Path) -> Iterator[BoxByScript]:
    with real_box(warm) as box:
        yield box


@pytest.fixture(scope="module")
def owner(browser: Browser, box: BoxByScript) -> Owner:
    owner = Owner(browser.contexts[0], box)
    owner.first_run()
    owner.page.get_by_role("button", name="Start", exact=True).wait_for()
    return owner


@pytest.fixture(scope="module")
def consent(owner: Owner) -> str:
    """What the consent screen says of the app, which is then installed."""
    owner.visit(f"packages/{owner.upload(APP)}")
    page = owner.page
    page.locator(".answer").wait_for()
    said = page.locator("main").inner_text()
    owner.agree()
    page.wait_for_url("**/apps/escaping-app")
    expect(page.get_by_text("Running")).to_be_visible(timeout=20_000)
    return said


def open_sealed(owner: Owner, page: Page) -> Frame:
    """The app's frame in a page of the dashboard."""
    page.goto(f"{owner.box.address}/apps/escaping-app/open")
    frame = page.get_by_title("Screen of").element_handle(timeout=20_000).content_frame()
    assert frame is not None
    frame.get_by_role("button").first.wait_for()
    return frame


def test_consent_says_that_the_app_runs_its_own_screen(consent: str) -> None:
    assert "Escaping app" in consent
    assert "by Mallory" in consent
    assert "Built on this box" in consent
    assert "Runs its own screen, sealed off from everything else." in consent


def test_each_opening_has_an_origin_of_its_own(owner: Owner, consent: str) -> None:
    first, second = (urlsplit(open_sealed(owner, owner.page).url).netloc for _ in range(2))
    assert LABEL.fullmatch(first)
    assert LABEL.fullmatch(second)
    assert first != second


def test_first_screen_of_a_tab_follows_on_a_test_of_the_browser(owner: Owner, consent: str) -> None:
    page = owner.another_page()
    began = time.monotonic()
    with page.expect_response("**/api/canary/*"):
        open_sealed(owner, page)
    print(f"tested and opened in {time.monotonic() - began:.1f} s")
    expect(page.get_by_text("Sealed screen")).to_be_visible()
    page.close()


def test_screen_stays_closed_in_a_browser_that_cannot_seal_it(owner: Owner, consent: str) -> None:
    page = owner.another_page()
    verdict = {"state": "open", "out": ["image", "webrtc"]}
    page.route("**/api/canary/*", lambda route: route.fulfill(json=verdict))
    page.goto(f"{owner.box.address}/apps/escaping-app/open")
    expect(page.get_by_text("Your browser cannot fully seal this screen")).to_be_visible()
    expect(page.get_by_text("a picture and a call to another computer")).to_be_visible()
    expect(page.get_by_title("Screen of")).to_have_count(0)
    page.get_by_role("button", name="Open it all the same").click()
    expect(page.get_by_title("Screen of")).to_be_visible()
    expect(page.get_by_text("Not fully sealed")).to_be_visible()
    expect(page.get_by_text("May send something out")).to_be_visible()
    page.evaluate("localStorage.removeItem('databox.unsealed.escaping-app')")
    page.close()


def test_page_around_the_app_is_pinned_to_its_one_origin(owner: Owner, consent: str) -> None:
    with owner.page.expect_response("**/apps/escaping-app/open?frame=*") as found:
        frame = open_sealed(owner, owner.page)
    policy = found.value.headers["content-security-policy"]
    pinned = re.findall(r"frame-src ([^;]+);", policy)
    assert pinned == [f"http://{urlsplit(frame.url).netloc}"]


def test_address_of_an_opened_app_opens_nothing_by_itself(owner: Owner, consent: str) -> None:
    address = open_sealed(owner, owner.page).url
    tab = owner.page.context.new_page()
    answer = tab.goto(address)
    said = tab.locator("body").inner_text()
    tab.close()
    assert answer is not None
    assert (answer.status, said) == (403, "open this app from the dashboard")


def test_ticket_works_once(owner: Owner, consent: str) -> None:
    with owner.page.expect_request("**/databox-ticket?*") as found:
        open_sealed(owner, owner.page)
    tab = owner.page.context.new_page()
    answer = tab.goto(found.value.url)
    tab.close()
    assert answer is not None
    assert answer.status == 403


def test_app_cannot_ask_the_box(owner: Owner, consent: str) -> None:
    frame = open_sealed(owner, owner.page)
    ask = "address => fetch(address).then(({ status }) => status, ({ name }) => name)"
    assert frame.evaluate(ask, "/index.html") == 200, "the control"
    assert frame.evaluate(ask, owner.box.address + "/api/status") == "TypeError"
    assert frame.evaluate("[typeof RTCPeerConnection, document.cookie]") == ["undefined", ""]


def test_open_screen_ends_with_the_session(
    browser: Browser, box: BoxByScript, consent: str
) -> None:
    context = browser.new_context()
    visitor = Owner(context, box)
    visitor.sign_in()
    frame = open_sealed(visitor, visitor.page)
    ask = "() => fetch('/index.html').then(({ status }) => status, ({ name }) => name)"
    assert frame.evaluate(ask) == 200, "the control"
    other = visitor.another_page()
    other.goto(f"{box.address}/settings")
    other.get_by_role("button", name="Sign out").click()
    other.get_by_role("button", name="Sign in").wait_for()
    wait_for(7, lambda: frame.evaluate(ask) == 403)
    context.close()


@dataclass(frozen=True)
class Escape:
    """One way out. `ran`: the app's script set out on it; `heard`: what arrived in `seconds`."""

    ran: bool
    heard: tuple[str, ...]
    seconds: float


def kind_of(way: str) -> str:
    """As what the place outside hears it: most bring their name."""
    if not way.startswith("call to a peer"):
        return way
    return "tcp" if way.endswith("TCP") else "udp"


def try_all(
    context: BrowserContext,
    open_app: Callable[[Page], Frame],
    outside: Outside,
    control: dict[str, Escape] | None = None,
) -> dict[str, Escape]:
    """Press every button of the app, and say for each what came of it.

    `control`: how it went where data do arrive; now twice that time is waited, and a little more.
    """
    before = context.pages
    page = context.new_page()
    heard: dict[str, tuple[str, ...]] = {}
    took: dict[str, float] = {}
    frame = open_app(page)
    leaves = {
        button.inner_text(): button.get_attribute("data-leaves") == "true"
        for button in frame.get_by_role("button").all()
    }
    assert list(leaves) == WAYS
    for way, leaving in leaves.items():
        if leaving or not _lives(frame):
            page.close()
            page = context.new_page()
            frame = open_app(page)
        for window in context.pages:
            if window not in (*before, page):
                window.close()
        page.bring_to_front()
        outside.heard = []
        frame.evaluate("address => { window.outside = address }", outside.address)
        frame.get_by_role("button", name=way, exact=True).click()
        began = time.monotonic()
        until = began + (2 * control[way].seconds + MARGIN_S if control else CONTROL_S)
        while time.monotonic() < until and (control or kind_of(way) not in outside.heard):
            time.sleep(0.02)
        heard[way], took[way] = tuple(outside.heard), time.monotonic() - began
    for window in context.pages:
        if window not in before:
            window.close()
    page = context.new_page()
    ran = open_app(page).evaluate("fetch('/log').then((answer) => answer.json())")
    page.close()
    names = {name.replace("%20", " ") for name in ran}
    return {way: Escape(way in names, heard[way], took[way]) for way in WAYS}


def _lives(frame: Frame) -> bool:
    """Whether the app is still there: some ways out make the browser end the frame's process."""
    try:
        return bool(frame.evaluate("!!document.querySelector('button')"))
    except Error:
        return False


@pytest.fixture(scope="module")
def sealed(
    owner: Owner, consent: str, outside: Outside, unsealed: dict[str, Escape]
) -> dict[str, Escape]:
    context = owner.page.context
    return try_all(context, lambda page: open_sealed(owner, page), outside, unsealed)


@contextmanager
def app_alone() -> Iterator[int]:
    """The same app without a box; gives its port."""
    process = subprocess.Popen(
        (sys.executable, str(APP / "main.py")),
        env={"PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def unsealed(browser: Browser, outside: Outside) -> Iterator[dict[str, Escape]]:
    with app_alone() as port, site() as around:
        address = f"http://app.localhost:{port}/"
        around.pages["/"] = ("text/html", f'<!doctype html><iframe src="{address}"></iframe>')

        def open_app(page: Page) -> Frame:
            page.goto(around.at("shell.localhost"))
            frame = page.locator("iframe").element_handle().content_frame()
            assert frame is not None
            frame.get_by_role("button").first.wait_for()
            return frame

        yield try_all(browser.contexts[0], open_app, outside)


@pytest.mark.parametrize("way", WAYS)
def test_way_out_is_closed(
    sealed: dict[str, Escape], unsealed: dict[str, Escape], way: str
) -> None:
    assert unsealed[way].ran
    assert kind_of(way) in unsealed[way].heard, "the control: it does lead out"
    assert sealed[way].ran
    assert sealed[way].heard == ()
