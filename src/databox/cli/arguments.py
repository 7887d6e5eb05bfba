"""The verbs of the command line and their arguments; `docs/reference/cli.md` is made from it.

Standard library only: a mistake is told before anything is installed.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from databox.wire.exactness import Exactness

EXACT: dict[str, Exactness] = {
    "raw": "raw",
    "minute": "PT1M",
    "quarter": "PT15M",
    "hour": "PT1H",
    "day": "P1D",
    "100m": "100 m",
    "1km": "1 km",
    "10km": "10 km",
    "100km": "100 km",
}
"""How exact, in the words of the command line and of the manifest, finest first."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. `takes` adds its arguments; `example` is a line that works as it stands."""

    name: str
    summary: str
    example: str
    takes: Callable[[argparse.ArgumentParser], None]


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="databox",
        description="Your data stays in a box you own. Apps come to it when you say so.",
        epilog="Exit: 0 done, 1 refused or failed, 2 wrong command line, 3 the box does not run.",
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        verb.takes(verbs.add_parser(verb.name, help=verb.summary, description=verb.summary + "."))
    return top


def _up(take: argparse.ArgumentParser) -> None:
    take.add_argument(
        "--port", type=_port, help="listen here instead of config.toml's port or 8989"
    )
    take.add_argument("--no-browser", action="store_true", help="do not open a browser")
    take.add_argument(
        "--yes", action="store_true", help="install missing system packages without asking"
    )


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def _json(take: argparse.ArgumentParser) -> None:
    take.add_argument("--json", action="store_true", help="for programs: JSON")


def _run(take: argparse.ArgumentParser) -> None:
    take.add_argument("file", help="the Python file of the app")


def _install(take: argparse.ArgumentParser) -> None:
    take.add_argument("package", help="a name from the app store page, or a folder")
    take.add_argument("--yes", action="store_true", help="agree to what is shown without asking")


def _uninstall(take: argparse.ArgumentParser) -> None:
    take.add_argument("name", help="what to remove")
    take.add_argument("--keep-data", action="store_true", help="keep what it stored")


def _grant(take: argparse.ArgumentParser) -> None:
    take.add_argument("app", help="the installed app")
    take.add_argument("source", nargs="?", help="CLIENTID=STORE/SOURCE: the source for one ask")
    take.add_argument("--export", metavar="URL", help="let it send to this address")
    take.add_argument("--exact", choices=tuple(EXACT), help="how exact; the app's finest if unsaid")
    take.add_argument(
        "--fields",
        metavar="NAMES",
        help="only these members of its documents, such as lat,lon; all if unsaid",
    )
    take.add_argument(
        "--back",
        metavar="SPAN",
        help="how far back it may look, such as 30d, or all (default: what it asks for, if that is "
        "a month or less, else only from now on)",
    )
    take.add_argument(
        "--until",
        metavar="SPAN",
        default="30d",
        help="for how long, or never to end; 30d if unsaid",
    )


def _revoke(take: argparse.ArgumentParser) -> None:
    take.add_argument("app", help="the installed app")
    take.add_argument("what", nargs="?", help="CLIENTID, STORE/SOURCE or URL; all of it if unsaid")


def _ledger(take: argparse.ArgumentParser) -> None:
    does = take.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = does.add_parser("verify", help="check that nobody changed or removed an entry")
    verify.add_argument(
        "file", nargs="?", help="a saved ledger, checked without the box; the box's own if unsaid"
    )
    verify.add_argument("--key", help="the public key of the recovery sheet, base64")
    verify.add_argument(
        "--older",
        metavar="FILE",
        help="a ledger or checkpoint saved before, with which this one must begin",
    )
    does.add_parser("checkpoint", help="print a signed checkpoint, to be kept somewhere else")
    reads = does.add_parser("reads", help="tell who read what, how exact and how much")
    reads.add_argument("--app", default="", help="an installed app, by name")
    reads.add_argument("--store", default="", help="a store, such as os-monitor-store")
    reads.add_argument("--source", default="", help="a source in it, by id")
    reads.add_argument("--days", type=int, help="how many days back; all time if unsaid")
    accept = does.add_parser("accept", help="let a store go on that was put back or changed")
    accept.add_argument("store", help="its driver or store, or `ledger` for the ledger itself")
    save = does.add_parser("save", help="write the whole ledger to a file")
    save.add_argument("file", help="the new file")


def _dev(take: argparse.ArgumentParser) -> None:
    take.add_argument("--arbiter", required=True, metavar="HOST:PORT", help="where it listens")
    take.add_argument(
        "--store",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT",
        help="a throw-away store; may be repeated",
    )
    take.add_argument(
        "--cm-key-file", required=True, metavar="FILE", help="the manager's key, base64, mode 0600"
    )


def _bench(take: argparse.ArgumentParser) -> None:
    take.add_argument(
        "what",
        nargs="?",
        choices=["store"],
        help="store: the store beside databases and servers, in about a quarter of an hour",
    )
    take.add_argument("--quick", action="store_true", help="the store in about two minutes")
    take.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="for programs: JSON, a line a figure; or everything in a file",
    )


def _test(take: argparse.ArgumentParser) -> None:
    take.add_argument("--long", action="store_true", help="everything, also what takes minutes")


def _nothing(take: argparse.ArgumentParser) -> None:
    del take


VERBS = (
    Verb(
        "up",
        "Set up what is missing and start the box; Ctrl-C ends it",
        "databox up --port 8989 --no-browser --yes",
        _up,
    ),
    Verb("down", "Stop the running box", "databox down", _nothing),
    Verb("status", "Say in which state the box is and what runs", "databox status --json", _json),
    Verb("doctor", "Look for what is wrong and say what to do", "databox doctor", _json),
    Verb(
        "run",
        "Run an app from one file, and again whenever it is saved; Ctrl-C removes it",
        "databox run night_owl.py",
        _run,
    ),
    Verb(
        "install",
        "Install an app or driver, without any permission to see something",
        "databox install computer-graph",
        _install,
    ),
    Verb("uninstall", "Remove an app or driver", "databox uninstall computer-graph", _uninstall),
    Verb(
        "grant",
        "Let an installed app see one source, or send to one address",
        "databox grant computer-graph LOAD=os-monitor-store/cpu-load --exact minute --until 30d",
        _grant,
    ),
    Verb("revoke", "Stop access, at once", "databox revoke computer-graph LOAD", _revoke),
    Verb("ledger", "Check or save the ledger", "databox ledger verify ledger.jsonl", _ledger),
    Verb(
        "bench",
        "Measure this box on this machine",
        "databox bench store --quick --json figures.json",
        _bench,
    ),
    Verb(
        "dev",
        "Run an arbiter and stores alone on loopback, for authors and conformance tests",
        "databox dev --arbiter localhost:8080 --store demo=localhost:8081 --cm-key-file cm.key",
        _dev,
    ),
    Verb("test", "Check a checkout of this project; runs the tests", "databox test --long", _test),
)
