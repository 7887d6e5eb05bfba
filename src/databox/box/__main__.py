"""`python -m databox.box --home DIR --port N`: the box by itself, for those who supervise it."""

import argparse
import sys
from pathlib import Path

from databox.box.service import main
from databox.wire.errors import DataboxError


def _announce(address: str, code: str) -> None:
    # The code stays in its file: what is printed may end up in a log.
    print(address, flush=True)  # noqa: T201 # whoever started this waits for the line


def _run() -> int:
    parser = argparse.ArgumentParser(prog="databox.box")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--release", type=Path, help="holds drivers/ and apps/")
    words = parser.parse_args()
    try:
        return main(words.home.resolve(), words.port, _announce, words.release)
    except DataboxError as error:
        print(error, file=sys.stderr)  # noqa: T201 # the reason why it does not start
        return 1


if __name__ == "__main__":
    sys.exit(_run())
