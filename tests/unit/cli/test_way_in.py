from pathlib import Path

import pytest

from databox.cli import way_in
from databox.cli.settings import address_of
from databox.cli.way_in import WayIn

ADDRESS = "http://databox.localhost:1234"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    places: list[str] = []

    def opener(place: str) -> bool:
        places.append(place)
        return True

    monkeypatch.setattr(way_in, "open_browser", opener)
    return places


def test_the_code_reaches_the_browser_by_a_private_file_alone(
    home: Path,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    WayIn(home, browser=True).announce(ADDRESS, "s3cret")
    assert opened == [(home / "run" / "open.html").as_uri()]
    assert "s3cret" not in capsys.readouterr().out


def test_a_box_with_an_owner_is_opened_at_its_address(
    home: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    WayIn(home, browser=True).announce(ADDRESS, "")
    assert opened == [ADDRESS]


@pytest.mark.parametrize("browser", [True, False])
def test_without_a_display_a_line_for_ssh_is_printed(
    home: Path,
    opened: list[str],
    browser: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    WayIn(home, browser=browser).announce(ADDRESS, "s3cret")
    said = capsys.readouterr().out
    assert "ssh -L 1234:127.0.0.1:1234 " in said
    assert opened == []
    # The output is no terminal here, so it may be a log.
    assert "s3cret" not in said


def test_at_a_terminal_the_code_can_be_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    WayIn(home, browser=False).announce(ADDRESS, "s3cret")
    assert "good for ten minutes: s3cret" in capsys.readouterr().out


def test_each_of_the_two_ways_is_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    WayIn(home, browser=False).announce(ADDRESS, "s3cret")
    _, here, *there = capsys.readouterr().out.splitlines()
    assert here.startswith("- On this computer, open")
    assert here.endswith(f": {home}/run/open.html")
    assert there[0].startswith("- From another computer")
    assert f": {home}/run/code" in there[-2]
    assert there[-1] == ADDRESS


def test_a_box_with_an_owner_asks_for_no_code(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    WayIn(home, browser=False).announce(ADDRESS, "")
    said = capsys.readouterr().out
    assert f"- On this computer, open {ADDRESS}\n" in said
    assert "code" not in said


def test_the_last_line_is_the_address(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    WayIn(home, browser=False).announce(ADDRESS, "")
    assert capsys.readouterr().out.splitlines()[-1] == ADDRESS


def test_the_address_is_known_to_other_commands_until_the_end(home: Path) -> None:
    shown = WayIn(home, browser=False)
    shown.announce(ADDRESS, "")
    assert address_of(home) == ADDRESS
    shown.close()
    assert address_of(home) == "http://databox.localhost:8989"
