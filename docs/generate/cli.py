"""`cli.md`: every verb of the command line."""

import argparse
import os
from collections.abc import Iterator

from databox.cli.arguments import VERBS, parser

HEAD = """# The command line

`./databox VERB …` in a checkout, made from `src/databox/cli/arguments.py` by `docs/generate`. All
verbs but `up`, `test`, `doctor`, `dev`, `bench` and `ledger verify FILE` speak to the running box
through its public interface, as the dashboard does. The home folder is `/var/lib/databox` for
root, else `$XDG_DATA_HOME/databox`; the variable `DATABOX_HOME` names another.

| Exit code | Means |
|---|---|
| 0 | done |
| 1 | refused or failed; the text says what was asked, what was found and what to do |
| 2 | wrong command line |
| 3 | the box does not run, or still waits for its owner |
"""


def render() -> str:
    """The whole page."""
    # Help is wrapped to the width of the terminal: here always the same.
    os.environ["COLUMNS"] = "96"
    top = parser()
    chosen = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    lines = [HEAD]
    for verb in VERBS:
        take: argparse.ArgumentParser = chosen.choices[verb.name]
        lines += [f"## {verb.name}", "", f"{verb.summary}.", "", f"    {verb.example}", ""]
        lines += [*_arguments(take, verb.name), ""]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _arguments(take: argparse.ArgumentParser, name: str) -> Iterator[str]:
    rows = [action for action in take._actions if action.dest != "help"]
    if not rows:
        return
    inner = next((a for a in rows if isinstance(a, argparse._SubParsersAction)), None)
    if inner is not None:
        for action, parsed in inner.choices.items():
            about = next(c.help for c in inner._choices_actions if c.dest == action)
            yield f"**`{name} {action}`**: {about}."
            yield ""
            yield from _arguments(parsed, f"{name} {action}")
            yield ""
        return
    yield "| Argument | Means |"
    yield "|---|---|"
    for row in rows:
        yield f"| `{_call(row)}` | {row.help} |"


def _call(row: argparse.Action) -> str:
    if not row.option_strings:
        name = str(row.metavar or row.dest).upper()
        return f"[{name}]" if row.nargs == "?" else name
    option = row.option_strings[-1]
    if row.nargs == 0:
        return option
    choices = ",".join(row.choices) if row.choices else None
    return f"{option} {row.metavar or choices or row.dest.upper()}"
