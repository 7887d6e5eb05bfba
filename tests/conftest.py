"""Settings that all tests share."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

# Quick runs look at the same examples each time, so a red run can be repeated.
settings.register_profile(
    "quick",
    derandomize=True,
    deadline=None,
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """As an ordinary user, leave out what needs root and say so."""
    if os.getuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs to be root"))


_TOLD = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say what a test has measured or counted, in a line at the end of the run."""
    return pytestconfig.stash.setdefault(_TOLD, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the lines that tests have left."""
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)
