"""What an app in a running box can reach: its pairs by socket and by name, and nobody else."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, gone, soon

PROBER = (Path(__file__).parent / "attacks" / "probe_peers.py").read_text()
MANIFEST = {
    "name": "prober",
    "version": "1.0.0",
    "run": {"command": ["python3", "main.py"], "screen": "views"},
    "datasources": [{"type": "cpu-load", "clientid": "CPU"}],
}


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    yield from make_home()


@pytest.fixture(scope="module")
def box(shared_home: Path) -> Iterator[RunningBox]:
    with RunningBox(shared_home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(box.readings, within=20)
        install(box)
        yield box


def install(box: RunningBox) -> None:
    files = {"main.py": PROBER, "databox-manifest.json": json.dumps(MANIFEST)}
    body = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    status, uploaded = box.call("POST", "/api/packages", {"files": body})
    assert status == 200, uploaded
    screen = box.get(f"/api/packages/{uploaded['package']}")
    source = screen["asks"][0]["candidates"][0]
    choice = {"clientid": "CPU", "store": source["store"], "source": source["id"]}
    wanted = {"name": "prober", "package": uploaded["package"], "text": "agreed"}
    status, answer = box.call("POST", "/api/install", wanted | {"choices": {"sources": [choice]}})
    assert status == 200, answer
    soon(lambda: box.states()["prober"] == "running")


def probe(box: RunningBox) -> dict[str, Any]:
    """What the app finds now."""
    screen = box.get("/api/apps/prober/view")
    found: dict[str, Any] = json.loads(screen["views"][0]["text"])
    return found


def test_peer_answers_by_socket(box: RunningBox) -> None:
    assert probe(box)["sockets"]["os-monitor-store.sock"].startswith("HTTP/1.1 200")


def test_peer_answers_by_name_over_tls(box: RunningBox) -> None:
    names = probe(box)["names"]
    assert (names["arbiter"], names["os-monitor-store"]) == ("active", "active")


@pytest.mark.parametrize("name", ["manager", "ledger", "gateway", "switchboard", "export-service"])
def test_part_that_no_grant_names_has_no_name(box: RunningBox, name: str) -> None:
    assert "gaierror" in probe(box)["names"][name]


def test_only_pairs_that_a_grant_needs_are_there(box: RunningBox) -> None:
    assert sorted(probe(box)["sockets"]) == ["arbiter.sock", "os-monitor-store.sock"]


def test_app_cannot_write_where_its_sockets_are(box: RunningBox) -> None:
    assert "Read-only" in probe(box)["plant"]


def test_app_cannot_take_the_address_of_a_peer(box: RunningBox) -> None:
    assert "refused" not in probe(box)["take"]
    assert probe(box)["take"] != "taken"


@pytest.mark.parametrize("part", ["switchboard", "os-monitor-store", "authority"])
def test_names_answer_again_after_a_part_was_killed(box: RunningBox, part: str) -> None:
    killed = box.pid_of(part)
    os.kill(killed, signal.SIGKILL)
    soon(lambda: gone(killed) and box.pid_of(part) != killed)
    soon(lambda: probe(box)["names"]["os-monitor-store"] == "active")
    soon(lambda: probe(box)["names"]["arbiter"] == "active")


def test_stopped_access_ends_socket_and_name_within_a_second(box: RunningBox) -> None:
    status, answer = box.call("POST", "/api/stop-access", {"component": "prober"})
    assert (status, answer["ended"]) == (200, 1)
    soon(lambda: "os-monitor-store.sock" not in probe(box)["sockets"], within=1.0)
    assert "refused" in probe(box)["names"]["os-monitor-store"]
    assert probe(box)["kept"] == "closed"
    assert answer["took_ms"] < 1000
