"""A part that somebody has taken over: it tries everything, tells what came of it, then serves.

It is loaded by the zygote, before anything is confined. There it can leave out steps of the
confinement, if the test says so, to show what each of them is good for. What it finds goes to the
part's log: with its root left out it has no folder of its own.
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attempts
import msgspec

from databox.box import confine
from databox.box.birth import Birth, Shared
from databox.kit.control import Control
from databox.wire import control as messages
from databox.wire.errors import DataboxError
from databox.wire.runspec import Limits

WORLD: dict[str, Any] = json.loads(Path(__file__).with_name("world.json").read_text())
BOX = os.getppid()
"""The zygote's parent, by its number on the machine."""
REPORT = "what-a-hostile-part-found"
REAL = {
    "authority": "databox.box.authority",
    "export-service": "databox.export.service",
    "gateway": "databox.gateway.service",
    "manager": "databox.box.manager",
    "switchboard": "databox.switchboard.service",
}
STORE = "databox.store.service"
Step = Callable[[Birth, tuple[Shared, ...]], None]
NAMES = (
    *("arbiter", "ledger", "manager", "export-service", "switchboard", "gateway"),
    *("os-monitor-store", "box", "authority"),
)
ASKS = (
    messages.BoxStatus(id=0),
    messages.Setup(id=0, code="x", passphrase="x" * 20, mode="locked"),
    messages.Unlock(id=0, passphrase="x" * 20),
    messages.Dial(id=0, instance="os-monitor"),
    messages.EnsureStore(id=0, store="hostile-store"),
    messages.EnsurePair(id=0, caller="os-monitor", callee="export-service"),
    messages.DropPair(id=0, caller="os-monitor", callee="arbiter"),
    messages.AllowExports(id=0, places=("127.0.0.1:80",)),
    messages.InstanceStats(id=0),
    messages.Tail(id=0, name="os-monitor"),
    messages.StartInstance(
        id=0,
        name="hostile",
        kind="app",
        package="0" * 64,
        command=("x",),
        environment={},
        arbiter_key="",
        peers=(),
        outside=(),
        web=None,
        proc=False,
        limits=Limits(),
    ),
)


async def serve(control: Control) -> None:
    """Try, tell, and do what the part is there for, so that the box comes up."""
    found: dict[str, Any] = {"born with": attempts.descriptors()}
    # Where a wall is left out, what is tried may change the process for good.
    forks = any("filter" in each for each in WORLD["without"])
    tried = attempts.apart if forks else attempts.outcome
    for name, action in attempts.attempts(WORLD, BOX, str(control.directory)):
        found[name] = tried(action)
    print(f"{REPORT} {json.dumps(found)}", flush=True)
    asking = asyncio.create_task(_ask_for_everything(control))
    await importlib.import_module(REAL.get(control.part, STORE)).serve(control)
    asking.cancel()


async def _ask_for_everything(control: Control) -> None:
    if control.part == "gateway":
        await _running(control)
    asked = {f"ask for {type(ask).__name__}": await _ask(control, ask) for ask in ASKS}
    asked |= {f"connect to {name}": await _connect(control, name) for name in NAMES}
    print(f"{REPORT} {json.dumps(asked)}", flush=True)


async def _running(control: Control) -> None:
    """The gateway is there before the box has an owner; then nobody else is."""
    while True:
        raw = await control.ask(messages.BoxStatus(id=0))
        if msgspec.json.decode(raw, type=messages.BoxState).state == "running":
            return
        await asyncio.sleep(0.05)


async def _ask(control: Control, message: Any) -> str:
    try:
        await control.ask(message)
    except DataboxError as error:
        return error.code
    return "done"


async def _connect(control: Control, name: str) -> str:
    try:
        (await control.connect(name)).close()
    except DataboxError as error:
        return error.code
    return "done"


def _weaken(without: list[str]) -> None:
    """Leave out steps for the hostile part; all others stay as they are."""
    confine.STEPS = tuple(
        _left_out(step) if step.__name__.removeprefix("_") in without else step
        for step in confine.STEPS
    )
    zygote = sys.modules["__main__"]
    if "enter_namespaces" in without:
        zygote.enter_namespaces = _unless_hostile(confine.enter_namespaces)  # type: ignore[attr-defined]
    if "the network" in without:
        confine.STEPS = tuple(map(_on_the_network, confine.STEPS))


def _left_out(step: Step) -> Step:
    def instead(birth: Birth, runtime: tuple[Shared, ...]) -> None:
        if birth.part != WORLD["part"]:
            step(birth, runtime)

    return instead


def _unless_hostile(enter: Callable[[Birth], None]) -> Callable[[Birth], None]:
    def instead(birth: Birth) -> None:
        if birth.part != WORLD["part"]:
            enter(birth)

    return instead


def _on_the_network(step: Step) -> Step:
    """Leave all namespaces but that of the network, as the switchboard does."""
    if step.__name__ != "_leave_the_namespaces":
        return step

    def instead(birth: Birth, runtime: tuple[Shared, ...]) -> None:
        network = birth.network or birth.part == WORLD["part"]
        step(msgspec.structs.replace(birth, network=network), runtime)

    return instead


_weaken(WORLD["without"])
