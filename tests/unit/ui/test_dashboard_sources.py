"""What is committed for the dashboard belongs together: messages, types, sources and bundle."""

import hashlib
import json
import re
import runpy
from pathlib import Path

import pytest

from databox.wire import exactness

ROOT = Path(__file__).parents[3]
UI = ROOT / "ui"
WEB = ROOT / "src/databox/gateway/web"


def test_types_of_the_browser_are_the_messages_of_wire() -> None:
    module = runpy.run_path(str(UI / "scripts/wire_types.py"))
    made = module["render"](module["ROOTS"])
    assert (UI / "src/lib/types.ts").read_text() == made, "run ui/scripts/wire_types.py"


def test_bundle_was_built_from_the_sources_beside_it() -> None:
    names = re.search(r"const SOURCES = \[(.*?)\]", (UI / "scripts/bundle.mjs").read_text(), re.S)
    assert names
    sources = json.loads("[" + names[1].strip().rstrip(",").replace("'", '"') + "]")
    built_from = (WEB / "SOURCE_SHA256").read_text().strip()
    assert _hash(sources) == built_from, "run `npm run bundle` in ui/"


def _hash(sources: list[str]) -> str:
    whole = hashlib.sha256()
    for source in sources:
        path = UI / source
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        for name in sorted(file.relative_to(UI).as_posix() for file in files):
            body = (UI / name).read_bytes()
            whole.update(f"{name}\0{len(body)}\0".encode() + body)
    return whole.hexdigest()


def test_page_has_no_script_or_style_of_its_own() -> None:
    page = (WEB / "index.html").read_text()
    assert "style=" not in page
    assert "<style" not in page
    assert all(" src=" in script for script in re.findall(r"<script[^>]*>", page))


@pytest.mark.parametrize("file", sorted(WEB.glob("assets/*")), ids=lambda file: file.suffix)
def test_name_of_a_file_changes_with_its_content(file: Path) -> None:
    assert re.fullmatch(r"[a-z]+-[A-Za-z0-9_-]{8}\.(js|css)", file.name)


def test_how_exact_is_said_in_the_words_of_the_one_table() -> None:
    text = (UI / "src/words/common.ts").read_text().partition("export const exactness")[2]
    table = text.partition("\n}")[0]
    said = dict(re.findall(r"^  '?([\w ]+?)'?: \{ name: '([^']+)'", table, re.M))
    assert {name: words[0].lower() + words[1:] for name, words in said.items()} == exactness.WORDS
