"""One box with peers outside for all tests of a file; each test leaves its queues empty."""

from collections.abc import Iterator

import pytest
from tests.conformance.export.world import World, world
from tests.recovery.conftest import make_home


@pytest.fixture(scope="module")
def whole_world() -> Iterator[World]:
    for home in make_home():
        with world(home) as made:
            yield made


@pytest.fixture
def outside(whole_world: World) -> Iterator[World]:
    yield whole_world
    whole_world.clear()
