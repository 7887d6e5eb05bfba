"""The walls around our own parts, looked at from outside while they run."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, soon

STORE = "os-monitor-store"
PARTS = ("gateway", "authority", "manager", "switchboard", "export-service", STORE)
ROOT = {"bin", "data", "dev", "etc", "lib", "lib32", "lib64", "usr"}
"""What a part finds at its root; beside it only the folders that Python loads from."""


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    yield from make_home()


@pytest.fixture(scope="module")
def box(shared_home: Path) -> Iterator[RunningBox]:
    with RunningBox(shared_home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(box.readings, within=20)
        yield box


def process(box: RunningBox, part: str) -> Path:
    return Path("/proc", str(box.pid_of(part)))


def status(box: RunningBox, part: str) -> dict[str, str]:
    lines = (process(box, part) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


pytestmark = pytest.mark.root


@pytest.mark.parametrize("part", PARTS)
def test_part_has_no_capability_and_gains_none(box: RunningBox, part: str) -> None:
    found = status(box, part)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[name], 16) == 0, name
    assert found["NoNewPrivs"] == "1"


@pytest.mark.parametrize("part", PARTS)
def test_part_runs_under_both_filters(box: RunningBox, part: str) -> None:
    found = status(box, part)
    assert (found["Seccomp"], found["Seccomp_filters"]) == ("2", "2")


def test_every_part_has_a_uid_of_its_own(box: RunningBox) -> None:
    uids = [status(box, part)["Uid"].split() for part in PARTS]
    assert all(len(set(each)) == 1 for each in uids)
    assert len({each[0] for each in uids} | {"0"}) == len(PARTS) + 1


@pytest.mark.parametrize("part", PARTS)
def test_part_has_no_group_of_ours(box: RunningBox, part: str) -> None:
    found = status(box, part)
    assert found["Groups"] == ""
    assert found["Gid"] == found["Uid"]


@pytest.mark.parametrize("part", [part for part in PARTS if part != "switchboard"])
def test_part_is_on_no_network(box: RunningBox, part: str) -> None:
    assert (process(box, part) / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    interfaces = (process(box, part) / "net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["mnt", "ipc", "uts", "pid", "cgroup"])
def test_part_has_namespaces_of_its_own(box: RunningBox, part: str, kind: str) -> None:
    name = "pid_for_children" if kind == "pid" else kind
    assert (process(box, part) / "ns" / name).readlink() != Path("/proc/self/ns", name).readlink()


@pytest.mark.parametrize("part", PARTS)
def test_part_sees_no_file_of_the_box(box: RunningBox, part: str) -> None:
    root = process(box, part) / "root"
    folders = {str(path.relative_to(root)) for path in root.glob("*")}
    extra = {"pairs", "release", *_python_folders()}
    assert folders <= ROOT | extra
    assert not (root / str(box.home).lstrip("/")).exists()
    assert not (root / "proc").exists()


def _python_folders() -> set[str]:
    return {Path(path).parts[1] for path in sys.path if path.startswith("/")}


@pytest.mark.parametrize("part", PARTS)
def test_only_its_own_folder_can_be_written(box: RunningBox, part: str) -> None:
    mounts = (process(box, part) / "mountinfo").read_text().splitlines()
    writable = [line.split()[4] for line in mounts if line.split()[5].startswith("rw")]
    assert sorted(writable) == ["/data", "/dev/null", "/dev/urandom"]


@pytest.mark.parametrize("part", PARTS)
def test_part_is_born_without_environment(box: RunningBox, part: str) -> None:
    names = {
        entry.partition(b"=")[0]
        for entry in (process(box, part) / "environ").read_bytes().split(b"\0")
    }
    assert names <= {b"", b"PYTHONPATH", b"LC_CTYPE"}


@pytest.mark.parametrize("part", ["authority", "manager", STORE, "export-service"])
def test_part_holds_no_tcp_socket(box: RunningBox, part: str) -> None:
    table = (process(box, part) / "net/tcp").read_text().splitlines()[1:]
    assert table == []


def test_gateway_has_no_key(box: RunningBox, shared_home: Path) -> None:
    memory = b"".join(_pages(process(box, "gateway")))
    known = (shared_home / "keys" / "ca.pem").read_bytes()
    assert known.splitlines()[1] in memory, "the control: what it must know is found"
    assert b"BEGIN PRIVATE KEY" not in memory


def _pages(process_folder: Path) -> Iterator[bytes]:
    with (process_folder / "mem").open("rb", buffering=0) as memory:
        for line in (process_folder / "maps").read_text().splitlines():
            where, rights = line.split()[:2]
            if "r" not in rights or "[v" in line:
                continue
            first, last = (int(text, 16) for text in where.split("-"))
            memory.seek(first)
            yield memory.read(last - first)
