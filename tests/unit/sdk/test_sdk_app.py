import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from databox.sdk import App, view
from databox.sdk.export import ServiceOutbox
from databox.sdk.peers import Peers
from databox.sdk.sandbox import Sandbox
from databox.sdk.surroundings import Surroundings, read
from databox.sdk.testing import Box
from databox.wire import manifest, views
from databox.wire.errors import BadRequest, Denied, NotFound

NIGHT_OWL = """from databox.sdk import App, view

app = App("Night owl", purpose="Shows how late you are up")
messages = app.ask("message", exact="hour", why="to count them by hour of day")

@app.screen
def screen():
    return view.bars(messages.count(by="hour of day"))

app.run()
"""


@pytest.fixture
def night_owl(tmp_path: Path) -> Path:
    """The app of the first page of the design."""
    path = tmp_path / "night_owl.py"
    path.write_text(NIGHT_OWL)
    return path


def shown(give: Callable[[], Any], box: Box) -> list[views.View]:
    app = App("Test")
    app.screen(give)
    app.connect(box)
    return app.show().views


def only_text(found: list[views.View]) -> str:
    (words,) = found
    assert isinstance(words, views.Words)
    return words.text


def test_one_file_is_an_app_and_describes_itself(night_owl: Path) -> None:
    text = subprocess.run(
        [sys.executable, str(night_owl)],
        env={"DATABOX_DESCRIBE": "1", "PYTHONPATH": "src"},
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    found = manifest.decode(text)
    (ask,) = found.datasources
    assert (found.name, found.title) == ("night-owl", "Night owl")
    assert (ask.type, ask.exact, ask.why) == (
        "message",
        ("PT1H",),
        "to count them by hour of day",
    )
    assert found.run is not None
    assert (found.run.command, found.run.screen) == (("python3", "night_owl.py"), "views")


def test_one_file_shows_invented_data_until_it_is_allowed(night_owl: Path, box: Box) -> None:
    screen = box.run(night_owl)
    (bars,) = screen.views
    assert screen.invented
    assert isinstance(bars, views.Bars)
    assert sum(bars.values) > 100


def test_one_file_shows_real_data_when_it_is_allowed(night_owl: Path, box: Box) -> None:
    box.source("message", ["hi", "you", "there"], every="day")
    screen = box.run(night_owl)
    (bars,) = screen.views
    assert not screen.invented
    assert isinstance(bars, views.Bars)
    # Today's hour is not over, so its message is not in a closed window yet.
    assert sum(bars.values) == 2


def test_failure_of_a_screen_is_shown_with_its_line(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    text = only_text(shown(lambda: 1 / 0, box))
    assert text.startswith("This screen failed: ZeroDivisionError: division by zero (line ")
    assert "test_sdk_app.py" in text
    assert "Traceback" in capsys.readouterr().err


def test_refusal_is_shown_in_words(box: Box) -> None:
    def give() -> None:
        raise Denied("reading was refused", remedy="Ask for it")

    assert only_text(shown(give, box)) == "Reading was refused. Ask for it"


def test_thing_that_is_no_view_is_named(box: Box) -> None:
    assert "found: dict" in only_text(shown(lambda: {"a": 1}, box))


def test_screen_over_the_bounds_of_the_shell_is_refused_here(box: Box) -> None:
    text = only_text(shown(lambda: view.bars({str(n): 1 for n in range(501)}), box))
    assert "The shell cannot draw this screen" in text


def test_texts_and_nested_lists_are_views_too(box: Box) -> None:
    found = shown(lambda: ["one", None, [view.text("two")]], box)
    assert [each.text for each in found if isinstance(each, views.Words)] == ["one", "two"]


def test_long_line_is_thinned_and_keeps_its_newest_point(box: Box) -> None:
    box.source("cpu-load", list(range(50_000)), every="second")
    app = App("Test")
    load = app.ask("cpu-load")
    app.screen(lambda: view.series(load.last(days=1)))
    app.connect(box)
    (line,) = app.show().views
    assert isinstance(line, views.Series)
    assert len(line.lines[0].t) == view.MOST_POINTS
    assert line.lines[0].v[-1] == 49_999


def test_form_answers_above_the_screen(box: Box) -> None:
    app = App("Test")
    app.form("name")(lambda values: f"Hello {values['who']}")
    app.screen(lambda: view.form("name", [view.field("who")]))
    app.connect(box)
    words, form = app.submit("name", {"who": "Ana"}).views
    assert isinstance(words, views.Words)
    assert words.text == "Hello Ana"
    assert isinstance(form, views.Form)


def test_form_posted_over_http_is_answered_with_the_screen(box: Box) -> None:
    app = App("Test")
    app.form("name")(lambda values: values["who"])
    app.connect(box)
    answer = app.answer("POST", "/databox/form", b'{"form": "name", "values": {"who": "Ana"}}')
    assert answer.status == 200
    assert only_text(msgspec.json.decode(answer.body, type=views.Screen).views) == "Ana"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"form": "x", "values": {}}', b'{"form": "name", "values": {"a": 1}}']
)
def test_form_that_does_not_fit_is_refused(body: bytes, box: Box) -> None:
    app = App("Test")
    app.form("name")(lambda values: "")
    app.connect(box)
    answer = app.answer("POST", "/databox/form", body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["code"] in ("schema", "bad-request")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/elsewhere", 404), ("POST", "/databox/view", 405)],
)
def test_other_requests_are_answered(method: str, path: str, status: int, box: Box) -> None:
    app = App("Test")
    app.connect(box)
    assert app.answer(method, path, b"").status == status


def test_two_asks_of_one_type_need_names() -> None:
    app = App("Test")
    app.ask("cpu-load")
    with pytest.raises(BadRequest, match="name="):
        app.ask("cpu-load")
    app.ask("cpu-load", name="OTHER")
    assert len(app.sources) == 2


def test_title_without_a_letter_needs_a_name() -> None:
    with pytest.raises(BadRequest, match="name="):
        App("123").manifest(["main.py"])


def test_manifest_of_a_bad_ask_is_refused_when_it_is_described() -> None:
    app = App("Test")
    app.ask("cpu-load", name="9-lives")
    with pytest.raises(BadRequest):
        app.manifest(["main.py"])


def test_granted_ask_reads_its_store_and_the_other_is_invented(fake: Any, peers: Peers) -> None:
    item = {"item-metadata": [], "href": "https://os-monitor-store:443/cpu-load"}
    fake.records["cpu-load"] = [{"data": 7, "timestamp": 5}]
    app = App("Test")
    load, memory = app.ask("cpu-load"), app.ask("memory-used")
    app.connect(Sandbox(read({"DATASOURCE_CPU_LOAD": json.dumps(item)}), peers))
    assert (load.allowed, memory.allowed) == (True, False)
    newest = load.latest()
    assert newest is not None
    assert newest.value == 7


def test_sent_thing_reaches_the_export_service_and_tells_its_end(fake: Any, peers: Peers) -> None:
    app = App("Test")
    destination = app.export("https://a.example/x", why="to test", what="a number")
    app.connect(Sandbox(Surroundings({}, "", True, False), peers))
    sending = destination.send({"n": 1})
    assert (sending.state, sending.finished) == ("Pending", False)
    assert sending.wait(5)
    assert sending.status == "200 OK"
    assert fake.exported == [("https://a.example/x", {"n": 1})]


def test_sending_is_refused_when_nothing_may_leave(peers: Peers) -> None:
    app = App("Test")
    destination = app.export("https://a.example/x", why="", what="")
    app.connect(Sandbox(Surroundings({}, "", False, False), peers))
    assert not destination.allowed
    with pytest.raises(Denied, match=r"https://a\.example/x"):
        destination.send(1)


def test_sending_is_refused_when_the_service_refuses_the_address(fake: Any, peers: Peers) -> None:
    fake.export._answer = lambda *_: (401, b"Invalid API key/token")
    destination = App("Test").export("https://a.example/x", why="", what="")
    destination._outbox = lambda: ServiceOutbox(peers)
    with pytest.raises(Denied, match="Allow this place"):
        destination.send(1)


def test_file_that_runs_no_app_is_named_in_a_test(box: Box, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(NotFound, match=r"app\.run\(\)"):
        box.run(tmp_path / "empty.py")


def test_apps_own_modules_are_not_kept_for_the_next_app(box: Box, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "words.py").write_text(f"HELLO = '{name}'\n")
        (folder / "main.py").write_text(
            "from words import HELLO\nfrom databox.sdk import App\n"
            "app = App('Test')\napp.screen(lambda: HELLO)\napp.run()\n"
        )
        assert only_text(box.run(folder / "main.py").views) == name


def test_screen_cannot_be_refreshed_more_often_than_the_shell_does() -> None:
    with pytest.raises(BadRequest, match="refresh"):
        App("Test", refresh=0.1)


RUNNING = """
import os
from databox.sdk import App, Driver
from databox.sdk import app as apps, driver as drivers

apps.arbiter_key = drivers.arbiter_key = lambda: bytes(32)
apps.PORT = 0
kind = os.environ["KIND"]
component = App("Test") if kind == "app" else Driver("Test")
component.every(seconds=0.05)(lambda: print("ran", flush=True))
if kind == "driver":
    component.source("cpu-load").write(1)
    drivers.LAST_SECONDS = 0.2
component.run()
print("ended", flush=True)
"""


@pytest.mark.parametrize(("kind", "last"), [("app", ""), ("driver", "ended\n")])
def test_component_that_is_told_to_stop_ends_in_good_order(kind: str, last: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING],
        env={"KIND": kind, "PYTHONPATH": "src", "DATABOX_STORE_ENDPOINT": "https://x-store:443"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ran\n"
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(5) == 0
    assert rest.replace("ran\n", "") == last


def costly(box: Box) -> tuple[App, list[int]]:
    """An app whose screen takes a tenth of a second, and how often it was drawn."""
    app, drawn = App("Test"), list[int]()
    app.form("again")(lambda _: None)

    @app.screen
    def screen() -> str:
        time.sleep(0.1)
        drawn.append(1)
        return str(len(drawn))

    app.connect(box)
    return app, drawn


def test_costly_screen_is_not_drawn_again_at_once(box: Box) -> None:
    app, drawn = costly(box)
    first = app.answer("GET", "/databox/view", b"")
    assert app.answer("GET", "/databox/view", b"") == first
    assert len(drawn) == 1


def test_form_shows_its_effect_at_once_on_a_costly_screen(box: Box) -> None:
    app, drawn = costly(box)
    app.answer("GET", "/databox/view", b"")
    app.answer("POST", "/databox/form", b'{"form": "again", "values": {}}')
    app.answer("GET", "/databox/view", b"")
    assert len(drawn) == 3
