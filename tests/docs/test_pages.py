"""What the pages show is true of the code: links lead somewhere, examples are sound."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from databox.wire import manifest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md"))
    if "node_modules" not in page.parts
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)?(#[^)\s]*)?\)")
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

EXAMPLES = [
    pytest.param(found.group(1), id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, found in enumerate(EXAMPLE.finditer(page.read_text()))
]
APPS = [
    param for param in EXAMPLES if re.search(r"^(app|driver)\.run\(\)", str(param.values[0]), re.M)
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [path for path, _ in LINK.findall(page.read_text()) if path]
    own = [path for path in links if "://" not in path and not path.startswith("mailto:")]
    assert [path for path in own if not (page.parent / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_heading_that_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    wanted = {anchor[1:] for path, anchor in LINK.findall(text) if anchor and not path}
    assert wanted - anchors == set()


@pytest.mark.parametrize("code", EXAMPLES)
def test_each_example_compiles(code: str) -> None:
    assert compile(code, "example", "exec")


@pytest.mark.parametrize("code", APPS)
def test_each_example_app_describes_itself(code: str, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(code)
    done = subprocess.run(
        (sys.executable, str(file)),
        env={"PYTHONPATH": str(ROOT / "src"), "DATABOX_DESCRIBE": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert manifest.decode(done.stdout).name


def test_no_page_says_to_install_the_plain_name_from_the_package_index() -> None:
    # That name on the package index is somebody else's.
    told = [page for page in PAGES if re.search(r"pip install databox\b", page.read_text())]
    assert told == []
