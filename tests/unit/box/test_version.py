"""There is one version number."""

import tomllib
from pathlib import Path

from databox.box.version import VERSION


def test_version_is_that_of_the_project() -> None:
    project = Path(__file__).parents[3] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION
