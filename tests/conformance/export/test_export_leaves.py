"""What an app sends arrives exactly, or not at all, and the ledger tells which."""

import hashlib
import json

import pytest
from tests.conformance.export.peers import Answer
from tests.conformance.export.world import (
    BUSY,
    GOOD,
    LARGE,
    LATER,
    MOVED,
    NO,
    OTHERS_NAME,
    PATH,
    PEERS,
    PRIVATE,
    SELF_SIGNED,
    App,
    World,
    never,
    url_of,
)
from tests.recovery.running import soon

HOSTS = (*PEERS, *PRIVATE)


@pytest.fixture(scope="module")
def app(whole_world: World) -> App:
    return whole_world.app("Sender", HOSTS)


def test_an_app_of_the_sdk_sends_through_its_grant(outside: World, app: App) -> None:
    soon(lambda: outside.box.get("/api/apps/sender/view"), within=20)
    screen = outside.ok("POST", "/api/apps/sender/form", {"form": "send", "values": {"text": "é"}})
    assert screen["views"][0]["text"] == "Finished 200 OK"
    assert json.loads(outside.peers[GOOD].came[-1].body) == {"text": "é"}


def test_the_exact_bytes_arrive_with_a_key_of_their_own(outside: World, app: App) -> None:
    text = '{"b": [1,  2.0], "a": "\\u00e9 é"}'
    number = app.send(GOOD, text)
    outside.until(number, "sent")
    came = outside.peers[GOOD].came[-1]
    assert (came.method, came.target, came.body) == ("POST", PATH, text.encode())
    assert came.headers["host"] == GOOD
    assert came.headers["idempotency-key"] == number
    assert came.headers["content-type"] == "application/json"
    told = {"host", "content-type", "content-length", "idempotency-key"}
    assert set(came.headers) == told, "nothing else about the box leaves"


def test_the_ledger_has_the_intent_before_and_the_outcome_after(outside: World, app: App) -> None:
    text = '{"n": 2}'
    number = app.send(GOOD, text)
    outside.until(number, "sent")
    soon(lambda: len(outside.story(number)) == 2)
    intent, outcome = outside.story(number)
    assert intent["type"] == "export-intent"
    assert intent["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (intent["client"], intent["url"]) == ("sender", url_of(GOOD))
    assert intent["size"] == len(text)
    assert (outcome["outcome"], outcome["status"]) == ("sent", 200)


def test_the_owner_reviews_the_exact_bytes(outside: World, app: App) -> None:
    text = '{"for the owner\'s eyes": true}'
    number = app.send(GOOD, text)
    shown = outside.until(number, "sent")
    assert (shown["data"], shown["size"]) == (text, len(text))
    assert shown["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (shown["client"], shown["url"], shown["tries"]) == ("sender", url_of(GOOD), 1)
    listed = next(each for each in outside.exports() if each["id"] == number)
    assert listed == {**shown, "data": ""}


@pytest.mark.parametrize(
    "address",
    [
        f"https://{GOOD}/other?box=1",
        f"https://{GOOD}/in",
        f"https://{GOOD}/in?box=2",
        f"https://{GOOD}/in?box=1&more=1",
        f"https://{GOOD}/in/?box=1",
        f"https://{GOOD}:8443{PATH}",
        f"https://{GOOD}:443{PATH}",
        f"https://{GOOD}.{PATH}",
        f"https://{GOOD.upper()}{PATH}",
        f"HTTPS://{GOOD}{PATH}",
        f"https://user@{GOOD}{PATH}",
        f"https://{GOOD}@other.test.example{PATH}",
        f"https://{GOOD}{PATH}#part",
        f" https://{GOOD}{PATH}",
        f"http://{GOOD}{PATH}",
        f"https://elsewhere.test.example{PATH}",
        f"https://127.0.0.1{PATH}",
        "file:///etc/passwd",
        "x",
    ],
)
def test_an_address_that_was_not_granted_is_refused(outside: World, app: App, address: str) -> None:
    before = [len(peer.came) for peer in outside.peers.values()], len(outside.exports())
    asked = {"id": "", "uri": address, "data": "1"}
    assert app.post("/export", asked) == (401, b"Invalid API key/token")
    assert ([len(peer.came) for peer in outside.peers.values()], len(outside.exports())) == before


def test_refusals_are_on_the_record(outside: World, app: App) -> None:
    app.post("/lp/export", {"id": "", "uri": "https://elsewhere.test.example/", "data": "1"})
    refused = "/api/history?kind=refused&component=sender"

    def told() -> bool:
        events = [row["entry"]["event"] for row in outside.box.get(refused)["rows"]]
        whys = {(each["target"], each["path"], each["why"]) for each in events}
        return ("export-service", "/lp/export", "destination") in whys

    soon(told)


def test_a_destination_that_is_down_gets_it_later(outside: World, app: App) -> None:
    number = app.send(LATER)
    waits = outside.until(number, "retrying")
    assert waits["detail"].startswith("the place outside does not answer")
    assert 0 < waits["next_try"] - waits["made"] < 10_000
    outside.peers[LATER].up()
    sent = outside.until(number, "sent", within=20)
    assert sent["tries"] > 1
    keys = [came.headers["idempotency-key"] for came in outside.peers[LATER].came]
    assert keys == [number]


def test_a_busy_destination_is_tried_again_with_the_same_key(outside: World, app: App) -> None:
    peer = outside.peers[BUSY]
    peer.answer = Answer(503)
    number = app.send(BUSY)
    waits = outside.until(number, "retrying")
    assert waits["detail"] == "answered 503"
    peer.answer = Answer(202)
    assert outside.until(number, "sent", within=20)["tries"] == 2
    assert {came.headers["idempotency-key"] for came in peer.came} == {number}


def test_a_refusal_of_the_destination_is_final(outside: World, app: App) -> None:
    outside.peers[NO].answer = Answer(403, b"no")
    number = app.send(NO)
    failed = outside.until(number, "failed")
    assert (failed["detail"], failed["tries"]) == ("answered 403", 1)
    soon(lambda: [e.get("outcome") for e in outside.story(number)] == [None, "failed"])


@pytest.mark.parametrize("host", [OTHERS_NAME, SELF_SIGNED])
def test_a_certificate_that_does_not_hold_gets_nothing(outside: World, app: App, host: str) -> None:
    number = app.send(host)
    waits = outside.until(number, "retrying")
    assert waits["detail"].startswith("its certificate does not hold: ")
    assert outside.peers[host].connections == 1, "the control: it was reached"
    assert outside.peers[host].came == []


def test_a_redirect_is_not_followed(outside: World, app: App) -> None:
    before = len(outside.peers[GOOD].came)
    outside.peers[MOVED].answer = Answer(307, headers=(("Location", url_of(GOOD)),))
    number = app.send(MOVED)
    assert outside.until(number, "failed")["detail"] == "answered 307"
    assert len(outside.peers[GOOD].came) == before


def test_a_huge_reply_is_cut_and_the_export_counts_as_sent(outside: World, app: App) -> None:
    outside.peers[LARGE].answer = Answer(200, bytes(64 * 1024 * 1024))
    number = app.send(LARGE)
    assert outside.until(number, "sent")["detail"] == "answered 200"
    memory = {part["name"]: part["memory"] for part in outside.box.get("/api/parts")["parts"]}
    assert 0 < memory["export-service"] < 60 * 1024 * 1024


@pytest.mark.parametrize("host", PRIVATE)
def test_a_name_that_leads_home_is_refused(outside: World, app: App, host: str) -> None:
    before = outside.peers[GOOD].connections
    number = app.send(host)
    waits = outside.until(number, "retrying")
    assert "this name leads to an address that is not public" in waits["detail"]
    assert PRIVATE[host][-1] in waits["detail"]
    assert outside.peers[GOOD].connections == before


def test_the_owner_cancels_what_waits(outside: World, app: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    number = app.send(BUSY)
    outside.until(number, "retrying")
    cancelled = outside.ok("POST", f"/api/exports/{number}/cancel")
    assert (cancelled["state"], cancelled["detail"]) == ("cancelled", "cancelled by Ann")
    came = len(outside.peers[BUSY].came)
    never(lambda: len(outside.peers[BUSY].came) > came, for_seconds=3)
    soon(lambda: outside.story(number)[-1].get("outcome") == "cancelled")


def test_what_is_over_is_neither_cancelled_nor_sent_again(outside: World, app: App) -> None:
    number = app.send(GOOD)
    outside.until(number, "sent")
    for what in ("cancel", "retry"):
        status, answer = outside.box.call("POST", f"/api/exports/{number}/{what}")
        assert status == 409
        assert {answer["error"]["field"], answer["error"]["found"]} == {"state", "sent"}
        assert answer["error"]["remedy"]


def test_the_owner_tries_a_failed_one_again(outside: World, app: App) -> None:
    outside.peers[NO].answer = Answer(403)
    number = app.send(NO, '{"again": 1}')
    outside.until(number, "failed")
    outside.peers[NO].answer = Answer(200)
    assert outside.ok("POST", f"/api/exports/{number}/retry")["state"] == "queued"
    outside.until(number, "sent")
    bodies = [came.body for came in outside.peers[NO].came[-2:]]
    assert bodies == [b'{"again": 1}'] * 2


def test_an_unknown_export_is_not_found(outside: World) -> None:
    status, answer = outside.box.call("GET", "/api/exports/none")
    assert (status, answer["error"]["code"]) == (404, "not-found")
