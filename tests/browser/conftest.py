"""What the tests of one file share, the browser, and what those of all files do."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.invented_box import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """A place for the programs that boxes run on, so that only the first box brings them."""
    folder = Path(tempfile.mkdtemp(prefix="databox-", dir="/tmp"))
    # Copies keep this: sandboxes, each a user of its own, pass through it.
    folder.chmod(0o755)
    yield folder
    subprocess.run(("chmod", "-R", "u+w", str(folder)), check=True)
    shutil.rmtree(folder)
