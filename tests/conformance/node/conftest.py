"""One box for all tests of this folder: an owner has one, and so has this machine."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.box_by_script import box_by_script, wait_for
from tests.conformance.node.node_box import RUNNING_SECONDS, NodeBox

from databox.wire.sla import Choices

HERE = Path(__file__).parent
PACKAGES = HERE / "probe" / "node_modules"
CHOICES = {
    "sources": [{"clientid": "LAMP", "store": "lamp-store", "source": "lamp", "act": True}],
    "exports": [{"url": "https://receiver.invalid/hook", "allowed": True}],
}


@pytest.fixture(scope="package")
def packages() -> Path:
    """node-databox 0.5.6 and what it needs, as npm fetched it by the lock of `probe`."""
    if not PACKAGES.is_dir():
        pytest.skip(f"needs `npm ci` in {PACKAGES.parent}")
    return PACKAGES


@pytest.fixture(scope="package")
def box() -> Iterator[NodeBox]:
    """One box for all of them."""
    with box_by_script() as running:
        running.up()
        running.set_up()
        wait_for(10, (running.home / "run" / "operator.json").exists)
        yield NodeBox(running)


@pytest.fixture(scope="package")
def lamp(box: NodeBox, packages: Path) -> NodeBox:
    """The box with the lamp's driver in it, its packages brought along."""
    box.install(box.upload(HERE / "lamp", node_modules=packages))
    wait_for(RUNNING_SECONDS, lambda: _sources(box) >= {"lamp", "state"})
    return box


def _sources(box: NodeBox) -> set[str]:
    return {row.id for row in box.client.call("sources").sources}


@pytest.fixture(scope="package")
def results(lamp: NodeBox) -> dict[str, Any]:
    """What the probe shows once it has tried everything, by the name of each attempt."""
    lamp.install(lamp.upload(HERE / "probe"), msgspec.convert(CHOICES, Choices))
    deadline = time.monotonic() + RUNNING_SECONDS
    while True:
        shown = lamp.page("probe").body.decode()
        told = json.loads(shown.partition('id="results">')[2].partition("</pre>")[0])
        if told["finished"]:
            found: dict[str, Any] = told["results"]
            return found
        assert time.monotonic() < deadline, (told, lamp.log("probe"))
        time.sleep(0.2)
