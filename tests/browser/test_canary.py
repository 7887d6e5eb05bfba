"""The test of a browser's seal in a real browser: it passes as it is, and fails where it should.

The control takes the seal away, or one layer of it, and the same attempts get out.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from databox.gateway import headers
from databox.gateway.canary import ATTEMPTS, Canaries, Seal
from databox.gateway.frames import GUARD_PATH
from databox.gateway.hosts import Origins
from databox.gateway.people import Person
from databox.gateway.service import WEB
from databox.kit.clock import SystemClock
from databox.kit.http import Request, Response, Server
from databox.wire.api import CanaryVerdict

pytestmark = pytest.mark.browser

ANA = Person("digest", "Ana", "owner", "thumbprint", 2**53)
FRAME = '<iframe src="{}" sandbox="allow-scripts allow-same-origin allow-forms"></iframe>'


class Pages:
    """The gateway's two kinds of origins, and nothing behind them.

    `whole`: with what is not in the seal's headers, the pinned page around and the guard script.
    """

    def __init__(self, port: int, seal: Callable[[Origins], Seal] | None, *, whole: bool) -> None:
        self.origins = Origins(port)
        self.canaries = Canaries(
            self.origins, SystemClock(), WEB, seal(self.origins) if seal else None
        )
        self.begun = self.canaries.begin(ANA)
        self._whole = whole

    def answer(self, request: Request) -> Response:
        """As the gateway: the dashboard's page, else one of the test."""
        label = self.origins.label_of(request.headers["host"], self)
        if label and request.path == GUARD_PATH and not self._whole:
            return Response(200, b"", "text/javascript")
        if label:
            return self.canaries.serve(label, request)
        page = "<!doctype html>" + "".join(map(FRAME.format, self.begun.frames))
        pinned = headers.shell(self.origins.frame(self.begun.id)) if self._whole else ()
        return Response(200, page.encode(), "text/html; charset=utf-8", pinned)

    def __contains__(self, label: object) -> bool:
        return label in self.canaries or self.canaries.is_outside(str(label))

    def verdict(self) -> CanaryVerdict:
        """What the gateway would say, once it can."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            verdict = self.canaries.verdict(self.begun.id, ANA)
            if verdict.state != "running":
                return verdict
            time.sleep(0.1)
        raise AssertionError("no verdict")


@contextmanager
def served(seal: Callable[[Origins], Seal] | None = None, *, whole: bool = True) -> Iterator[Pages]:
    """Serve the pages on a port of loopback, in a thread of their own."""
    listener = socket.create_server(("127.0.0.1", 0))
    pages = Pages(listener.getsockname()[1], seal, whole=whole)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = Server(pages.answer)
        server.serve_listener(listener, "outside", "outer")
        await stop.wait()
        await server.drain(grace=0.2)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield pages
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def tried(browser: Browser, pages: Pages) -> CanaryVerdict:
    """What comes out in this browser."""
    page = browser.new_context().new_page()
    try:
        page.goto(f"{pages.origins.shell}/", wait_until="commit")
        return pages.verdict()
    finally:
        page.context.close()


def test_this_browser_keeps_the_pages_in(browser: Browser) -> None:
    with served() as pages:
        assert tried(browser, pages) == CanaryVerdict(state="sealed")


def test_everything_gets_out_where_nothing_is_sealed(browser: Browser) -> None:
    with served(lambda _: lambda _: (), whole=False) as pages:
        assert tried(browser, pages) == CanaryVerdict(state="open", out=ATTEMPTS)


def without(name: str) -> Callable[[Origins], Seal]:
    """The seal with one of its headers taken away."""

    def seal(origins: Origins) -> Seal:
        def kept(kind: str) -> headers.Headers:
            whole = headers.frame(origins.shell, kind, inline=True)
            return tuple(each for each in whole if each[0] != name)

        return kept

    return seal


def test_browser_that_does_not_know_the_allowlist_is_found_out(browser: Browser) -> None:
    with served(without("Connection-Allowlist")) as pages:
        verdict = tried(browser, pages)
    assert verdict == CanaryVerdict(state="open", out=("allowlist",))


def test_browser_that_shows_none_of_the_pages_is_not_taken_for_a_sealed_one(
    browser: Browser,
) -> None:
    with served() as pages:
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(f"{pages.origins.shell}/", wait_until="commit")
        assert pages.verdict() == CanaryVerdict(state="open")
        page.context.close()
