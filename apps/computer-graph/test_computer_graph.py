"""The app shows what the box gives it, and sends only what it says."""

from pathlib import Path

import msgspec

from databox.sdk.testing import Box
from databox.wire import manifest, views

FOLDER = Path(__file__).parent
MAIN = FOLDER / "main.py"
ADDRESS = "https://example.databox.test/summary"


def test_shows_a_sentence_and_the_line(box: Box) -> None:
    box.source("cpu-load", [10.0, 20.0, 60.0], every="second")
    words, line, form = box.run(MAIN).views
    assert isinstance(words, views.Words)
    assert words.text == "This computer is 60 % busy, 30 % over the last five minutes."
    assert isinstance(line, views.Series)
    assert line.lines[0].v == [10.0, 20.0, 60.0]
    assert isinstance(form, views.Form)


def test_leaves_memory_out_when_only_the_load_is_allowed(box: Box) -> None:
    box.source("cpu-load", [10.0])
    assert sum(isinstance(view, views.Series) for view in box.run(MAIN).views) == 1


def test_says_that_data_are_invented_when_nothing_is_allowed(box: Box) -> None:
    screen = box.run(MAIN)
    assert screen.invented
    assert sum(isinstance(view, views.Series) for view in screen.views) == 2


def test_says_so_when_no_reading_came(box: Box) -> None:
    box.source("cpu-load", [])
    words = box.run(MAIN).views[0]
    assert isinstance(words, views.Words)
    assert words.text == "No reading has come in the last five minutes."


def test_button_sends_the_summary_of_the_hour(box: Box) -> None:
    box.time = 1_777_630_000
    box.source("cpu-load", [10.0, 20.0, 60.0])
    box.run(MAIN)
    answer = box.submit("summary").views[0]
    assert box.sent == [
        (
            ADDRESS,
            {
                "hour": "2026-05-01T10:04Z",
                "least": 10.0,
                "mean": 30.0,
                "most": 60.0,
                "readings": 3,
            },
        )
    ]
    assert isinstance(answer, views.Words)
    assert answer.text == "The summary was handed over: Finished 200 OK."


def test_offers_no_button_to_send_when_sending_was_not_allowed(box: Box) -> None:
    box.source("cpu-load", [10.0])
    box.refuse_exports()
    assert not any(isinstance(view, views.Form) for view in box.run(MAIN).views)


def test_button_says_why_when_sending_was_not_allowed(box: Box) -> None:
    box.source("cpu-load", [10.0])
    box.refuse_exports()
    box.run(MAIN)
    answer = box.submit("summary").views[0]
    assert box.sent == []
    assert isinstance(answer, views.Words)
    assert (answer.style, ADDRESS in answer.text) == ("warning", True)


def test_manifest_asks_what_the_code_asks(box: Box) -> None:
    box.run(MAIN)
    described = manifest.decode(box.app.manifest(["main.py"]).encode())
    shipped = manifest.decode((FOLDER / "databox-manifest.json").read_bytes())
    assert shipped.datasources == described.datasources
    assert shipped.export_whitelist == described.export_whitelist
    assert msgspec.structs.replace(shipped.run, limits=described.run.limits) == described.run
