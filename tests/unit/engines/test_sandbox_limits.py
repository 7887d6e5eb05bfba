"""Which limits are set where, and how the control groups of a machine are read."""

from pathlib import Path

import pytest

from databox.engines.sandbox.cgroups import mounts, own_paths, settings
from databox.engines.sandbox.limits import (
    Level,
    Levels,
    ceiling,
    file_bound,
    quota_us,
)
from databox.wire.runspec import Limits

MIB = 1024 * 1024
LIMITS = Limits(memory_mb=100, processes=20, cpu=0.25, disk_mb=10)
HARD = Levels(memory=Level.HARD, processes=Level.HARD, cpu=Level.HARD)
SOFT = Levels(memory=Level.WATCHED, processes=Level.PER_PROCESS, cpu=Level.WATCHED)

HYBRID = """\
25 1 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs rw,mode=755
26 25 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
27 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
28 25 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
"""


def test_a_process_may_use_all_memory_when_the_group_is_bounded() -> None:
    assert ceiling(LIMITS, HARD).data is None


def test_each_process_is_bounded_when_there_is_no_group() -> None:
    assert "--data=104857600" in ceiling(LIMITS, SOFT).options()


def test_one_file_is_never_larger_than_the_disk_share() -> None:
    assert f"--fsize={10 * MIB}" in ceiling(LIMITS, HARD).options()


def test_files_are_counted_by_one_for_each_4_kib() -> None:
    assert file_bound(LIMITS) == 2560


@pytest.mark.parametrize(("cpu", "quota"), [(0.5, 50_000), (2.0, 200_000), (0.0001, 1000)])
def test_a_share_of_a_core_becomes_time_in_a_period(cpu: float, quota: int) -> None:
    assert quota_us(cpu) == quota


def test_the_weakest_level_is_the_one_to_tell() -> None:
    mixed = Levels(memory=Level.HARD, processes=Level.PER_PROCESS, cpu=Level.HARD)
    assert [levels.weakest() for levels in (HARD, mixed, SOFT)] == [
        Level.HARD,
        Level.PER_PROCESS,
        Level.WATCHED,
    ]


def test_mounts_are_found_in_both_versions() -> None:
    root = Path("/sys/fs/cgroup")
    assert mounts(HYBRID) == {
        "": root / "unified",
        "memory": root / "memory",
        "cpu": root / "cpu,cpuacct",
    }


def test_own_groups_are_read_by_controller() -> None:
    text = "4:memory:/user/x\n2:cpu,cpuacct:/\n0::/user.slice/scope\n"
    assert own_paths(text) == {
        "memory": "/user/x",
        "cpu": "/",
        "cpuacct": "/",
        "": "/user.slice/scope",
    }


@pytest.mark.parametrize(
    ("version", "controller", "file", "value"),
    [
        (2, "memory", "memory.max", "104857600"),
        (2, "memory", "memory.swap.max", "0"),
        (2, "pids", "pids.max", "20"),
        (2, "cpu", "cpu.max", "25000 100000"),
        (1, "memory", "memory.limit_in_bytes", "104857600"),
        (1, "pids", "pids.max", "20"),
        (1, "cpu", "cpu.cfs_quota_us", "25000"),
    ],
)
def test_a_limit_is_written_in_the_words_of_its_version(
    version: int, controller: str, file: str, value: str
) -> None:
    written = {name: text for name, text, _ in settings(version, controller, LIMITS)}
    assert written[file] == value
