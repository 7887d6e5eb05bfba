"""The examples of `many-points-in-python.md` run as they stand there."""

import re
from pathlib import Path

import pytest

from databox.sdk.source import Source
from databox.sdk.testing import Box
from databox.wire import views

PAGE = (Path(__file__).parents[2] / "docs/howto/many-points-in-python.md").read_text()
APP, DRIVER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_pages_app_shows_what_the_hours_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "busy.py"
    file.write_text(APP)
    box = Box(monkeypatch)
    box.source("cpu-load", [30] * 120)
    (found,) = box.run(file).views
    assert isinstance(found, views.Bars)
    assert set(found.values) == {30}
    assert len(found.labels) in (2, 3)


def test_each_operation_that_the_page_names_exists() -> None:
    named = set(re.findall(r"\bload\.(\w+)", PAGE))
    assert named >= {"points", "windows", "follow", "aio"}
    assert named <= set(dir(Source))
