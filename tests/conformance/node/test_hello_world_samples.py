"""The samples of node-databox 0.5.6: installed from their own folders, not a byte changed."""

from pathlib import Path

import pytest
from tests.box_by_script import wait_for
from tests.conformance.node.node_box import NodeBox

SAMPLES = "node-databox/samples"


@pytest.mark.parametrize("kind", ["app", "driver"])
def test_a_sample_shows_its_page(box: NodeBox, packages: Path, kind: str) -> None:
    name = f"{kind}-hello-world"
    screen = box.upload(packages / SAMPLES / name)
    assert (screen.name, screen.kind) == (name, kind)
    box.install(screen)
    page = box.page(name)
    assert page.status == 200
    assert f"hello world! from a databox {kind}".encode() in page.body
    # It names no type; a browser shows it nevertheless.
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_driver_wrote_and_read_its_own_store(box: NodeBox) -> None:
    written_and_read = "{ foo: 'bar' }\n" * 2
    wait_for(10, lambda: box.log("driver-hello-world") == written_and_read)


def test_what_was_fetched_for_them_is_in_the_history(box: NodeBox) -> None:
    def fetched() -> list[str]:
        rows = box.client.call("history", query={"component": "box", "kind": "egress"}).rows
        return [row.sentence for row in rows]

    # The switchboard tells it every ten seconds.
    wait_for(20, fetched)
    assert all(sentence.startswith("The box itself talked to ") for sentence in fetched())
