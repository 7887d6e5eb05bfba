"""One running development box for each module of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.dev.development import Development, development


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Development]:
    """Shared: each test makes components of its own, and names of its own in the store."""
    folder: Path = tmp_path_factory.mktemp("dev")
    with development(folder) as running:
        yield running
