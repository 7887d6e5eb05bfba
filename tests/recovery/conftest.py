"""Homes that instances' own uids can reach, which pytest's folders are not."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    yield from make_home()


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    yield from make_home()


def make_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="databox-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for where, _, _ in os.walk(folder):
            Path(where).chmod(0o700)
        shutil.rmtree(folder)
