import os
import shutil
import socket
from pathlib import Path

import pytest

from databox.cli import machine
from databox.cli.doctor import line
from databox.engines import Finding

MEMINFO = "MemTotal:  {} kB\nMemFree: 1 kB\nMemAvailable:  {} kB\nHugePages_Total: 0\n"


def test_a_taken_port_names_its_holder_and_the_way_round() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = machine.check_port(port, None)
    assert found.level == "fail"
    assert f"(process {os.getpid()})" in found.found
    assert "--port" in found.remedy


def test_a_port_taken_on_the_other_family_alone_is_taken_too() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::1", 0))
        taken.listen()
        found = machine.check_port(taken.getsockname()[1], None)
    assert found.level == "fail"
    assert "::1" in found.found


def test_a_free_port_is_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert machine.check_port(port, None).level == "ok"


def test_the_port_of_the_running_box_is_no_fault() -> None:
    assert machine.check_port(1, 4711).found == "1; the box runs as process 4711"


def test_little_memory_is_told() -> None:
    assert machine.memory(MEMINFO.format(8_000_000, 100_000)).level == "warn"
    assert machine.memory(MEMINFO.format(8_000_000, 4_000_000)).level == "ok"


@pytest.mark.parametrize(("free", "level"), [(100, "fail"), (500, "warn"), (5000, "ok")])
def test_room_on_the_disk_is_told(
    free: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": free * machine.MEBIBYTE})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert machine.disk(tmp_path / "not" / "there").level == level


def test_a_finding_is_shown_with_its_remedy() -> None:
    shown = line(Finding("disk", "fail", "full", "Free some"))
    assert shown.split("\n") == [" FAIL  disk: full", "        Free some"]
