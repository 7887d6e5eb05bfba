"""What a forked part does to itself before it runs a line of its own, in this order.

If any step fails the part ends and the box shows which: none ever runs half confined.

Two halves. `enter_namespaces` runs in a short-lived process between the zygote and the part,
because a process id namespace begins with the next child. `confine` runs in the part itself.

The part is the box's own child, by the double fork, but not the other way round: nothing here must
trust what the part may later become. What is not given up here is there for whoever takes it over.
"""

import os
import platform
import resource
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import cast

from databox.box import filter as call_filter
from databox.box import kernel, landlock
from databox.box.birth import CONTROL, DATA, HANDED_OVER, Birth, Machine, Shared
from databox.engines.sandbox import seccomp

ROOT_BYTES = 1 << 20
LAST_CAPABILITY = 63
HOST_NAME = "part"
SYSTEM = "/usr"
LINKS = ("lib", "lib32", "lib64", "bin")
DEVICES = ("/dev/null", "/dev/urandom")
SMALL_FILES = ("/etc/ld.so.cache", "/etc/localtime")


class ConfinementError(Exception):
    """A step did not work. `step`: its name; `reason`: the kernel's own words."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


def enter_namespaces(birth: Birth) -> None:
    """Begin the process id namespace that the next fork lands in.

    Raises:
        ConfinementError: the kernel refused.
    """
    with _step("namespaces"):
        if birth.uid is not None:
            kernel.unshare(kernel.CLONE_NEWPID)
            return
        # Without root, a user namespace gives the rights for everything below, over itself alone.
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID)
        # Giving up setgroups is the kernel's condition for writing the map.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def confine(birth: Birth, runtime: tuple[Shared, ...]) -> None:
    """Go through every step. `runtime`: the folders that Python may still load modules from.

    Raises:
        ConfinementError: a step failed; the part must end.
    """
    for step in STEPS:
        with _step(step.__name__.removeprefix("_")):
            step(birth, runtime)


def _leave_the_terminal(_birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # Ctrl-C is for the box, which stops parts in good order; and no terminal can be typed into.
    os.setsid()


def _leave_the_namespaces(birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP
    if not birth.network:
        # Not even loopback comes up in it: connections arrive as descriptors.
        flags |= kernel.CLONE_NEWNET
    kernel.unshare(flags)
    kernel.set_host_name(HOST_NAME)


def _build_the_root(birth: Birth, runtime: tuple[Shared, ...]) -> None:
    # What is made here must be open to the uid that comes; nothing in it is anybody's secret.
    os.umask(0o022)
    # Else systemd's shared mounts would carry ours back to the host.
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    root = birth.scratch
    # Built on an empty folder of our own: a mount over /tmp would hide a home that lies below it.
    kernel.mount(
        "tmpfs",
        root,
        "tmpfs",
        kernel.MS_NOSUID | kernel.MS_NODEV,
        f"size={ROOT_BYTES},nr_inodes=512,mode=755",
    )
    _bind(root, Shared(source=SYSTEM, target=SYSTEM), writable=False)
    for name in LINKS:
        folder = Path("/", name)
        if folder.is_symlink():
            Path(root, name).symlink_to(folder.readlink())
        elif folder.is_dir():
            _bind(root, Shared(source=str(folder), target=str(folder)), writable=False)
    for path in (*DEVICES, *SMALL_FILES):
        if Path(path).exists():
            _bind(root, Shared(source=path, target=path), writable=path in DEVICES)
    for shared in (*runtime, *birth.shared):
        _bind(root, shared, writable=False)
    _bind(root, Shared(source=birth.directory, target=DATA), writable=True)


def _bind(root: str, shared: Shared, *, writable: bool) -> None:
    target = Path(root, shared.target.lstrip("/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(shared.source).is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    # Recursive, because a user namespace may not uncover what other mounts hide below it.
    kernel.mount(shared.source, str(target), "", kernel.MS_BIND | kernel.MS_REC)
    attributes = kernel.MOUNT_ATTR_NOSUID
    if not writable:
        attributes |= kernel.MOUNT_ATTR_RDONLY
    if shared.target == DATA:
        # A device or program that somebody left there must not work.
        attributes |= kernel.MOUNT_ATTR_NODEV | kernel.MOUNT_ATTR_NOEXEC
    kernel.restrict_mount(str(target), attributes, below=True)


def _enter_the_root(birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    os.chdir(birth.scratch)
    kernel.restrict_mount(".", kernel.MOUNT_ATTR_RDONLY, below=False)
    # Both roots in one place: the old one lies on top, and is taken away without needing a folder.
    kernel.pivot_root(".", ".")
    kernel.detach(".")
    # The kernel leaves the working directory where it was, which would be a way back.
    os.chdir(DATA)


def _limit(birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # Set inside the user namespace, where the kernel counts this part's threads alone.
    resource.setrlimit(resource.RLIMIT_NPROC, (birth.ceiling.threads,) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (birth.ceiling.descriptors,) * 2)
    # The data segment, not the address space: mapped database files are not this part's memory.
    resource.setrlimit(resource.RLIMIT_DATA, (birth.ceiling.memory,) * 2)
    # A core file would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)


def _become_nobody_else(birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # The bounding set first: dropping from it needs a capability that the change of uid takes.
    for capability in range(LAST_CAPABILITY):
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
        except OSError:
            # The kernel's list is shorter than ours.
            break
    if birth.uid is not None:
        # Groups first: afterwards there is no right to; root's groups would stay for ever.
        os.setgroups([])
        os.setresgid(birth.uid, birth.uid, birth.uid)
        os.setresuid(birth.uid, birth.uid, birth.uid)
    # In a user namespace the uid keeps its number, so the change above drops nothing.
    kernel.drop_capabilities()


def _die_with_the_box(_birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # Only when the helper between us has ended is the box the parent whose end this is about.
    os.read(HANDED_OVER, 1)
    os.close(HANDED_OVER)
    # Without the box nobody would end this process. So late because a change of uid clears it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    # Had the box died before, the signal would never come; then its end of the channel is closed.
    channel = select.poll()
    channel.register(CONTROL, 0)
    if channel.poll(0):
        raise OSError(0, "the box ended meanwhile")


def _give_up_the_future(_birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # No setuid program gives anything back; also the condition for the next two steps.
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # Not to be traced or read by others of this uid. A change of uid sets the flag anew.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _close_the_files(birth: Birth, runtime: tuple[Shared, ...]) -> None:
    shared = [each.target for each in (*runtime, *birth.shared)]
    readable = [
        SYSTEM,
        *(path for path in (*DEVICES, *SMALL_FILES, *shared) if Path(path).exists()),
    ]
    landlock.restrict(readable, [DATA], network=birth.network)


def _filter_the_calls(birth: Birth, _runtime: tuple[Shared, ...]) -> None:
    # Last: the steps above need calls that it refuses.
    for program in filters(network=birth.network):
        kernel.install_filter(program)


@cache
def filters(*, network: bool) -> tuple[bytes, bytes]:
    """The two programs. Made once, in the zygote: a millisecond of each part's start."""
    machine = cast(Machine, platform.machine())
    return call_filter.program(machine, network=network), seccomp.program(machine)


STEPS: tuple[Callable[[Birth, tuple[Shared, ...]], None], ...] = (
    _leave_the_terminal,
    _leave_the_namespaces,
    _build_the_root,
    _enter_the_root,
    _limit,
    _become_nobody_else,
    _die_with_the_box,
    _give_up_the_future,
    _close_the_files,
    _filter_the_calls,
)


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfinementError(name.replace("_", " "), str(error)) from error
