"""The reference is made from the code; what has no words fails here."""

import subprocess
import sys
from pathlib import Path

import pytest

from databox.cli.arguments import VERBS, Verb, parser
from databox.wire.endpoints import ENDPOINTS, Endpoint

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        (sys.executable, "-B", str(ROOT / "docs" / "generate"), "--check"),
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_each_endpoint_has_its_line(endpoint: Endpoint) -> None:
    line = f"| `{endpoint.name}` | `{endpoint.method} {endpoint.path}` |"
    assert line in (REFERENCE / "api.md").read_text()
    assert endpoint.summary


def test_names_of_endpoints_stand_once() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("verb", VERBS, ids=lambda each: each.name)
def test_each_verb_has_its_section_and_its_example_is_a_sound_line(verb: Verb) -> None:
    assert f"\n## {verb.name}\n" in (REFERENCE / "cli.md").read_text()
    words = verb.example.split()
    assert words[0] == "databox"
    assert parser().parse_args(words[1:]).verb == verb.name


@pytest.mark.parametrize("call", ["app.export", "@app.form", "view.series", "driver.source"])
def test_what_authors_call_has_its_section(call: str) -> None:
    assert f"\n### `{call}(" in (REFERENCE / "sdk.md").read_text()


def test_each_section_of_what_authors_call_has_words() -> None:
    lines = (REFERENCE / "sdk.md").read_text().splitlines()
    empty = [line for line, below in zip(lines, lines[2:], strict=False)
             if line.startswith("#") and below.startswith("#")]  # fmt: skip
    assert empty == []
