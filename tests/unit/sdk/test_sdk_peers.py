import threading
import time
from typing import Any

import pytest

from databox.sdk.peers import Peers, Route
from databox.wire.errors import BadRequest, Denied, TooLarge, Unavailable

STORE = "os-monitor-store"
LATEST = Route(STORE, "GET", "/cpu-load/ts/latest")
WRITE = Route(STORE, "POST", "/cpu-load/ts")
RECORD = b'{"data": 1, "timestamp": 5}'


def test_token_is_fetched_once_for_many_calls(fake: Any, peers: Peers) -> None:
    for _ in range(3):
        peers.call(LATEST, patience=1)
    assert fake.minted == 1


def test_token_is_renewed_when_the_store_refuses_it(fake: Any, peers: Peers) -> None:
    peers.call(LATEST, patience=1)
    fake.end_tokens()
    assert peers.call(LATEST, patience=1) == b"[]"
    assert fake.minted == 2


def test_call_is_denied_when_the_arbiter_mints_no_token(fake: Any, peers: Peers) -> None:
    fake.denied = True
    with pytest.raises(Denied, match="Insufficient route permissions"):
        peers.call(LATEST, patience=1)


def test_call_is_denied_after_access_was_stopped(fake: Any, peers: Peers) -> None:
    peers.call(LATEST, patience=1)
    fake.end_tokens()
    fake.denied = True
    with pytest.raises(Denied):
        peers.call(LATEST, patience=1)


def test_call_goes_through_when_a_restarted_store_comes_back(fake: Any, peers: Peers) -> None:
    peers.call(LATEST, patience=1)
    fake.store.stop()
    threading.Timer(0.3, fake.store.start).start()
    assert peers.call(LATEST, patience=5) == b"[]"


def test_call_goes_through_when_a_restarted_arbiter_comes_back(fake: Any, peers: Peers) -> None:
    fake.arbiter.stop()
    threading.Timer(0.3, fake.arbiter.start).start()
    assert peers.call(LATEST, patience=5) == b"[]"


def test_call_is_denied_at_once_when_the_permission_ended(fake: Any, peers: Peers) -> None:
    peers.call(LATEST, patience=1)
    fake.store.forbid()
    began = time.monotonic()
    with pytest.raises(Denied, match="does not let this app reach"):
        peers.call(LATEST, patience=5)
    assert time.monotonic() - began < 1


def test_call_gives_up_when_its_patience_ends(fake: Any, peers: Peers) -> None:
    fake.store.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable, match=f"{STORE} does not answer"):
        peers.call(LATEST, patience=0.3)
    assert time.monotonic() - began < 1


def test_write_is_repeated_when_its_answer_is_lost(fake: Any, peers: Peers) -> None:
    peers.call(LATEST, patience=1)
    fake.store.cut_answers = 1
    peers.call(WRITE, RECORD, patience=5)
    assert len(fake.records["cpu-load"]) == 2


def test_what_must_happen_once_is_not_repeated_when_its_answer_is_lost(
    fake: Any, peers: Peers
) -> None:
    fake.store.cut_answers = 1
    with pytest.raises(Unavailable) as caught:
        peers.call(WRITE, RECORD, patience=5, once=True)
    assert caught.value.code == "unknown"
    assert len(fake.records["cpu-load"]) == 1


def test_answer_over_the_bound_is_refused_unread(
    fake: Any, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.records["cpu-load"] = [{"data": "x" * 5000, "timestamp": 1}]
    monkeypatch.setattr("databox.sdk.peers.MAX_REPLY", 1000)
    with pytest.raises(TooLarge):
        peers.call(LATEST, patience=1)


def test_connection_is_kept_between_calls(fake: Any, peers: Peers) -> None:
    for _ in range(5):
        peers.call(LATEST, patience=1)
    assert len(fake.store._open) == 1


def test_refusal_names_service_and_path(fake: Any, peers: Peers) -> None:
    fake.store._answer = lambda *_: (400, b"[Error]:: bad query")
    with pytest.raises(BadRequest, match=r"os-monitor-store refused GET /cpu-load/ts/latest"):
        peers.call(LATEST, patience=1)


def test_token_is_renewed_before_its_time_is_over(fake: Any) -> None:
    clock = [0.0]
    peers = Peers(str(fake.folder), bytes(32), now=lambda: clock[0])
    peers.call(LATEST, patience=1)
    clock[0] = 3100.0
    peers.call(LATEST, patience=1)
    peers.close()
    assert fake.minted == 2


@pytest.mark.parametrize(("status", "tries"), [(503, 3), (500, 1)])
def test_what_must_happen_once_is_repeated_only_if_it_was_not_begun(
    fake: Any, peers: Peers, status: int, tries: int
) -> None:
    asked: list[int] = []

    def answer(*_: Any) -> tuple[int, bytes]:
        asked.append(1)
        return (200 if len(asked) == 3 else status), b""

    fake.store._answer = answer
    try:
        peers.call(WRITE, RECORD, patience=5, once=True)
    except Unavailable as error:
        assert error.found == "500"
    assert len(asked) == tries
