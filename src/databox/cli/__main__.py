"""`python3 -m databox.cli`: read the command line, carry it out, say plainly what went wrong."""

import argparse
import io
import os
import sys
from pathlib import Path

from databox.cli.arguments import parser
from databox.cli.home import SetupError, default_home
from databox.wire.errors import DataboxError

NOT_RUNNING = 3


def main() -> int:
    """Carry out one command; the number is the exit code."""
    words = parser().parse_args()
    # `up` and `run` go on for long: who reads them through a pipe sees each line when it is said.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        return _carry_out(words, default_home())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough; and Python shall not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except DataboxError as error:
        from databox.cli.client import NotRunning

        print(f"databox {words.verb}: {error}", file=sys.stderr)
        return NOT_RUNNING if isinstance(error, NotRunning) else 1


def _carry_out(words: argparse.Namespace, home: Path) -> int:  # noqa: PLR0912 # one line a verb
    """Each verb's module is loaded only for that verb: the command line starts in 50 ms."""
    match words.verb:
        case "up":
            from databox.cli.up import up

            return up(home, port=words.port, browser=not words.no_browser)
        case "down":
            from databox.cli.down import down

            return down(home)
        case "status":
            from databox.cli.status import status

            return status(home, as_json=words.json)
        case "doctor":
            from databox.cli.doctor import doctor

            return doctor(home, as_json=words.json)
        case "run":
            from databox.cli.run import run

            return run(home, Path(words.file))
        case "install":
            from databox.cli.install import install

            return install(home, words.package, agreed=words.yes)
        case "uninstall":
            from databox.cli.install import uninstall

            return uninstall(home, words.name, keep=words.keep_data)
        case "grant":
            from databox.cli.grant import grant

            return grant(home, words)
        case "revoke":
            from databox.cli.grant import revoke

            return revoke(home, words.app, words.what)
        case "ledger":
            return _ledger(words, home)
        case "bench":
            from databox.cli import bench

            if words.what == "store":
                return bench.store(home / "bench", quick=words.quick, to=words.json)
            return bench.bench(to=words.json)
        case "dev":
            from databox.cli.dev import dev

            return dev(words.arbiter, words.store, Path(words.cm_key_file))
        case "test":
            raise SetupError("The tests run from a checkout of the project: ./databox test")
    raise AssertionError(words.verb)


def _ledger(words: argparse.Namespace, home: Path) -> int:
    from databox.cli import ledger

    match words.action:
        case "save":
            return ledger.save(home, Path(words.file))
        case "checkpoint":
            return ledger.checkpoint(home)
        case "accept":
            return ledger.accept(home, words.store)
        case "reads":
            from databox.cli.reads import reads

            asked = {"app": words.app, "store": words.store, "source": words.source}
            return reads(home, **asked, days=words.days)
        case _:
            file, older = (each and Path(each) for each in (words.file, words.older))
            return ledger.verify(home, file, words.key, older)


if __name__ == "__main__":
    sys.exit(main())
