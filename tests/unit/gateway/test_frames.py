import asyncio
from urllib.parse import unquote

import pytest

from databox.gateway import headers
from databox.gateway.frames import COOKIE, Frames, with_guard
from databox.gateway.hosts import Origins
from databox.gateway.people import Person
from databox.kit.clock import FixedClock
from databox.kit.http.message import Request, Response
from databox.wire.api import Component
from databox.wire.errors import Unavailable

ORIGINS = Origins(8989)
PERSON = Person("d", "Ana", "owner", "t", 10**15)
APP = Component(
    name="pages", title="", kind="app", version="", maker="", state="running", detail="",
    screen="pages", leaves=False, invented=False, restarts=0, package="", installed=0,
)  # fmt: skip


class FakeApp:
    """Stands where the app's web server is: answers what it is told to."""

    def __init__(self, response):
        self.response = response
        self.seen = []

    async def reach(self, name, scheme):
        return self

    async def request(self, method, path, *, headers, body, timeout):  # noqa: ASYNC109 - as the real one
        self.seen.append((method, path, dict(headers), body))
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    def close(self):
        pass


def request(path="/", query="", **more):
    sent = {"sec-fetch-dest": "iframe", **more}
    target = path + (f"?{query}" if query else "")
    return Request("GET", path, query, sent, target, kind="outer")


def opened(response, signed_in=(True,)):
    """`signed_in`: what is heard of the session, each time it is asked for; the last for ever."""
    app, heard = FakeApp(response), list(signed_in)

    async def still(person):
        return heard.pop(0) if len(heard) > 1 else heard[0]

    frames = Frames(ORIGINS, FixedClock(), app.reach, still)
    label, ticket = frames.open(APP, PERSON)
    return app, frames, label, ticket


def ask(frames, label, each):
    return asyncio.run(frames.serve(label, each))


def enter(frames, label, ticket):
    answer = ask(frames, label, request("/databox-ticket", f"t={ticket}"))
    return dict(answer.headers)["Set-Cookie"].split(";")[0]


def test_a_ticket_opens_the_screen_once():
    _, frames, label, ticket = opened(Response(200, b"hi", "text/html"))
    cookie = enter(frames, label, ticket)
    assert ask(frames, label, request(cookie=cookie)).status == 200
    assert ask(frames, label, request("/databox-ticket", f"t={ticket}")).status == 403


def test_the_name_alone_opens_nothing():
    app, frames, label, _ = opened(Response(200, b"hi", "text/html"))
    assert ask(frames, label, request()).status == 403
    assert ask(frames, label, request(cookie=f"{COOKIE}=guess")).status == 403
    assert app.seen == []


def test_a_screen_is_not_visited_outside_its_frame_and_has_no_service_worker():
    _, frames, label, ticket = opened(Response(200, b"hi", "text/html"))
    cookie = enter(frames, label, ticket)
    top = request(cookie=cookie, **{"sec-fetch-dest": "document"})
    worker = request("/sw.js", cookie=cookie, **{"service-worker": "script"})
    assert ask(frames, label, top).status == 403
    assert ask(frames, label, worker).status == 403


@pytest.mark.parametrize("status", [200, 404, 500, 302])
@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/pdf", "image/svg+xml"])
def test_every_answer_is_sealed(status, kind):
    _, frames, label, ticket = opened(Response(status, b"x", kind))
    cookie = enter(frames, label, ticket)
    sealed = dict(ask(frames, label, request(cookie=cookie)).headers)
    assert sealed["Connection-Allowlist"] == "(response-origin)"
    assert f"frame-ancestors {ORIGINS.shell}" in sealed["Content-Security-Policy"]
    assert "sandbox" in sealed["Content-Security-Policy"]
    assert sealed["Referrer-Policy"] == "no-referrer"


def test_scripts_in_a_picture_do_not_run():
    _, frames, label, ticket = opened(Response(200, b"<svg/>", "image/svg+xml"))
    cookie = enter(frames, label, ticket)
    policy = dict(ask(frames, label, request(cookie=cookie)).headers)["Content-Security-Policy"]
    assert "allow-scripts" not in policy
    assert "script-src" not in policy


def test_an_apps_own_headers_are_dropped_but_for_a_few():
    hostile = (
        ("Link", "<https://out.test/x>; rel=preload"),
        ("Refresh", "0; url=https://out.test"),
        ("Content-Security-Policy", "default-src *"),
        ("Access-Control-Allow-Origin", "*"),
        ("Service-Worker-Allowed", "/"),
        ("Set-Cookie", "a=1; Domain=localhost"),
        ("ETag", '"1"'),
    )
    _, frames, label, ticket = opened(Response(200, b"x", "text/html", hostile))
    cookie = enter(frames, label, ticket)
    got = ask(frames, label, request(cookie=cookie)).headers
    names = {name.lower() for name, _ in got}
    assert not names & {"link", "refresh", "access-control-allow-origin", "service-worker-allowed"}
    assert [v for n, v in got if n == "Content-Security-Policy" and "*" in v] == []
    assert ("ETag", '"1"') in got
    (own,) = [v for n, v in got if n == "Set-Cookie"]
    assert own.startswith("__Host-app-a=1;")
    assert "Domain" not in own


@pytest.mark.parametrize(
    "target", ["https://out.test/x", "//out.test", "javascript:1", "/\\out.test"]
)
def test_a_redirect_to_elsewhere_is_dropped(target):
    _, frames, label, ticket = opened(Response(302, b"", "text/html", (("location", target),)))
    cookie = enter(frames, label, ticket)
    assert "Location" not in dict(ask(frames, label, request(cookie=cookie)).headers)


def test_the_app_sees_neither_our_cookie_nor_a_secret_header():
    app, frames, label, ticket = opened(Response(200, b"x", "text/html"))
    cookie = enter(frames, label, ticket)
    both = f"{cookie}; __Host-app-own=2"
    ask(frames, label, request(cookie=both, authorization="DPoP s", referer="http://x"))
    ((_, _, seen, _),) = app.seen
    assert seen["cookie"] == "own=2"
    assert "authorization" not in seen
    assert "referer" not in seen


GUARDED = b'<script src="/databox-guard.js"></script>'


@pytest.mark.parametrize(
    ("page", "begins"),
    [
        (b"<script>1</script>", GUARDED),
        (b"<!-- a --><!DOCTYPE html><script>1</script>", b"<!doctype html>" + GUARDED),
        # Each comment here is over sooner than it looks.
        (b"<!--><script>1</script><!-- --><!doctype html>", b"<!doctype html>" + GUARDED),
        (b"<!-- --!><script>1</script> --><!doctype html>", b"<!doctype html>" + GUARDED),
        ("\ufeff<script>1</script>".encode("utf-16"), GUARDED),
    ],
)
def test_the_guard_comes_before_everything_but_our_own_doctype(page, begins):
    assert with_guard(page) == begins + page


def test_a_page_of_comments_costs_no_time():
    assert with_guard(b"<!---->" * 100_000).startswith(GUARDED)


@pytest.mark.parametrize(
    ("claimed", "given"),
    [
        ("Text/HTML", "text/html"),
        ("TEXT/HTML; Charset=UTF-8", "text/html; charset=utf-8"),
        ('text/html;charset="windows-1252"', "text/html; charset=windows-1252"),
        ("text/html; charset=utf-16le", "text/html; charset=utf-8"),
        ("text/html; charset=unicode", "text/html; charset=utf-8"),
        ("text/plain;a=b,text/html", "text/plain"),
        ("text/plain,text/html", "application/octet-stream"),
        ("multipart/x-mixed-replace", "application/octet-stream"),
    ],
)
def test_no_spelling_of_a_type_gets_a_page_past_the_guard(claimed, given):
    _, frames, label, ticket = opened(Response(200, b"<p>", claimed))
    cookie = enter(frames, label, ticket)
    answer = ask(frames, label, request(cookie=cookie))
    assert answer.content_type == given
    assert answer.body.startswith(GUARDED) == given.startswith("text/html")


@pytest.mark.parametrize("kind", ["text/xsl", "text/xml", "text/plain", "application/json"])
def test_only_pages_with_the_guard_may_run_script(kind):
    _, frames, label, ticket = opened(Response(200, b"<x/>", kind))
    cookie = enter(frames, label, ticket)
    policy = dict(ask(frames, label, request(cookie=cookie)).headers)["Content-Security-Policy"]
    assert "allow-scripts" not in policy


def test_a_screen_ends_with_the_session_that_opened_it():
    app, frames, label, ticket = opened(Response(200, b"hi", "text/html"), (True, False))
    cookie = enter(frames, label, ticket)
    assert ask(frames, label, request(cookie=cookie)).status == 200
    assert ask(frames, label, request(cookie=cookie)).status == 403
    assert len(app.seen) == 1


def test_an_answer_that_does_not_come_is_sealed_too():
    app, frames, label, ticket = opened(Response(200, b"hi", "text/html"))
    cookie = enter(frames, label, ticket)
    app.response = Unavailable("it does not answer")
    answer = ask(frames, label, request(cookie=cookie))
    assert answer.status == 503
    assert "Content-Security-Policy" in dict(answer.headers)


def test_an_unreadable_redirect_is_dropped():
    broken = (("location", "http://[half"),)
    _, frames, label, ticket = opened(Response(302, b"", "text/html", broken))
    cookie = enter(frames, label, ticket)
    assert "Location" not in dict(ask(frames, label, request(cookie=cookie)).headers)


@pytest.mark.parametrize("name", ["Ana", "Łukasz", "Анна", "a\r\nx: y"])
def test_a_name_of_any_alphabet_goes_to_the_app_in_one_header(name):
    sent = headers.person(name)["x-databox-user"]
    assert sent.isascii()
    assert sent.isprintable()
    assert unquote(sent) == name


def test_a_content_type_off_the_list_becomes_plain_bytes():
    assert headers.content_type("multipart/x-mixed-replace", b"") == "application/octet-stream"
    assert headers.content_type("text/html; charset=utf-8", b"") == "text/html; charset=utf-8"


@pytest.mark.parametrize("body", [b"<html><body>", b"\n <!DOCTYPE html>", b"<HTML lang=en>"])
def test_a_page_of_no_type_is_shown_if_it_begins_as_one(body):
    assert headers.content_type("", body) == "text/html; charset=utf-8"
    assert headers.content_type("", b"x" + body) == "application/octet-stream"
    assert headers.content_type("image/png", body) == "image/png"
