"""`databox status`: in which state the box is, what is installed, what it uses."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from databox.cli.client import Client, box_status, operator
from databox.cli.down import running
from databox.cli.settings import announced
from databox.wire import api


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. All below `detail` is empty until the owner has signed in."""

    state: str
    address: str = ""
    owner: str = ""
    version: str = ""
    detail: str = ""
    components: tuple[api.Component, ...] = ()
    parts: tuple[api.PartRow, ...] = ()
    alarms: tuple[str, ...] = ()


def status(home: Path, *, as_json: bool) -> int:
    """Print the state. The exit code is 3 when no box runs."""
    report = look(home)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        print(as_text(report))
    return 3 if report.state == "stopped" else 0


def look(home: Path) -> Report:
    """Ask the box about itself; as much as it tells in its present state."""
    # An address left behind by a box that was killed may by now be somebody else's.
    if running(home) is None:
        return Report(state="stopped")
    address = announced(home)
    if address is None:
        return Report(state="starting")
    found = box_status(address)
    report = Report(
        state=found.state,
        address=address,
        owner=found.owner,
        version=found.version,
        detail=found.detail,
    )
    if found.state != "running":
        return report
    client = Client(operator(home))
    return msgspec.structs.replace(
        report,
        components=client.call("components").components,
        parts=client.call("parts").parts,
        alarms=tuple(each.sentence for each in client.call("alarms").alarms),
    )


_STATES = {
    "stopped": "The box does not run. Start it with `databox up`.",
    "new": "The box waits for its owner: the first run goes on in the browser.",
    "locked": "The box is locked: sign in with the passphrase.",
    "starting": "The box is starting.",
    "running": "The box runs.",
    "failing": "The box could not start all of its parts.",
}


def as_text(report: Report) -> str:
    """The report for people."""
    lines = [_STATES[report.state]]
    if report.detail:
        lines.append(report.detail)
    if report.address:
        lines.append(f"Address: {report.address}")
    lines += [f"ALARM: {each}." for each in report.alarms]
    if report.alarms:
        lines.append("If you put a copy back yourself: databox ledger accept. If not, look who can")
        lines.append("reach this computer and its disk, and keep a copy of the box's folder.")
    lines += [_component(each) for each in report.components]
    lines += [trouble(each) for each in report.parts if each.trouble]
    if report.parts:
        rows = [("part", "state", "memory", "cpu", "restarts"), *map(_part, report.parts)]
        lines += ["", *table(rows)]
        total = sum(part.memory for part in report.parts)
        lines.append(f"Memory together: {_mebibytes(total)}")
    return "\n".join(lines)


def trouble(part: api.PartRow) -> str:
    """What is wrong with a store, since when, and what to do."""
    since = datetime.fromtimestamp(part.trouble_since / 1000, UTC).astimezone()
    return f"{part.name}: {part.trouble}, since {since:%Y-%m-%d %H:%M}. {part.remedy}"


def _component(each: api.Component) -> str:
    leaves = "sends something out" if each.leaves else "stays on your box"
    detail = f" ({each.detail})" if each.detail else ""
    return f"{each.kind:6} {each.name} {each.version}: {each.state}{detail}, {leaves}"


def _part(part: api.PartRow) -> tuple[str, ...]:
    memory = _mebibytes(part.memory)
    return part.name, part.state, memory, f"{part.cpu:.1f} s", str(part.restarts)


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
