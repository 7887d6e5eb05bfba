"""From the shell script to the command line proper: prepare the runtime, then become it.

Standard library only: runs before anything is installed.
"""

import os
import sys
import time
from pathlib import Path

from databox.cli.arguments import parser
from databox.cli.home import SetupError, clean_environment, default_home, make_home
from databox.cli.packages import PYTHON
from databox.cli.runtime import ensure


def main(checkout: Path, words: list[str]) -> int:
    """Prepare what is missing and run `databox.cli` with `words` in the runtime."""
    # Ends here with its words where they ask for help, or are no command at all.
    parser().parse_args(["--help"] if words in ([], ["help"]) else words)
    began = time.monotonic()
    try:
        home = default_home()
        make_home(home, os.getuid())
        runtime, _ = ensure(checkout, home, say)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"Setting up did not go on: {error}. Nothing half done is left.")
        return 1
    except KeyboardInterrupt:
        return 130
    took = time.monotonic() - began
    if took > 1:
        say(f"Prepared {runtime} in {took:.0f} s.")
    become(runtime, home, words)
    return 0


def become(runtime: Path, home: Path, words: list[str]) -> None:
    """Replace this process by the command line of `runtime`."""
    environment = {
        **clean_environment(os.environ),
        "DATABOX_HOME": str(home),
        "PYTHONPATH": str(runtime / "site-packages"),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
    }
    os.execve(PYTHON, [PYTHON, "-m", "databox.cli", *words], environment)  # noqa: S606 # a fixed program, no shell


def say(text: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
