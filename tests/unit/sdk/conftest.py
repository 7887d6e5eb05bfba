"""What tests of the SDK share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.sdk.fake_box import FakeBox

from databox.sdk.peers import Peers
from databox.sdk.testing import box

__all__ = ["box"]

KEY = bytes(32)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeBox]:
    """A pretended box on real sockets."""
    made = FakeBox(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def peers(fake: FakeBox) -> Iterator[Peers]:
    """The SDK's way to that box."""
    made = Peers(str(fake.folder), KEY)
    yield made
    made.close()
