"""Pages that are not the dashboard's, in the very browser that is signed in: they get nothing.

Each attempt has a control: the same done by the dashboard, or to a site that allows it, goes well.
"""

import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from playwright.sync_api import Browser, BrowserContext, Page, Response
from tests.box_by_script import BoxByScript, box_by_script
from tests.browser.owner import Owner, port_of, real_box
from tests.browser.sites import Site, site

from databox.cli.client import exchange, operator
from databox.cli.proof import Asked, make_proof

pytestmark = pytest.mark.browser

CALL = (Path(__file__).parent / "dashboard_call.js").read_text()

FETCH = """async ({ address, init }) => {
  try { return String((await fetch(address, init)).status) } catch (error) { return error.name }
}"""

SOCKET = """address => new Promise((resolve) => {
  const socket = new WebSocket(address.replace(/^http/, 'ws'))
  socket.onopen = () => resolve('open')
  socket.onerror = () => resolve('refused')
})"""

INSERT = """({ tag, name, address }) => new Promise((resolve) => {
  const element = document.createElement(tag)
  element.onload = () => resolve('loaded')
  element.onerror = () => resolve('refused')
  element[name] = address
  document.body.append(element)
})"""


@pytest.fixture(scope="module")
def box(warm: Path) -> Iterator[BoxByScript]:
    with real_box(warm) as box:
        yield box


@pytest.fixture(scope="module")
def owner(browser: Browser, box: BoxByScript) -> Iterator[Owner]:
    context = browser.new_context()
    owner = Owner(context, box)
    owner.first_run()
    owner.page.get_by_role("button", name="Start", exact=True).wait_for()
    yield owner
    context.close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Site]:
    with site() as server:
        yield server


class Stranger:
    """A page in the owner's browser, and what the box answers it, which it cannot see."""

    def __init__(self, context: BrowserContext, box: BoxByScript, address: str) -> None:
        self.box = box
        self.page: Page = context.new_page()
        self._asked: set[str] = set()
        self._answers: dict[str, int] = {}
        self._shown: set[int] = set()
        # Playwright does not tell of an answer that the browser keeps from the page; this does.
        tool = context.new_cdp_session(self.page)
        tool.send("Network.enable")
        tool.on("Network.requestWillBeSent", self._sent)
        tool.on("Network.responseReceivedExtraInfo", self._answered)
        self.page.on("response", self._show)
        self.page.goto(address)

    @property
    def statuses(self) -> set[int]:
        """What the box answered so far."""
        kept = {status for asked, status in self._answers.items() if asked in self._asked}
        return kept | self._shown

    def wait(self) -> None:
        """Wait for the box's answer, of which the tool tells a little later than the page."""
        for _ in range(100):
            if self.statuses:
                break
            self.page.wait_for_timeout(50)

    def _sent(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith(self.box.address):
            self._asked.add(event["requestId"])

    def _answered(self, event: dict[str, Any]) -> None:
        # It may come before the event of its request.
        self._answers[event["requestId"]] = event["statusCode"]

    def _show(self, response: Response) -> None:
        if response.url.startswith(self.box.address):
            self._shown.add(response.status)

    def fetch(self, path: str, **init: object) -> str:
        """What its script learns from a request to the box."""
        said = self.page.evaluate(FETCH, {"address": self.box.address + path, "init": init})
        return str(said)


@pytest.fixture(params=["databox.localhost", "other.localhost"])
def stranger(
    request: pytest.FixtureRequest, owner: Owner, box: BoxByScript, elsewhere: Site
) -> Iterator[Stranger]:
    """On another port of the dashboard's own name, and on another name."""
    visitor = Stranger(owner.page.context, box, elsewhere.at(request.param))
    yield visitor
    visitor.page.close()


def test_dashboard_calls_by_the_key_of_its_browser(owner: Owner, box: BoxByScript) -> None:
    assert owner.page.evaluate(CALL, {"box": box.address, "path": "/api/components"}) == 200
    assert owner.page.evaluate(SOCKET, box.address + "/api/live") == "open"


def test_stranger_finds_no_session(stranger: Stranger, owner: Owner, box: BoxByScript) -> None:
    call = {"box": box.address, "path": "/api/components"}
    assert stranger.page.evaluate(CALL, call) == "no session here"
    # Cookies ignore ports: this is why there are none.
    assert owner.page.context.cookies() == []


@pytest.mark.parametrize(
    "init",
    [
        {},
        {"credentials": "include"},
        {"headers": {"Authorization": "DPoP x", "DPoP": "x"}},
        {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"},
    ],
    ids=["plain", "with cookies", "with a session", "change"],
)
def test_stranger_reads_nothing(stranger: Stranger, init: dict[str, object]) -> None:
    assert stranger.fetch("/api/status", **init) == "TypeError"
    assert 200 not in stranger.statuses


@pytest.mark.parametrize("path", ["/api/stop-access", "/api/install", "/api/login", "/api/logout"])
def test_stranger_changes_nothing_by_a_request_that_asks_nobody(
    stranger: Stranger, path: str
) -> None:
    stranger.fetch(path, method="POST", mode="no-cors", body="{}")
    stranger.wait()
    assert stranger.statuses == {403}


def test_stranger_changes_nothing_by_a_form(stranger: Stranger) -> None:
    stranger.page.evaluate(
        """address => {
          const form = document.createElement('form')
          Object.assign(form, { action: address, method: 'post', enctype: 'text/plain' })
          document.body.append(form)
          form.submit()
        }""",
        stranger.box.address + "/api/stop-access",
    )
    stranger.page.wait_for_url("**/api/stop-access")
    assert stranger.statuses == {403}


def test_stranger_opens_no_socket(stranger: Stranger) -> None:
    assert stranger.page.evaluate(SOCKET, stranger.box.address + "/api/live") == "refused"


@pytest.mark.parametrize(("tag", "name"), [("iframe", "src"), ("embed", "src"), ("object", "data")])
def test_stranger_cannot_show_the_dashboard(stranger: Stranger, tag: str, name: str) -> None:
    page = stranger.page
    own = {"tag": tag, "name": name, "address": page.url}
    assert page.evaluate(INSERT, own) == "loaded", "the control"
    page.evaluate(
        """({ tag, name, address }) => {
          const element = document.createElement(tag)
          element[name] = address
          document.body.append(element)
        }""",
        {**own, "address": stranger.box.address},
    )
    page.wait_for_timeout(500)
    assert stranger.statuses == {403}
    assert [frame.url for frame in page.frames if frame.url.startswith(stranger.box.address)] == []


def test_stranger_loses_sight_of_the_dashboard_that_it_opens(stranger: Stranger) -> None:
    page = stranger.page
    reach = "address => { window.opened = open(address); return opened !== null }"
    with page.context.expect_page() as found:
        assert page.evaluate(reach, page.url)
    found.value.wait_for_load_state()
    assert page.evaluate("opened.closed") is False, "the control"
    found.value.close()
    with page.context.expect_page() as found:
        page.evaluate(reach, stranger.box.address)
    found.value.get_by_role("heading", name="Good to see you").wait_for()
    assert page.evaluate("opened.closed") is True
    assert found.value.evaluate("opener") is None
    found.value.close()


def test_session_without_its_key_is_worth_nothing(owner: Owner, box: BoxByScript) -> None:
    kept = operator(box.home)
    key = load_pem_private_key(kept.key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    stolen = owner.page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open('databox').onsuccess = ({ target }) => {
            const shelf = target.result.transaction('session').objectStore('session')
            shelf.get('current').onsuccess = ({ target }) => resolve(target.result.session)
          }
        })"""
    )
    thief = ec.generate_private_key(ec.SECP256R1())
    assert call(box, kept.session, key) == 200, "the control"
    assert call(box, kept.session, thief) == 401
    assert call(box, stolen, thief) == 401


def call(box: BoxByScript, session: str, key: ec.EllipticCurvePrivateKey) -> int:
    """Ask for what is installed, with this session and a proof by this key."""
    path = "/api/components"
    proof = make_proof(
        key,
        Asked(
            method="GET",
            url=box.address + path,
            session=session,
            now=int(time.time()),
            identifier=secrets.token_hex(8),
        ),
    )
    headers = {"Authorization": f"DPoP {session}", "DPoP": proof}
    return exchange(box.address, "GET", path, headers, b"")[0]


def test_key_of_the_browser_cannot_be_taken_out(owner: Owner) -> None:
    said = owner.page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open('databox').onsuccess = ({ target }) => {
            const shelf = target.result.transaction('session').objectStore('session')
            shelf.get('current').onsuccess = async ({ target }) => {
              const { publicKey, privateKey } = target.result.key
              await crypto.subtle.exportKey('jwk', publicKey)
              crypto.subtle.exportKey('jwk', privateKey).then(
                () => resolve('taken'), (error) => resolve(error.name))
            }
          }
        })"""
    )
    assert said == "InvalidAccessError"


def test_proof_that_was_seen_on_its_way_works_only_once(owner: Owner, box: BoxByScript) -> None:
    with owner.page.expect_request("**/api/components") as found:
        owner.visit("apps")
    sent = found.value.all_headers()
    answer = found.value.response()
    assert answer is not None
    assert answer.status == 200, "the control"
    headers = {name: sent[name] for name in ("authorization", "dpop")}
    assert exchange(box.address, "GET", "/api/components", headers, b"")[0] == 401


def test_name_that_was_made_to_point_here_is_misdirected(
    browser: Browser, box: BoxByScript
) -> None:
    rules = "--host-resolver-rules=MAP rebound.test 127.0.0.1"
    misled = browser.browser_type.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox", rules]
    )
    page = misled.new_page()
    for path in ("/", "/api/status", "/icon.svg"):
        answer = page.goto(f"http://rebound.test:{port_of(box.address)}{path}")
        assert answer is not None
        assert answer.status == 421
    control = page.goto(box.address)
    assert control is not None
    assert control.status == 200
    misled.close()


def test_box_does_not_start_beside_a_squatter_on_the_other_family() -> None:
    address = ("::1", 0)
    with socket.create_server(address, family=socket.AF_INET6) as squatter, box_by_script() as box:
        port = squatter.getsockname()[1]
        words = ("--port", str(port), "--no-browser", "--yes")
        done = box.verb("up", *words, check=False)
        assert done.returncode == 1
        assert f"port {port}" in done.stdout + done.stderr
        assert not (box.home / "run" / "open.html").exists()
