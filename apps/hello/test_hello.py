"""The tutorial's app counts closed minutes, and its manifest says what its code does."""

from datetime import datetime
from pathlib import Path

from databox.sdk.testing import Box
from databox.wire import manifest, views

FOLDER = Path(__file__).parent
HELLO = FOLDER / "hello.py"


def test_bar_of_an_hour_counts_its_readings(box: Box) -> None:
    seven = datetime(2026, 5, 1, 7).timestamp()
    box.time = seven + 3600
    box.source("cpu-load", [(int(seven * 1000) + at * 1000, 50) for at in range(120)])
    bars = box.run(HELLO).views[0]
    assert isinstance(bars, views.Bars)
    assert dict(zip(bars.labels, bars.values, strict=True))["07"] == 120
    assert len(bars.labels) == 24


def test_minute_that_is_not_over_is_not_counted(box: Box) -> None:
    box.time = 1_777_630_015
    box.source("cpu-load", [(1_777_630_010_000, 50)])
    bars = box.run(HELLO).views[0]
    assert isinstance(bars, views.Bars)
    assert sum(bars.values) == 0


def test_manifest_asks_what_the_code_asks(box: Box) -> None:
    box.run(HELLO)
    described = manifest.decode(box.app.manifest(["hello.py"]).encode())
    shipped = manifest.decode((FOLDER / "databox-manifest.json").read_bytes())
    assert shipped.datasources == described.datasources
    assert shipped.description == described.description


def test_asks_for_a_month_so_that_its_bars_are_not_empty(box: Box) -> None:
    box.run(HELLO)
    (ask,) = manifest.decode(box.app.manifest(["hello.py"]).encode()).datasources
    assert ask.far_back == 30
