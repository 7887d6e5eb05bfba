import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.cli.consents import ASK, PICKED, asking, screen
from tests.unit.cli.pretended import PretendedClient, pretend

from databox.cli import run
from databox.wire import api
from databox.wire.errors import BadRequest, Conflict, Denied, NotFound, Unavailable
from databox.wire.sla import Choices

HOME = Path("/nowhere")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "app.py"
    file.write_text("one")
    return file


def box(monkeypatch: pytest.MonkeyPatch, **answers: object) -> PretendedClient:
    plain = {
        "upload": api.UploadReply(package="d1", name="graph"),
        "package": screen(installed=False),
        "log": api.LogReply(text=""),
        "component-consent": screen(asks=(asking(PICKED),)),
    }
    return pretend(monkeypatch, run, plain | {k.replace("_", "-"): v for k, v in answers.items()})


def turns(monkeypatch: pytest.MonkeyPatch, *do: Callable[[], object]) -> None:
    """Instead of waiting: do one thing after another, then press Ctrl-C."""
    left = list(do)

    def sleep(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    monkeypatch.setattr(time, "sleep", sleep)


def names(client: PretendedClient) -> list[str]:
    return [name for name, _, _ in client.asked]


def test_a_file_is_described_installed_on_invented_data_and_removed(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = box(monkeypatch)
    turns(monkeypatch)
    assert run.run(HOME, file) == 0
    assert names(client) == ["upload", "package", "install", "uninstall"]
    assert client.messages("upload")[0].describe == "app.py"
    assert client.messages("install")[0].choices == Choices()
    assert client.messages("uninstall") == [api.UninstallRequest(keep=False)]
    assert "/apps/graph/allow" in capsys.readouterr().out


def test_of_a_driver_it_says_where_its_values_are(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box(monkeypatch, package=screen(installed=False, kind="driver"))
    turns(monkeypatch)
    run.run(HOME, file)
    said = capsys.readouterr().out
    assert "/sources" in said
    assert "/allow" not in said


def test_saving_loads_it_anew_with_the_permissions_it_has(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    client = box(monkeypatch, package=screen(installed=False))
    turns(monkeypatch, lambda: file.write_text("two, longer"))
    run.run(HOME, file)
    first, second = client.messages("install")
    assert first.choices == Choices()
    assert second.choices == Choices(sources=(PICKED,))
    assert client.messages("uninstall")[0].keep


def test_nothing_happens_while_the_file_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    client = box(monkeypatch)
    turns(monkeypatch, lambda: None, lambda: None)
    run.run(HOME, file)
    assert names(client).count("upload") == 1


def test_a_file_that_is_away_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    client = box(monkeypatch)
    turns(monkeypatch, file.unlink, lambda: file.write_text("two, longer"))
    run.run(HOME, file)
    assert names(client).count("upload") == 2


def test_a_file_that_no_longer_loads_leaves_the_running_app_alone(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uploads = iter([api.UploadReply(package="d1", name="graph"), BadRequest("line 3 is wrong")])
    client = box(monkeypatch, upload=lambda message: next(uploads))
    turns(monkeypatch, lambda: file.write_text("two, longer"))
    run.run(HOME, file)
    assert "Not loaded: line 3 is wrong" in capsys.readouterr().out
    assert names(client).count("install") == 1


def test_asking_for_less_keeps_no_permission_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    shown = iter([screen(installed=False), screen(installed=False, asks=(_coarser(),))])
    client = box(monkeypatch, package=lambda message, digest: next(shown))
    turns(monkeypatch, lambda: file.write_text("two, longer"))
    run.run(HOME, file)
    assert client.messages("install")[1].choices == Choices()


def _coarser() -> api.AskRow:
    return api.AskRow(
        clientid=ASK.clientid,
        type=ASK.type,
        why="",
        required=True,
        exact=("PT1H",),
        far_back=None,
        act=False,
        candidates=ASK.candidates,
        providers=(),
    )


def test_an_app_of_this_name_is_not_replaced(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    client = box(monkeypatch, package=screen(installed=True))
    with pytest.raises(Conflict, match="databox uninstall graph"):
        run.run(HOME, file)
    assert client.messages("install") == []


def test_a_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    box(monkeypatch)
    with pytest.raises(NotFound, match="no such file"):
        run.run(HOME, tmp_path / "app.py")


def test_a_folder_is_sent_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    box(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    with pytest.raises(NotFound, match=r"databox install \./app$"):
        run.run(HOME, Path("app"))


def nothing() -> None:
    """A turn in which nothing happens."""


def test_what_the_app_prints_is_told_once(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = iter(["Traceback:\n  line 3\nhal", "Traceback:\n  line 3\nhalf\n"])
    box(monkeypatch, log=lambda message, name: api.LogReply(text=next(ends)))
    turns(monkeypatch, *[nothing] * 2 * run.LISTEN_EVERY)
    run.run(HOME, file)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("graph | ")]
    assert said == ["graph | Traceback:", "graph |   line 3", "graph | half"]


@pytest.mark.parametrize("error", [Unavailable("the box does not answer"), Denied("no session")])
def test_it_ends_with_the_box_and_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    client = box(monkeypatch, log=error)
    turns(monkeypatch, *[nothing] * 20)
    assert run.run(HOME, file) == 1
    said = capsys.readouterr().out
    assert "The box has stopped" in said
    assert "databox uninstall graph" in said
    assert "uninstall" not in names(client)


def test_a_part_that_is_away_for_a_moment_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    client = box(monkeypatch, log=Unavailable("the manager starts"))
    monkeypatch.setattr(run, "running", lambda home: 1)
    turns(monkeypatch, *[nothing] * 20)
    assert run.run(HOME, file) == 0
    assert names(client)[-1] == "uninstall"


def test_it_ends_when_somebody_else_removed_the_app(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box(monkeypatch, log=NotFound("no such component"))
    turns(monkeypatch, *[nothing] * 20)
    assert run.run(HOME, file) == 1
    assert "was removed by somebody else" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_however_it_is_ended_the_app_is_removed(
    monkeypatch: pytest.MonkeyPatch, file: Path, number: signal.Signals
) -> None:
    client = box(monkeypatch)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # As a shell's background has it.
    try:
        turns(monkeypatch, lambda: signal.raise_signal(number), *[nothing] * 20)
        assert run.run(HOME, file) == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(client)[-1] == "uninstall"
