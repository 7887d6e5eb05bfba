"""What a package may ask of the machine has bounds of its own."""

import json

import pytest

from databox.wire import manifest
from databox.wire.errors import BadRequest


def decoded(**run: object) -> manifest.Manifest:
    whole = {"name": "greedy", "run": {"command": ["python3", "main.py"], **run}}
    return manifest.decode(json.dumps(whole).encode())


@pytest.mark.parametrize(
    "limits",
    [
        {"memory_mb": 10_000_000},
        {"memory_mb": -1},
        {"memory_mb": 10**30},
        {"processes": 1_000_000},
        {"processes": 0},
        {"cpu": 64.0},
        {"cpu": -1.0},
        {"disk_mb": 10**9},
        {"disk_mb": -1},
    ],
)
def test_a_package_cannot_ask_for_the_whole_machine(limits: dict[str, float]) -> None:
    with pytest.raises(BadRequest):
        decoded(limits=limits)


def test_what_is_usual_is_accepted() -> None:
    found = decoded(limits={"memory_mb": 512, "processes": 128, "cpu": 1, "disk_mb": 1024})
    assert found.run is not None
    assert found.run.limits.memory_mb == 512


@pytest.mark.parametrize("port", [0, -1, 80, 443, 65536, 99_999])
def test_a_port_that_no_component_can_have_is_refused(port: int) -> None:
    with pytest.raises(BadRequest):
        decoded(port=port)


def test_an_app_cannot_be_called_as_the_ledger_calls_every_store() -> None:
    with pytest.raises(BadRequest, match="belongs to the box"):
        manifest.decode(b'{"name": "store"}')
