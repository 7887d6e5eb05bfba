"""What every app and driver would pay for in memory and start-up time."""

import subprocess
import sys

import pytest

HEAVY = {"asyncio", "email", "http.client", "http.server", "logging", "ssl", "urllib", "pathlib"}
"""Modules of the standard library that cost a megabyte or more each."""


def loaded(lines: str) -> set[str]:
    """The modules that a program of these lines has loaded at its end."""
    text = subprocess.run(
        [sys.executable, "-S", "-c", f"{lines}\nimport sys\nprint(*sys.modules)"],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    ).stdout
    return set(text.split())


def test_app_loads_nothing_heavy() -> None:
    found = loaded("from databox.sdk import App, view\nApp('x').ask('cpu-load')")
    assert "databox.wire.views" in found
    assert found & (HEAVY | {"databox.wire.api", "databox.wire.manifest"}) == set()


def test_driver_loads_neither_views_nor_their_message_library() -> None:
    found = loaded("from databox.sdk import Driver\nDriver('x').source('cpu-load')")
    assert "databox.sdk.driver" in found
    assert found & (HEAVY | {"msgspec", "inspect", "dataclasses"}) == set()


@pytest.mark.parametrize("name", ["App", "Driver", "view"])
def test_public_name_is_there(name: str) -> None:
    assert "databox.sdk" in loaded(f"from databox.sdk import {name}")


def test_other_name_is_not_there() -> None:
    with pytest.raises(ImportError):
        from databox.sdk import Nothing  # noqa: F401
