"""Our own parts, each taken over by somebody: nothing that it tries goes beyond its walls.

The controls are the same attempts by a process outside, and by a part that lacks the walls in
question: both get through, so each refusal is the work of those walls.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.isolation.parts.hostile import FILES, STORE, Hostile, hostile
from tests.isolation.parts.stand_ins import attempts
from tests.recovery.conftest import make_home

NOBODY = 65534
PARTS = ("gateway", "export-service", STORE, "authority", "manager", "switchboard")

SOCKETS = {f"make a socket: {kind}" for kind in ("unix", "internet", "internet 6", "vsock")}
DIALS = {
    "make a socket: unix",
    "make a socket: internet",
    "make a socket: internet 6",
    "make a socket: netlink",
    "reach the machine's loopback",
}
"""What the switchboard can do because it is the one that dials, and looks names up. The addresses
it may dial are its own to check: whoever takes it over reaches what this machine reaches."""

MISSING = set() if attempts.has_vsock() else {"make a socket: vsock"}
"""What the kernel of this machine does not have, wall or not."""

READS = {f"read {name}" for name in FILES}
SEES_BOX = {"read what the box was started with", "read the box's memory map"}
PLANTS = {"plant a file beside another part's", "change the code that parts run"}
ROOTS = {"mount", "unmount", "leave its namespaces", "change its root", "make a device"}

FILTER, LANDLOCK, UID = "filter_the_calls", "close_the_files", "become_nobody_else"
ROOT, NUMBERS = ("build_the_root", "enter_the_root"), "enter_namespaces"
WALLS = [
    ((FILTER,), {*SOCKETS, "make a socket: netlink", "fork", "become another program"}),
    ((FILTER,), {"make a user namespace"}),
    ((FILTER, LANDLOCK), {"start a program"}),
    ((FILTER, LANDLOCK, "the network"), {"reach the machine's loopback"}),
    ((*ROOT, UID, LANDLOCK), READS | SEES_BOX | PLANTS),
    ((UID,), {"become root"}),
    ((FILTER, LANDLOCK, UID), ROOTS),
    ((NUMBERS, UID, LANDLOCK), {"signal the box", "hold on to the box"}),
    ((NUMBERS, FILTER, UID, LANDLOCK, *ROOT), {"trace the box", "read the box's memory"}),
]
"""Steps of the confinement, and what gets through once they are left out, all at once."""

CALLS = {
    "gateway": {"arbiter", "ledger", "manager", "export-service"},
    "export-service": {"arbiter", "ledger", "switchboard"},
    STORE: {"arbiter", "ledger"},
    "authority": set(),
    "switchboard": {"ledger"},
}
"""Whom a part may call, as long as the box runs."""

pytestmark = pytest.mark.root


@pytest.fixture(scope="module", params=PARTS)
def taken(request: pytest.FixtureRequest) -> Iterator[Hostile]:
    for home in make_home():
        with hostile(home, request.param) as found:
            yield found


def test_every_attempt_is_sound(taken: Hostile) -> None:
    """The control: a process of root's without walls does all of it."""
    assert {name for name, how in taken.control.items() if how != "done"} == MISSING


def test_a_hostile_part_gets_nothing_done(taken: Hostile) -> None:
    tried = {name: how for name, how in taken.found.items() if name in taken.control}
    assert len(tried) > 30
    may = DIALS if taken.part == "switchboard" else set()
    assert {name for name, how in tried.items() if how == "done"} == may


def test_a_part_is_born_with_no_file_of_anybodys(taken: Hostile) -> None:
    kinds = {each.split()[1] for each in taken.found["born with"]}
    assert kinds <= {"c", "p", "s", "?"}, "only devices, pipes, sockets, and the event loop's own"


def test_a_hostile_part_asks_for_nothing_that_is_not_its_own(taken: Hostile) -> None:
    if taken.part == "manager":
        pytest.skip("the manager steers components: what it may ask is checked word by word")
    asked = {name: how for name, how in taken.found.items() if name.startswith("ask for ")}
    mine = ("BoxStatus", "Setup", "Unlock", "Dial") if taken.part == "gateway" else ()
    others = {how for name, how in asked.items() if name.removeprefix("ask for ") not in mine}
    assert others == {"not-permitted"}
    if mine:
        answers = [asked[f"ask for {name}"] for name in mine]
        assert answers == ["done", "has-owner", "wrong-key", "not-found"]


def test_a_hostile_part_calls_those_alone_that_its_line_needs(taken: Hostile) -> None:
    found = taken.found
    called = {name: how for name, how in found.items() if name.startswith("connect to ")}
    reached = {name.removeprefix("connect to ") for name, how in called.items() if how == "done"}
    assert reached == CALLS.get(taken.part, {"arbiter", "ledger", "export-service"})
    assert {how for how in called.values() if how != "done"} == {"no-pair"}


def test_the_box_goes_on_beside_it(taken: Hostile) -> None:
    assert taken.found
    assert taken.box.get("/api/history/verdict")["ok"]
    assert set(taken.box.states().values()) == {"running"}


@pytest.mark.parametrize(("without", "gets"), WALLS, ids=str)
def test_what_a_wall_holds_back_gets_through_without_it(
    home: Path, without: tuple[str, ...], gets: set[str]
) -> None:
    with hostile(home, "gateway", *without) as taken:
        found = taken.found
    assert {name for name in gets - MISSING if found[name] != "done"} == set()


def test_each_attempt_is_held_back_by_a_wall_that_was_tried(taken: Hostile) -> None:
    shown = set().union(*(gets for _, gets in WALLS))
    assert shown == set(taken.control)


@pytest.mark.parametrize("part", PARTS)
def test_without_root_a_hostile_part_gets_nothing_done_either(home: Path, part: str) -> None:
    """All of its files belong to the same user there: the view of them alone keeps it out."""
    with hostile(home, part, user=NOBODY) as taken:
        done = {name for name, how in taken.found.items() if how == "done"}
    tried = {name for name in done if not name.startswith(("ask for ", "connect to "))}
    assert tried == (DIALS if part == "switchboard" else set())


@pytest.fixture
def home() -> Iterator[Path]:
    yield from make_home()
