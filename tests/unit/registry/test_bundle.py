import json
from pathlib import Path

import pytest

from databox.registry.bundle import RELEASED, Bundle
from databox.wire.errors import NotFound

ROOT = Path(__file__).parents[3]


def put(folder: Path, name: str, **fields: object) -> None:
    folder.mkdir(parents=True)
    manifest = {"name": name, "run": {"command": ["python3", "main.py"]}, **fields}
    (folder / "databox-manifest.json").write_text(json.dumps(manifest))


def test_every_package_of_the_release_is_offered() -> None:
    bundle = Bundle([ROOT / "drivers", ROOT / "apps"])
    assert bundle.problems == []
    kinds = {each.manifest.name: each.manifest.databox_type for each in bundle.packages()}
    assert kinds.items() >= {
        ("os-monitor", "driver"),
        ("computer-graph", "app"),
        ("hello", "app"),
    }
    assert {each.signer for each in bundle.packages()} == {RELEASED}


def test_every_package_of_the_release_has_its_picture() -> None:
    bundle = Bundle([ROOT / "drivers", ROOT / "apps"])
    assert [each.manifest.name for each in bundle.packages() if not each.icon] == []


def test_package_is_named_by_its_content(tmp_path: Path) -> None:
    put(tmp_path / "one", "one")
    before = Bundle([tmp_path]).package("one").digest
    assert Bundle([tmp_path]).package("one").digest == before
    (tmp_path / "one" / "main.py").write_text("changed")
    assert Bundle([tmp_path]).package("one").digest != before


def test_unsound_folder_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path / "good", "good")
    put(tmp_path / "bad", "bad", surprise=1)
    bundle = Bundle([tmp_path])
    assert [each.manifest.name for each in bundle.packages()] == ["good"]
    (problem,) = bundle.problems
    assert problem.folder.name == "bad"
    assert "surprise" in str(problem.error)


def test_folder_without_a_manifest_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Bundle([tmp_path]).packages() == ()


def test_name_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ghost"):
        Bundle([tmp_path]).package("ghost")


def test_upload_is_read_like_a_folder(tmp_path: Path) -> None:
    files = {
        "databox-manifest.json": b'{"name": "x", "manifest-version": 1, "databox-type": "app"}',
        "Dockerfile": b"FROM node\nRUN npm install\nCMD node a.js\n",
    }
    bundle = Bundle([tmp_path])
    run = bundle.from_files(files).run
    assert run is not None
    assert run.command == ("node", "a.js")
    assert bundle.install_command(files) == ("npm", "install")
