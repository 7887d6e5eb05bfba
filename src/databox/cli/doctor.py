"""`databox doctor`: an honest diagnosis, whether the box runs or not."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from databox.cli import machine
from databox.cli.client import Client, NotRunning, box_status, operator
from databox.cli.down import running
from databox.cli.settings import address_of
from databox.engines import Finding
from databox.engines.sandbox.doctor import examine as examine_sandbox
from databox.engines.sandbox.engine import BUBBLEWRAP, SandboxEngine
from databox.engines.sandbox.namespaces import become_parent_namespace
from databox.wire.errors import DataboxError, Unavailable

UNTESTED = Finding(
    "untested",
    "ok",
    "Safari, Firefox, phones, arm64 hardware and boxes on several machines were never tried;"
    " see docs/security/untested.md",
)


def doctor(home: Path, *, as_json: bool) -> int:
    """Print all findings; the exit code is 1 if one of them keeps the box from working."""
    findings = diagnose(home)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(findings)) + b"\n")
    else:
        print("\n".join(map(line, findings)))
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def diagnose(home: Path) -> list[Finding]:
    """Everything that can be found out, the machine first."""
    port = int(address_of(home).rpartition(":")[2])
    found = machine.examine(home, port, running(home))
    # Last but one: as an ordinary user this moves the process into a namespace of its own.
    return [*found, *_box(home), *_sandbox(), UNTESTED]


def before_start(home: Path, port: int) -> list[Finding]:
    """What would keep the box from starting; quick enough to be asked at each start."""
    found = machine.examine(home, port, None)
    found += asyncio.run(examine_sandbox(BUBBLEWRAP, None))
    return [finding for finding in found if finding.level == "fail"]


def _box(home: Path) -> list[Finding]:
    if running(home) is None:
        return [Finding("box", "ok", "does not run", "Start it with: databox up")]
    try:
        found = box_status(address_of(home))
    except NotRunning as error:
        remedy = f"Look at {home}/logs, then: databox down, databox up"
        return [Finding("box", "fail", f"runs and does not answer: {error}", remedy)]
    if found.state == "failing":
        return [Finding("box", "fail", found.detail, f"Look at {home}/logs")]
    at_work = [*_alarms(home, found.state), *_stores(home, found.state)]
    return [Finding("box", "ok", found.state), *at_work]


def _stores(home: Path, state: str) -> list[Finding]:
    """The stores that do not do all they should."""
    if state != "running":
        return []
    try:
        parts = Client(operator(home)).call("parts").parts
    except DataboxError as error:
        return [Finding("stores", "warn", f"cannot be asked: {error}")]
    return [Finding(each.name, "fail", each.trouble, each.remedy) for each in parts if each.trouble]


def _alarms(home: Path, state: str) -> list[Finding]:
    """What was put back or changed, as the ledger knows it."""
    if state != "running":
        return []
    try:
        alarms = Client(operator(home)).call("alarms").alarms
    except DataboxError as error:
        return [Finding("ledger", "fail", f"cannot be asked: {error}", f"Look at {home}/logs")]
    remedy = "Was it you? databox ledger accept. If not: keep a copy of the box's folder"
    found = [Finding("ledger", "fail", each.sentence, remedy) for each in alarms]
    return found or [Finding("ledger", "ok", "nothing was put back or changed that it knows of")]


def _sandbox() -> list[Finding]:
    try:
        if os.geteuid() != 0:
            become_parent_namespace()
        return asyncio.run(_engine())
    except Unavailable:
        # The trial of bubblewrap says why in words.
        return asyncio.run(examine_sandbox(BUBBLEWRAP, None))


async def _engine() -> list[Finding]:
    engine = await SandboxEngine.open()
    try:
        return await engine.doctor()
    finally:
        await engine.close()


def line(finding: Finding) -> str:
    """A finding for people."""
    mark = {"ok": "   ok", "warn": " warn", "fail": " FAIL"}[finding.level]
    remedy = f"\n        {finding.remedy}" if finding.remedy else ""
    return f"{mark}  {finding.name}: {finding.found}{remedy}"
