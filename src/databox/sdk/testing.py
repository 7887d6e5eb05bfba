"""For authors' tests: a pretended box that runs an app on readings the test gives.

`conftest.py` has `from databox.sdk.testing import box`; a test says what is there and looks:

    def test_late_messages_are_counted(box):
        box.source("message", [(datetime(2026, 5, 1, 23, 30), "still up?")])
        screen = box.run("night_owl.py")
        assert screen.views[0].values[23] == 1

The app runs in the test's own process, with nothing between them: it is for trying what an app
does, not what it may do.
"""

import json
import runpy
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from databox.sdk.app import App
from databox.sdk.export import Outbox
from databox.sdk.invented import InventedReader
from databox.sdk.readings import EXACTNESS, WINDOWS, Reading, windows
from databox.sdk.source import Ask, Reader
from databox.wire import views
from databox.wire.errors import BadRequest, NotFound
from databox.wire.exactness import WINDOWS_MS


class Box:
    """Sources by type, the app under test, and what it sent.

    `time`: Unix time in seconds that the app sees; it stands still.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._sources: dict[str, list[Reading]] = {}
        self._app: App | None = None
        self._exports = True
        self.time = time.time()
        self.sent: list[tuple[str, Any]] = []
        """Each thing the app sent: the address, and what."""

    def source(self, type: str, values: Iterable[Any], *, every: str = "minute") -> None:
        """Give the box a source, which the owner allowed as exactly as the app asks for it.

        `values`: the values, one `every` `second`, `minute`, `hour` or `day` up to now; or pairs
        of a time (a `datetime` or Unix ms) and a value.
        """
        given = list(values)
        step = {"second": 1000, **WINDOWS}[every]
        end = int(self.time * 1000)
        self._sources[type] = sorted(
            (_reading(value, end - step * (len(given) - 1 - at)) for at, value in enumerate(given)),
            key=lambda reading: reading.t,
        )

    def refuse_exports(self) -> None:
        """The owner allowed no destination."""
        self._exports = False

    def run(self, file: str | Path) -> views.Screen:
        """Run an app's file up to its `app.run()`; what it shows.

        Raises:
            NotFound: the file never called `run` of an app.
        """
        apps: list[App] = []

        def found(app: App) -> None:
            apps.append(app)

        self._patch.setattr(App, "run", found)
        self._patch.syspath_prepend(str(Path(file).resolve().parent))
        before = set(sys.modules)
        runpy.run_path(str(file), run_name="__main__")
        # The app's own modules go, or the next app's modules of the same names would be these.
        for name in set(sys.modules) - before:
            if _beside(sys.modules[name], Path(file)):
                del sys.modules[name]
        if not apps:
            raise NotFound("this file runs no app", found=str(file), remedy="End it with app.run()")
        self._app = apps[0]
        self._app.connect(self)
        return self._app.show()

    def show(self) -> views.Screen:
        """What the app shows now."""
        return self.app.show()

    def submit(self, form: str, **values: str) -> views.Screen:
        """Send a form of the app's screen; what it shows then."""
        return self.app.submit(form, values)

    @property
    def app(self) -> App:
        """The app under test.

        Raises:
            BadRequest: none was run yet.
        """
        if self._app is None:
            raise BadRequest("no app runs", remedy="Call box.run(file) first")
        return self._app

    # What follows is the outside as the app meets it.

    def reader(self, ask: Ask) -> Reader:
        """The source of the asked type, or invented data."""
        found = self._sources.get(ask.type)
        if found is None:
            return InventedReader(ask.type, EXACTNESS[ask.exact], self.now)
        return _Given(found, EXACTNESS[ask.exact], self.now)

    def outbox(self) -> Outbox | None:
        """Where sent things are kept."""
        return self if self._exports else None

    def post(self, ask: dict[str, str], wait: int) -> dict[str, Any]:
        """Keep what was sent and say that it arrived."""
        del wait
        if not ask["id"]:
            self.sent.append((ask["uri"], json.loads(ask["data"])))
        return {
            "id": ask["id"] or f"sent-{len(self.sent)}",
            "state": "Finished",
            "ext_response": {"status": "200 OK", "body": ""},
        }

    def now(self) -> float:
        """The box's time."""
        return self.time


@pytest.fixture
def box() -> Iterator[Box]:
    """A box that has what the test puts into it, and no other thing."""
    with pytest.MonkeyPatch.context() as patch:
        yield Box(patch)


class _Given:
    """Reads given readings under the same rules as a store: only closed windows are shown."""

    allowed = True
    unit = ""

    def __init__(self, given: list[Reading], exact: str, now: Any) -> None:
        self.exact = exact
        length = WINDOWS_MS.get(exact)
        if length is None:
            self._readings = given
        else:
            end = int(now() * 1000)
            self._readings = [w for w in windows(given, length) if w.t + length <= end]

    def objects(self) -> None:
        """There are none."""

    def latest(self) -> Reading | None:
        return self._readings[-1] if self._readings else None

    def between(self, start: int, end: int) -> Iterator[Reading]:
        return (reading for reading in self._readings if start <= reading.t <= end)


def _reading(value: Any, t: int) -> Reading:
    if isinstance(value, tuple) and len(value) == 2:
        at, value = value
        t = int(at.timestamp() * 1000) if isinstance(at, datetime) else int(at)
    return Reading(t, value)


def _beside(module: object, file: Path) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).resolve().is_relative_to(file.resolve().parent)
