"""What is fetched is named by its hash, and no index address is written down."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_each_line_is_a_version_or_a_hash(lock: Path) -> None:
    line = re.compile(r"[a-z0-9.-]+==\S+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    strange = [text for text in lock.read_text().splitlines() if not line.fullmatch(text)]
    assert strange == []


def test_tests_run_with_the_versions_that_the_box_runs_with() -> None:
    host = pins(ROOT / "requirements/host.txt")
    tested = pins(ROOT / "requirements/test.txt")
    assert host
    assert {name: tested.get(name) for name in host} == host


def test_the_lock_of_the_dashboard_names_hashes_and_no_address() -> None:
    packages = json.loads((ROOT / "ui/package-lock.json").read_text())["packages"]
    fetched = {name: each for name, each in packages.items() if name and not each.get("link")}
    assert [name for name, each in fetched.items() if "resolved" in each] == []
    assert [name for name, each in fetched.items() if "integrity" not in each] == []
