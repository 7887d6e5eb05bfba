"""A home, and a process that the kernel hands orphans to, as the box is one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from databox.box import kernel

UID = 50_001


@pytest.fixture
def adoptive(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    yield
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("data", "root"):
        (tmp_path / name).mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "data", UID, UID)
    return tmp_path
