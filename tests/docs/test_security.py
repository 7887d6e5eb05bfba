"""Every promise of SECURITY.md names tests, and they exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = [
    line
    for line in PAGE.split("\n## What is not")[0].split("\n## What is stopped")[1].splitlines()
    if line.startswith("| ") and not line.startswith(("| Promise", "|---"))
]


def named_tests(row: str) -> list[tuple[str, str]]:
    """File and function of each test a row names; `::x` alone means the file before it."""
    found, file = [], ""
    for path, name in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", row):
        file = path or file
        found.append((file, name))
    return found


@pytest.mark.parametrize("row", ROWS)
def test_each_promise_names_a_test_that_exists(row: str) -> None:
    tests = named_tests(row)
    assert tests, "a promise without a test"
    for file, name in tests:
        tree = ast.parse((ROOT / file).read_text())
        names = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in names, f"{file} has no {name}"
