"""Borders that import-linter cannot see, each with the reason in the failure."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = sorted((ROOT / "src").rglob("*.py"))
STRANGERS = sorted(
    file
    for file in (*ROOT.glob("drivers/*/*.py"), *ROOT.glob("apps/*/*.py"))
    if not file.name.startswith("test_")
)


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name == "databox" or name.startswith("databox.")}


@pytest.mark.parametrize("file", STRANGERS, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_app_that_comes_with_the_box_uses_what_a_stranger_could(file: Path) -> None:
    inner = {name for name in imported(file) if not name.startswith("databox.sdk")}
    assert inner <= {"databox"}, "apps and drivers import databox.sdk alone, as a stranger's would"


def test_nobody_receives_the_whole_package() -> None:
    assert imported(ROOT / "src/databox/__init__.py") == set(), (
        "databox/__init__.py re-exports nothing: every store and app pays for it at its start"
    )


def test_no_name_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "common", "misc", "core"}
    assert [file for file in OURS if {*file.parts, file.stem} & empty] == []


def test_no_function_stands_twice() -> None:
    where = defaultdict(list)
    for file in OURS:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = [ast.dump(each) for each in node.body[_skipped(node) :]]
                if sum(map(len, body)) > 1200:
                    where[tuple(body)].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert [places for places in where.values() if len(places) > 1] == []


def _skipped(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """1 if the body begins with a docstring."""
    return 1 if ast.get_docstring(node) else 0
