import os
import stat
import subprocess
from pathlib import Path

import pytest

from databox.cli import packages, runtime
from databox.cli.home import SetupError

SAID: list[str] = []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in runtime.SHIPPED:
        (root / name).mkdir(parents=True)
    (root / "src/databox/__init__.py").write_text('"""Databox."""\n')
    (root / "apps/hello.py").write_text("print('hello')\n")
    (root / "requirements/host.txt").write_text("peer==1\n")
    (root / "requirements/bootstrap.txt").write_text("uv==1\n")
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be installed, with a small package in its place."""
    asked: list[str] = []

    def install(requirements: Path, bootstrap: Path, *place: str) -> None:
        asked.append(requirements.read_text())
        target = Path(place[-1]) / "peer"
        target.mkdir(parents=True)
        (target / "__init__.py").write_text("ANSWER = 42\n")

    monkeypatch.setattr(packages, "install", install)
    return asked


def ensure(checkout: Path, home: Path) -> Path:
    """Make or find the runtime, and no longer use it."""
    made, held = runtime.ensure(checkout, home, SAID.append)
    os.close(held)
    return made


def test_a_runtime_imports_under_the_system_interpreter(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    made = ensure(checkout, home)
    said = subprocess.run(
        ("/usr/bin/python3", "-c", "import databox, peer; print(databox.__doc__, peer.ANSWER)"),
        env={"PYTHONPATH": str(made / "site-packages")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "Databox. 42\n"
    assert fetched == ["peer==1\n"]


def test_a_runtime_works_where_it_is_mounted_elsewhere(
    checkout: Path, home: Path, fetched: list[str], tmp_path: Path
) -> None:
    moved = ensure(checkout, home).rename(tmp_path / "elsewhere")
    said = subprocess.run(
        ("/usr/bin/python3", "-c", "import peer; print(peer.__file__)"),
        env={"PYTHONPATH": str(moved / "site-packages")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == str(moved / "site-packages/peer/__init__.py")


def test_the_second_time_nothing_is_fetched(checkout: Path, home: Path, fetched: list[str]) -> None:
    first = ensure(checkout, home)
    assert ensure(checkout, home) == first
    assert len(fetched) == 1


def test_changed_code_makes_another_runtime_that_shares_the_packages(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    first = ensure(checkout, home)
    (checkout / "src/databox/__init__.py").write_text('"""Changed."""\n')
    second = ensure(checkout, home)
    assert second != first
    assert len(fetched) == 1
    part = "site-packages/peer/__init__.py"
    assert (first / part).samefile(second / part)


def test_changed_requirements_are_fetched_anew(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    ensure(checkout, home)
    (checkout / "requirements/host.txt").write_text("peer==2\n")
    ensure(checkout, home)
    assert fetched == ["peer==1\n", "peer==2\n"]


def test_everything_is_read_only_and_readable_by_all_whatever_the_umask(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    before = os.umask(0o077)
    try:
        made = ensure(checkout, home)
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (made, *made.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o555}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o444}


def test_code_is_compiled_and_its_source_not_looked_at_again(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    made = ensure(checkout, home)
    [compiled] = (made / "site-packages/databox/__pycache__").glob("__init__.*.pyc")
    # Source: PEP 552: bit 0 of the flags says hash-based, bit 1 that it is checked.
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


def test_a_failed_build_leaves_nothing(checkout: Path, home: Path, fetched: list[str]) -> None:
    (checkout / "src/databox/broken.py").write_text("def broken(:\n")
    with pytest.raises(SetupError, match="does not compile"):
        ensure(checkout, home)
    assert list((home / "runtime").iterdir()) == []


def test_a_killed_build_is_cleared_away_by_the_next(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    left = home / "runtime" / ".building-x"
    (left / "site-packages").mkdir(parents=True)
    (left / "site-packages").chmod(0o555)
    made = ensure(checkout, home)
    assert list((home / "runtime").iterdir()) == [made]


def test_only_the_runtime_before_is_kept_unless_one_is_in_use(
    checkout: Path, home: Path, fetched: list[str]
) -> None:
    first, held = runtime.ensure(checkout, home, SAID.append)
    os.utime(first, (0, 0))
    made = []
    for number in range(1, 4):
        (checkout / "apps/hello.py").write_text(f"print({number})\n")
        made.append(ensure(checkout, home))
        os.utime(made[-1], (number, number))
    assert set((home / "runtime").iterdir()) == {first, *made[1:]}
    os.close(held)
    ensure(checkout, home)
    assert set((home / "runtime").iterdir()) == set(made[1:])


def test_what_does_not_run_is_not_shipped(checkout: Path, home: Path, fetched: list[str]) -> None:
    (checkout / "src/databox/__pycache__").mkdir()
    (checkout / "src/databox/__pycache__/x.pyc").write_text("")
    (checkout / "apps/.hidden").write_text("")
    made = ensure(checkout, home)
    assert not (made / "apps/.hidden").exists()
    assert not (made / "site-packages/databox/__pycache__/x.pyc").exists()
    (checkout / "apps/.hidden").write_text("changed")
    assert ensure(checkout, home) == made
