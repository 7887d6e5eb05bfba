import base64
import json
from pathlib import Path

import pytest
from tests.unit.cli.consents import screen
from tests.unit.cli.pretended import pretend

from databox.cli import install
from databox.wire import api
from databox.wire.errors import BadRequest, Conflict, NotFound, TooLarge
from databox.wire.sla import Choices

HOME = Path("/nowhere")


def test_an_offer_is_shown_agreed_to_and_installed_with_no_permission(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    box = pretend(monkeypatch, install, {"offer": screen()})
    assert install.install(HOME, "graph", agreed=True) == 0
    [request] = box.messages("install")
    assert (request.name, request.package, request.choices) == ("graph", "d1", Choices())
    said = capsys.readouterr().out
    # The ledger keeps exactly what was shown.
    assert request.text in said
    assert "/apps/graph/allow" in said


def testaskingout_a_terminal_nothing_is_installed_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    box = pretend(monkeypatch, install, {"offer": screen()})
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(Conflict, match="--yes"):
        install.install(HOME, "graph", agreed=False)
    assert box.messages("install") == []


def test_a_folder_is_uploaded_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("x = 1")
    found = api.UploadReply(package="d1", name="graph")
    box = pretend(monkeypatch, install, {"upload": found, "package": screen()})
    install.install(HOME, str(tmp_path), agreed=True)
    [upload] = box.messages("upload")
    assert upload.files == {"main.py": base64.b64encode(b"x = 1").decode()}


def test_a_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, install, {})
    with pytest.raises(NotFound, match="no such folder"):
        install.install(HOME, "./nowhere", agreed=True)


def test_a_single_file_is_sent_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, install, {})
    file = tmp_path / "app.py"
    file.touch()
    with pytest.raises(NotFound, match=r"databox run .*app\.py"):
        install.install(HOME, str(file), agreed=True)


def test_what_is_no_part_of_an_app_stays_out_of_its_package(tmp_path: Path) -> None:
    for name in (".git/config", "node_modules/x.js", "__pycache__/x.pyc", "sub/kept.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert list(install.files_of(tmp_path)) == ["sub/kept.py"]


def test_node_modules_come_along_where_the_box_does_not_fetch_them(tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    for name in ("node_modules/x.js", "node_modules/.package-lock.json", "package.json"):
        (tmp_path / name).write_text("{}")
    manifest = {"name": "mine", "run": {"command": ["node", "main.js"], "runtime": "node"}}
    (tmp_path / "databox-manifest.json").write_text(json.dumps(manifest))
    assert "node_modules/x.js" in install.files_of(tmp_path)
    assert "node_modules/.package-lock.json" not in install.files_of(tmp_path)
    del manifest["run"]
    (tmp_path / "databox-manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "server.js").write_text("")
    assert "node_modules/x.js" not in install.files_of(tmp_path)


def test_an_empty_folder_and_one_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadRequest, match="empty"):
        install.files_of(tmp_path)
    monkeypatch.setattr(install, "MAX_BYTES", 3)
    (tmp_path / "main.py").write_text("four")
    with pytest.raises(TooLarge, match="more than 3 bytes"):
        install.files_of(tmp_path)


def test_uninstalling_deletes_the_data_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = pretend(monkeypatch, install, {})
    install.uninstall(HOME, "graph", keep=False)
    install.uninstall(HOME, "graph", keep=True)
    assert [message.keep for message in box.messages("uninstall")] == [False, True]
