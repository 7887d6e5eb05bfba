"""What every engine promises (`databox.engines`), shown on each of them."""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from databox import engines
from databox.engines import Engine, Exit, ExitReason, Outcome, Run
from databox.wire.errors import BadRequest, Conflict, Unavailable
from databox.wire.runspec import HostName, RunSpec

PYTHON = ("/usr/bin/python3", "-S", "-E")
WEB = ("python3", "-m", "http.server", "8080")
FOREVER = ("/bin/sleep", "600")
NEWUSER = 0x10000000
HERE = Path(__file__).parent
SOURCE = str(Path(engines.__file__).parents[2])


def once(stage: Any, spec: RunSpec, stdin: bytes = b"", within: float = 60) -> Outcome:
    async def story(engine: Engine) -> Outcome:
        return await engine.run_once(spec, stdin, within)

    outcome: Outcome = stage.tell(story)
    return outcome


def look(stage: Any, **other: Any) -> dict[str, Any]:
    outcome = once(stage, stage.spec(*PYTHON, "look_around.py", **other), b"some input")
    assert outcome.exit.code == 0, outcome.stderr.decode()
    return dict(json.loads(outcome.stdout))


async def appears(path: Path) -> None:
    async with asyncio.timeout(10):
        while not path.exists():
            await asyncio.sleep(0.01)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


# What an instance finds.


def test_an_instance_finds_what_its_spec_names_and_no_more(stage: Any) -> None:
    found = look(
        stage,
        environment={"DATABOX_ARBITER_ENDPOINT": "https://arbiter:443"},
        secrets={"ARBITER_TOKEN": b"token"},
        names=(HostName(name="arbiter", address="127.0.0.2"),),
    )
    assert found["environment"] == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/var",
        "LANG": "C.UTF-8",
        "PWD": "/app",
        "DATABOX_ARBITER_ENDPOINT": "https://arbiter:443",
    }
    assert found["secrets"] == {"ARBITER_TOKEN": "token"}
    assert "127.0.0.2 arbiter" in found["hosts"].splitlines()
    assert (found["folder"], found["host"], found["input"]) == ("/app", "app", "some input")


def test_no_descriptor_but_the_three_streams_is_inherited(stage: Any) -> None:
    assert look(stage)["descriptors"] == [0, 1, 2]


def test_every_app_is_uid_1000_in_no_other_group(stage: Any) -> None:
    found = look(stage)
    assert found["uid"] == 1000
    assert set(found["groups"]) <= {1000}


def test_there_is_no_proc_unless_asked_for(stage: Any) -> None:
    assert "proc" not in look(stage)["top"]
    assert "proc" in look(stage, proc=True)["top"]


def test_no_capability_is_left_and_none_can_come(stage: Any) -> None:
    status = look(stage, proc=True)["status"]
    assert (status.pop("NoNewPrivs"), status.pop("Seccomp")) == (1, 2)
    assert set(status.values()) == {0}


def test_the_walls_cannot_be_rebuilt_from_inside(stage: Any) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of these calls are those of x86-64")
    wanted = {
        "unshare user": (272, [NEWUSER], "EPERM"),
        "clone user": (56, [NEWUSER | signal.SIGCHLD], "EPERM"),
        "clone3": (435, [0, 88], "ENOSYS"),
        "setns": (308, [0, 0], "EPERM"),
        "mount": (165, [0, 0, 0, 0, 0], "EPERM"),
        "open_tree": (428, [0, 0, 0], "ENOSYS"),
        "chroot": (161, [0], "EPERM"),
        "ptrace": (101, [16, 1, 0, 0], "EPERM"),
        "keyctl": (250, [0, -3, 0], "EPERM"),
        "userfaultfd": (323, [0], "ENOSYS"),
        "io_uring_setup": (425, [8, 0], "ENOSYS"),
        "bpf": (321, [0, 0, 0], "ENOSYS"),
        "open_by_handle_at": (304, [0, 0, 0], "EPERM"),
        "x32 getpid": (0x40000000 | 39, [], "ENOSYS"),
        "getpid": (39, [], "done"),
    }
    calls = [[label, number, arguments] for label, (number, arguments, _) in wanted.items()]
    results = stage.attack("call_kernel.py", calls)
    assert results == {label: error for label, (_, _, error) in wanted.items()}


def test_another_instances_var_is_not_there(stage: Any) -> None:
    other = stage.spec(*FOREVER)
    results = stage.attack("read_files.py", [str(other.var), str(other.var.parent)])
    assert set(results.values()) == {"ENOENT"}


def test_var_stays_between_runs(stage: Any) -> None:
    spec = stage.spec("/bin/sh", "-c", "cat /var/count; echo x >> /var/count")
    assert [once(stage, spec).stdout for _ in range(3)] == [b"", b"x\n", b"x\nx\n"]


@pytest.mark.root
def test_as_root_each_instance_has_a_kernel_uid_of_its_own(stage: Any) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    spec = stage.spec(*FOREVER)

    async def story(engine: Engine) -> int:
        run = await engine.start(spec)
        return owner(run.pid)

    assert stage.tell(story) == spec.uid


# Starting.


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_started_server_answers_and_stops(
    loop: Callable[[], Any], stage: Any, answer: Any
) -> None:
    async def story(engine: Engine) -> tuple[bytes, Exit]:
        run = await engine.start(stage.spec(*WEB))
        return await answer(run, 8080), await engine.stop(run, 5)

    reply, end = stage.tell(story, loop=loop)
    assert reply.startswith(b"HTTP/1.0 200")
    assert end == Exit(128 + signal.SIGTERM, ExitReason.STOPPED)


def test_a_server_on_ipv6_loopback_is_reached(stage: Any, answer: Any) -> None:
    async def story(engine: Engine) -> bytes:
        run = await engine.start(stage.spec(*WEB, "--bind", "::1"))
        reply: bytes = await answer(run, 8080)
        return reply

    assert stage.tell(story).startswith(b"HTTP/1.0 200")


def test_nothing_runs_before_prepare_is_done(stage: Any) -> None:
    spec = stage.spec("/bin/sh", "-c", "touch /var/began; exec sleep 600")

    async def story(engine: Engine) -> None:
        async def prepare(run: Run) -> None:
            await asyncio.sleep(0.3)
            assert not (spec.var / "began").exists()

        await engine.start(spec, prepare)
        await appears(spec.var / "began")

    stage.tell(story)


def test_a_failed_prepare_leaves_nothing_and_is_told(stage: Any) -> None:
    spec = stage.spec("/bin/sh", "-c", "touch /var/began")

    async def story(engine: Engine) -> None:
        async def prepare(run: Run) -> None:
            raise Conflict("no listener")

        with pytest.raises(Conflict, match="no listener"):
            await engine.start(spec, prepare)

    stage.tell(story)
    assert not (spec.var / "began").exists()


@pytest.mark.parametrize("after", [0, 0.003, 0.01, 0.03])
def test_a_cancelled_start_leaves_nothing(after: float, stage: Any) -> None:
    async def story(engine: Engine) -> None:
        task = asyncio.ensure_future(engine.start(stage.spec(*FOREVER)))
        await asyncio.sleep(after)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stage.tell(story)


def test_a_missing_folder_is_named(stage: Any) -> None:
    spec = msgspec.structs.replace(stage.spec(*FOREVER), code=Path("/nowhere/at/all"))
    with pytest.raises(Unavailable, match="/nowhere"):
        once(stage, spec)


def test_a_nul_in_the_command_is_refused(stage: Any) -> None:
    with pytest.raises(BadRequest, match="NUL"):
        once(stage, stage.spec("/bin/echo", "a\0b"))


def test_ten_start_at_once_and_each_has_its_own_network(stage: Any, answer: Any) -> None:
    async def story(engine: Engine) -> list[bytes]:
        runs = await asyncio.gather(*(engine.start(stage.spec(*WEB)) for _ in range(10)))
        return list(await asyncio.gather(*(answer(run, 8080) for run in runs)))

    assert all(reply.startswith(b"HTTP/1.0 200") for reply in stage.tell(story))


# Sockets.


def test_a_taken_address_inside_is_a_conflict(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        run = await engine.start(stage.spec(*FOREVER))
        with await run.listen("127.0.0.2", 443), pytest.raises(Conflict):
            await run.listen("127.0.0.2", 443)

    stage.tell(story)


def test_two_instances_may_have_the_same_address(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        for _ in range(2):
            run = await engine.start(stage.spec(*FOREVER))
            (await run.listen("127.0.0.2", 443)).close()

    stage.tell(story)


def test_a_port_that_nobody_serves_is_unavailable(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        run = await engine.start(stage.spec(*FOREVER))
        with pytest.raises(Unavailable):
            await run.dial(8080)

    stage.tell(story)


def test_an_ended_run_gives_no_socket(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        run = await engine.start(stage.spec("/bin/true"))
        await run.wait()
        with pytest.raises(Unavailable):
            await run.dial(8080)
        with pytest.raises(Unavailable):
            await run.listen("127.0.0.2", 443)

    stage.tell(story)


def test_a_peer_granted_later_appears_and_a_revoked_one_is_gone(stage: Any, world: Any) -> None:
    peers = stage.spec(*FOREVER).var
    peers.chmod(0o755)
    connect = "connect_unix.py", '["/run/databox/store.sock"]'
    spec = stage.spec(*PYTHON, *connect, peers=peers)
    assert b"ENOENT" in once(stage, spec).stdout
    with world.unix(str(peers / "store.sock")):
        assert b"done" in once(stage, spec).stdout
    (peers / "store.sock").unlink()
    assert b"ENOENT" in once(stage, spec).stdout


# Ending.


async def first(events: AsyncIterator[Run]) -> Run:
    async with asyncio.timeout(10):
        return await anext(events)


def test_the_end_of_a_run_is_an_event_with_its_code(stage: Any) -> None:
    async def story(engine: Engine) -> tuple[str, Exit | None]:
        await engine.start(stage.spec("/bin/sh", "-c", "exit 7", name="seven"))
        run = await first(engine.events())
        return run.spec.name, run.exit

    assert stage.tell(story) == ("seven", Exit(7, ExitReason.EXITED))


def test_a_program_that_is_not_there_ends_the_run_and_its_log_says_so(stage: Any) -> None:
    spec = stage.spec("/app/nothing")

    async def story(engine: Engine) -> Exit:
        return await (await engine.start(spec)).wait()

    assert stage.tell(story).code != 0
    assert "/app/nothing" in (spec.log or Path()).read_text()


@pytest.mark.parametrize("pause", [0, 0.3], ids=["at-release", "before-release"])
def test_a_sandbox_that_cannot_be_built_is_told_apart_from_an_app_that_failed(
    pause: float, stage: Any
) -> None:
    folder = stage.world.attacks
    spec = stage.spec("/bin/true", shared=((folder, "/opt/a"), (folder, "/opt/a/not-there")))

    async def prepare(run: Run) -> None:
        # Time enough for bubblewrap to fail, but none for its end to be noticed.
        time.sleep(pause)  # noqa: ASYNC251

    async def story(engine: Engine) -> Exit:
        try:
            return await (await engine.start(spec, prepare)).wait()
        except Unavailable as error:
            return Exit(1, ExitReason.BROKEN, error.found or "")

    end = stage.tell(story)
    assert end.reason is ExitReason.BROKEN
    assert "/opt/a/not-there" in end.detail


def test_an_app_that_ignores_the_signal_is_ended_after_its_grace(stage: Any) -> None:
    spec = stage.spec(*PYTHON, "daemon.py", '"wait"')

    async def story(engine: Engine) -> tuple[Exit, float]:
        run = await engine.start(spec)
        await appears(spec.var / "ready")
        began = time.monotonic()
        return await engine.stop(run, 0.5), time.monotonic() - began

    end, took = stage.tell(story)
    assert end == Exit(128 + signal.SIGKILL, ExitReason.STOPPED)
    assert 0.4 < took < 2.5


def test_a_process_left_behind_ends_with_its_app(stage: Any) -> None:
    spec = stage.spec(*PYTHON, "daemon.py", '"go"')

    async def story(engine: Engine) -> tuple[Exit, bool]:
        run = await engine.start(spec)
        end = await run.wait()
        return end, exists(run.pid)

    assert stage.tell(story) == (Exit(7, ExitReason.EXITED), False)


def test_stopping_twice_or_after_the_end_is_harmless(stage: Any) -> None:
    async def story(engine: Engine) -> list[Exit]:
        run = await engine.start(stage.spec(*FOREVER))
        ends = await asyncio.gather(engine.stop(run, 5), engine.stop(run, 5))
        return [*ends, await engine.stop(run, 5)]

    assert stage.tell(story) == [Exit(128 + signal.SIGTERM, ExitReason.STOPPED)] * 3


def test_a_run_whose_supervisor_process_is_killed_ends_whole(stage: Any) -> None:
    async def story(engine: Engine) -> bool:
        run = await engine.start(stage.spec(*FOREVER))
        os.kill(parent(run.pid), signal.SIGKILL)
        await run.wait()
        return exists(run.pid)

    assert stage.tell(story) is False


def test_other_children_of_the_box_are_left_to_it(stage: Any) -> None:
    child = os.fork()
    if child == 0:
        os._exit(7)
    once(stage, stage.spec("/bin/true"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("moment", ["held", "started"])
def test_a_run_dies_with_the_box_at_any_moment(moment: str, stage: Any) -> None:
    base = stage.spec(*FOREVER).var
    base.chmod(0o777)
    command = (sys.executable, str(HERE / "hold_forever.py"), str(base), "399999", moment)
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as box:
        assert box.stdout is not None
        instance, outside = (os.pidfd_open(int(pid)) for pid in box.stdout.readline().split())
        box.kill()
    try:
        ended, _, _ = select.select([instance], [], [], 5)
        assert ended == [instance]
        # We adopt orphans here, so this one is ours to reap; elsewhere it is init's.
        os.waitid(os.P_PIDFD, outside, os.WEXITED)
    finally:
        os.close(instance)
        os.close(outside)


@pytest.mark.root
def test_the_next_engine_ends_what_a_killed_box_left_in_its_groups(stage: Any) -> None:
    parent = _pids_group()
    if os.geteuid() != 0 or parent is None:
        pytest.skip("needs root and control groups of version 1")
    with subprocess.Popen(("/bin/true",)) as dead:
        pass
    folder = parent / f"databox.{dead.pid}"
    (folder / "orphan").mkdir(parents=True)
    with subprocess.Popen(FOREVER) as orphan:
        (folder / "orphan" / "cgroup.procs").write_text(str(orphan.pid))
        once(stage, stage.spec("/bin/true"))
        assert orphan.wait(5) == -signal.SIGKILL
    assert not folder.exists()


def _pids_group() -> Path | None:
    """Where this process's own group of the pids controller is."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "pids":
            return Path("/sys/fs/cgroup/pids", path.lstrip("/"))
    return None


# Throw-away runs, output, figures.


def test_a_throw_away_run_gives_both_streams_and_its_code(stage: Any) -> None:
    outcome = once(stage, stage.spec("/bin/sh", "-c", "cat; echo bad >&2; exit 3"), b"good")
    assert (outcome.stdout, outcome.stderr) == (b"good", b"bad\n")
    assert (outcome.exit, outcome.truncated) == (Exit(3, ExitReason.EXITED), False)


def test_a_throw_away_run_that_writes_without_end_is_bounded(stage: Any) -> None:
    outcome = once(stage, stage.spec("/bin/sh", "-c", "head -c 3000000 /dev/zero"))
    assert (len(outcome.stdout), outcome.truncated) == (1024 * 1024, True)


def test_a_throw_away_run_ends_at_its_time(stage: Any) -> None:
    outcome = once(stage, stage.spec(*FOREVER), within=0.3)
    assert outcome.exit.reason is ExitReason.TIMEOUT


def test_a_throw_away_run_is_no_event(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        await engine.run_once(stage.spec("/bin/true"), b"", 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(engine.events())

    stage.tell(story)


def test_the_log_of_an_instance_that_writes_without_end_is_bounded(stage: Any) -> None:
    spec = stage.spec("/bin/sh", "-c", "while :; do echo 0123456789; done")

    async def story(engine: Engine) -> None:
        run = await engine.start(spec)
        await asyncio.sleep(3)
        await engine.stop(run, 1)

    stage.tell(story)
    assert spec.log is not None
    sizes = [path.stat().st_size for path in spec.log.parent.glob(f"{spec.log.name}*")]
    assert len(sizes) <= 2
    assert 0 < sum(sizes) <= 1024 * 1024


def test_stats_tell_what_a_run_uses(stage: Any, answer: Any) -> None:
    async def story(engine: Engine) -> None:
        run = await engine.start(stage.spec(*WEB))
        await answer(run, 8080)
        (run.spec.var / "file").write_bytes(b"x" * 1_000_000)
        stats = await engine.stats(run)
        assert 2_000_000 < stats.pss < 60_000_000
        assert stats.memory > 0
        assert 0.01 < stats.cpu < 5
        assert stats.processes == 1
        assert 1_000_000 <= stats.disk < 1_100_000
        await engine.stop(run, 1)
        assert (await engine.stats(run)).pss == 0

    stage.tell(story)


def test_doctor_finds_no_fault_on_a_machine_where_all_this_works(stage: Any) -> None:
    async def story(engine: Engine) -> list[Any]:
        return await engine.doctor()

    findings = stage.tell(story)
    assert [finding for finding in findings if finding.level == "fail"] == []
    assert {"bubblewrap", "user-namespaces", "limits"} <= {finding.name for finding in findings}


def test_the_loopback_of_an_instance_is_not_ours(stage: Any) -> None:
    async def story(engine: Engine) -> None:
        run = await engine.start(stage.spec(*FOREVER))
        with await run.listen("127.0.0.2", 443) as listener:
            assert listener.getsockname() == ("127.0.0.2", 443)
            with socket.socket() as outside, pytest.raises(ConnectionRefusedError):
                outside.connect(("127.0.0.2", 443))

    stage.tell(story)
