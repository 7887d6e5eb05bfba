"""Writes the generated pages of `docs/reference`: `python3 docs/generate`, in the test environment.

With `--check` it writes nothing and names the pages that are not up to date.
"""

import sys
from pathlib import Path

import api
import cli
import manifest
import openapi
import sdk

REFERENCE = Path(__file__).parent.parent / "reference"
PAGES = {
    "api.md": api.render,
    "cli.md": cli.render,
    "manifest.md": manifest.render,
    "openapi.json": openapi.render,
    "sdk.md": sdk.render,
}


def main(words: list[str]) -> int:
    """Write the pages, or only look."""
    old = 0
    for name, render in PAGES.items():
        page = REFERENCE / name
        text = render()
        if page.exists() and page.read_text() == text:
            continue
        old += 1
        if "--check" in words:
            print(f"docs/reference/{name} is not up to date: run python3 docs/generate")
        else:
            page.write_text(text)
    return 1 if old and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
