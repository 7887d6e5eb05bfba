"""What is left when the box has ended, well or not, and what the next start makes of it."""

import os
import socket
from pathlib import Path

from tests.recovery.running import PASSPHRASE, RunningBox, gone, refused, soon

OTHER = "five other plain words here"


def begin(box: RunningBox, mode: str = "locked") -> str:
    """Set up, with a driver that writes; gives the recovery code."""
    code = box.set_up(mode)
    box.install("os-monitor")
    soon(box.readings, within=20)
    return code


def test_ctrl_c_leaves_no_process_no_socket_and_no_secret(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box)
        processes = box.processes()
        assert box.stop() == 0
    assert [pid for pid in processes if not gone(pid)] == []
    assert [str(path) for path in home.rglob("*") if path.is_socket()] == []
    left = {path.name for path in (home / "run").iterdir()}
    assert not left & {"code", "open.html", "operator.json"}


def test_ctrl_c_leaves_no_mount_and_no_control_group(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box)
        pid = box.process.pid
    assert str(home) not in Path("/proc/mounts").read_text()
    assert list(Path("/sys/fs/cgroup").rglob(f"databox.{pid}*")) == []


def test_killed_box_takes_everything_with_it(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box)
        processes = box.processes()
        box.kill()
    soon(lambda: all(gone(pid) for pid in processes))


def test_next_start_after_a_kill_has_every_reading_and_a_whole_ledger(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box)
        soon(lambda: len(box.readings()) >= 3)
        before = box.readings()
        box.kill()
    with RunningBox(home) as again:
        assert again.get("/api/status")["state"] == "locked"
        again.log_in()
        soon(lambda: set(again.states().values()) == {"running"}, within=10)
        soon(lambda: len(again.readings()) > len(before), within=10)
        after = again.readings()
        assert {time: after.get(time) for time in before} == before
        assert again.get("/api/history/verdict")["ok"]


def test_ledger_tells_a_good_end_from_a_fall(home: Path) -> None:
    with RunningBox(home) as first:
        first.set_up()
    with RunningBox(home) as second:
        second.log_in()
        second.kill()
    with RunningBox(home) as third:
        third.log_in()
        started = third.get("/api/history?kind=box-started")["rows"]
    newest_first = [row["entry"]["event"]["clean"] for row in started]
    assert newest_first == [False, True, True]


def test_box_that_starts_by_itself_needs_nobody(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box, mode="automatic")
    with RunningBox(home) as again:
        soon(lambda: again.get("/api/status")["state"] == "running")
        again.log_in()
        soon(lambda: again.states()["os-monitor"] == "running")


def test_wrong_passphrase_leaves_the_box_locked(home: Path) -> None:
    with RunningBox(home) as box:
        box.set_up()
    with RunningBox(home) as again:
        status, answer = again.log_in("not the passphrase")
        assert (status, answer["error"]["code"]) == (401, "wrong-passphrase")
        assert again.get("/api/status")["state"] == "locked"
        assert again.log_in(PASSPHRASE)[0] == 200


def test_recovery_code_opens_the_box_and_sets_a_new_passphrase(home: Path) -> None:
    with RunningBox(home) as box:
        code = box.set_up()
    with RunningBox(home) as again:
        assert again.recover(code.lower(), OTHER)[0] == 200
        assert again.get("/api/whoami")["user"] == "Ann"
    with RunningBox(home) as third:
        assert third.log_in(PASSPHRASE)[0] == 401
        assert third.log_in(OTHER)[0] == 200


def test_second_box_in_the_same_home_names_the_first(home: Path) -> None:
    with RunningBox(home) as box:
        assert f"process {box.process.pid}" in refused(home)


def test_taken_port_is_named_with_its_holder(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refused(home, other.getsockname()[1])
    assert "127.0.0.1" in said
    assert f"(process {os.getpid()})" in said


def test_port_taken_on_the_other_family_alone_is_refused_too(home: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        said = refused(home, other.getsockname()[1])
    assert "::1" in said
    assert f"(process {os.getpid()})" in said


def test_one_time_code_works_once(home: Path) -> None:
    with RunningBox(home) as box:
        code = (home / "run" / "code").read_text().strip()
        box.set_up()
        assert not (home / "run" / "code").exists()
        body = {"code": code, "name": "Eve", "passphrase": PASSPHRASE, "mode": "locked"}
        assert box.call("POST", "/api/setup", body | {"key": {}})[0] >= 400


def test_no_key_and_no_reading_lies_in_the_open(home: Path) -> None:
    with RunningBox(home) as box:
        begin(box)
    for path in home.rglob("*.db*"):
        assert not path.read_bytes().startswith(b"SQLite format 3"), path
    plain = [path for path in home.rglob("*") if path.is_file() and _open_to_others(path)]
    assert [path for path in plain if "packages" not in path.parts] == []


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)
