"""`databox ledger reads`: who read what, how exact and how much."""

import time
from datetime import datetime
from pathlib import Path

from databox.cli.client import Client, operator
from databox.cli.status import table
from databox.wire.api import Reads, ReadsRow

_DAY = 86_400_000
_HEAD = (
    *("who", "did", "store", "source", "how exact"),
    *("looks", "values", "bytes", "first", "last"),
)
_DID = {"subscribe": "follow"}


def reads(home: Path, *, app: str, store: str, source: str, days: int | None) -> int:
    """Print a sentence for each kind of reads, and a table below."""
    query = {"component": app, "store": store, "source": source}
    if days is not None:
        query["since"] = str(int(time.time() * 1000) - days * _DAY)
    found: Reads = Client(operator(home)).call("reads", query=query)
    print(as_text(found))
    return 0


def as_text(found: Reads) -> str:
    """The answer for people."""
    if not found.rows:
        return "Nobody read anything in this time."
    lines = [f"{row.sentence}." for row in found.rows]
    lines += ["", *table([_HEAD, *map(_row, found.rows)])]
    if found.more:
        lines.append("There is more: ask for less, by --app, --store, --source or --days.")
    return "\n".join(lines)


def _row(row: ReadsRow) -> tuple[str, ...]:
    access = row.access
    who = access.user or access.client
    sums = (str(access.count), str(access.items), str(access.size))
    did = _DID.get(access.operation, access.operation)
    what = (access.store, access.source, access.exact)
    return who, did, *what, *sums, _when(row.first), _when(row.last)


def _when(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
