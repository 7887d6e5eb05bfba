"""Start bubblewrap and hold it before the app's first instruction.

While bubblewrap waits on `--block-fd`, limits and listeners are put in place from outside, so an
app never runs a moment without them.

The held sandbox must also die with the box, at whatever moment the box is killed. `--die-with-
parent` alone leaves a gap: bubblewrap's process *outside* dies, but the one inside arms itself only
when the app starts, and would take the broken block pipe for the sign to go on. So bubblewrap is
pid 1 of a pid namespace of its own: when it dies, the kernel ends all that is in there.
"""

import contextlib
import os
import platform
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field

from databox.engines.sandbox import arguments, seccomp, settings
from databox.engines.sandbox.limits import Ceiling
from databox.engines.sandbox.namespaces import enter_pid_namespace
from databox.engines.sandbox.processes import children
from databox.wire.errors import Unavailable
from databox.wire.runspec import RunSpec

PRLIMIT = "/usr/bin/prlimit"
SETPRIV = "/usr/bin/setpriv"
ARMED = (SETPRIV, "--pdeathsig", "KILL", "--")
"""bubblewrap ties itself to its parent too, but some milliseconds later."""
STATUS_SECONDS = 10.0
MESSAGE_BYTES = 4096


@dataclass(slots=True)
class Held:
    """A sandbox that is built, or about to be, and waits for `release`. Descriptors are owned."""

    process: subprocess.Popen[bytes]
    pid: int
    """Pid 1 of the sandbox, as the host numbers it."""
    monitor: int
    """pidfd of bubblewrap outside: when it is dead, every process of the instance is."""
    network: int
    block: int
    status: int
    stdout: int
    stderr: int
    descriptors: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def release(self) -> None:
        """Let the app run. A sandbox that could not be built is dead by now, and its end tells."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.block, b"x")

    def kill(self) -> None:
        """End every process of the instance."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.monitor, signal.SIGKILL)

    def reap(self) -> int:
        """The exit code, once `monitor` reports the end; never waits for anybody else's child."""
        code = self.process.wait()
        return code if code >= 0 else 128 - code

    def was_built(self) -> bool:
        """Whether the app's program ran: bubblewrap reports its exit code only then."""
        with contextlib.suppress(BlockingIOError):
            return b'"exit-code"' in os.read(self.status, MESSAGE_BYTES)
        return False

    def close(self) -> None:
        """Give back every descriptor."""
        self.descriptors.close()


def hold(
    spec: RunSpec, program: str, ceiling: Ceiling, *, stdin: bytes = b"", separate: bool = False
) -> Held:
    """Start a sandbox for `spec` and stop short of its first instruction.

    The calling thread is used up: it must do nothing else and live as long as the sandbox, which
    dies with it. `separate`: keep standard error apart from standard output.

    Raises:
        Unavailable: bubblewrap is missing, or could not make the sandbox; it says why.
        BadRequest: the spec holds a NUL or a name that is none.
    """
    _require(program, PRLIMIT, SETPRIV)
    with contextlib.ExitStack() as later, contextlib.ExitStack() as brief:
        status, status_child = _pipe(later, brief)
        block_child, block = _pipe(brief, later)
        stdout, stdout_child = _pipe(later, brief)
        stderr, stderr_child = _pipe(later, brief) if separate else (stdout, stdout_child)
        channels = arguments.Channels(
            status=status_child,
            block=block_child,
            seccomp=_memory(brief, seccomp.program(_machine())),
            files=tuple(
                (_memory(brief, content), path) for path, content in arguments.inner_files(spec)
            ),
        )
        options = _memory(brief, arguments.encode(arguments.arguments(spec, channels)))
        arguments.encode(spec.command)
        start = (*ARMED, PRLIMIT, *ceiling.options(), "--", program)
        enter_pid_namespace()
        process = _popen(
            (*start, "--args", str(options), "--", *spec.command),
            (_memory(brief, stdin), stdout_child, stderr_child),
            (options, *channels.all()),
            spec.uid,
        )
        later.callback(_end, process)
        monitor = _own(later, os.pidfd_open(process.pid))
        brief.close()
        _wait_for_child(status, stderr)
        try:
            (pid,) = children(process.pid)
            network = _own(later, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        except (ValueError, FileNotFoundError, ProcessLookupError) as error:
            raise _broken(_complaint(stderr)) from error
        for end in {status, stdout, stderr}:
            os.set_blocking(end, False)
        return Held(process, pid, monitor, network, block, status, stdout, stderr, later.pop_all())
    raise AssertionError("unreachable: the stacks swallow nothing")


def _require(*programs: str) -> None:
    for program in programs:
        if not os.access(program, os.X_OK):
            raise Unavailable(
                "a program that the sandbox needs is missing",
                code="bubblewrap-missing",
                found=program,
                remedy="Install the system packages bubblewrap and util-linux",
            )


def _popen(
    command: tuple[str, ...],
    streams: tuple[int, int, int],
    passed: tuple[int, ...],
    uid: int | None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        pass_fds=passed,
        # bubblewrap is pid 1 inside and its environment is readable there: give it none.
        env={},
        cwd="/",
        # Ctrl-C in the terminal is for the box, which then stops instances in good order.
        start_new_session=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else (),
        umask=0o077,
    )


def _wait_for_child(status: int, stderr: int) -> None:
    """Until bubblewrap says that pid 1 inside is there. Its number is of no use on the host."""
    text = b""
    deadline = time.monotonic() + STATUS_SECONDS
    while b"\n" not in text:
        ready, _, _ = select.select([status], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(status, MESSAGE_BYTES) if ready else b""
        if not part:
            raise _broken(_complaint(stderr))
        text += part


def _broken(said: str) -> Unavailable:
    found, remedy = settings.forbidding(settings.read()) or (said, "Run `databox doctor`")
    message = "the sandbox could not be made"
    return Unavailable(message, code="sandbox-broken", found=found, remedy=remedy)


def _complaint(stderr: int) -> str:
    os.set_blocking(stderr, False)
    with contextlib.suppress(BlockingIOError):
        return os.read(stderr, MESSAGE_BYTES).decode(errors="replace").strip() or "no message"
    return "no answer in time"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing may stay of a sandbox whose start failed half-way."""
    if process.returncode is None:
        process.kill()
        process.wait()


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    return _own(reader, read), _own(writer, write)


def _memory(owner: contextlib.ExitStack, content: bytes) -> int:
    """A sealed file in memory: secrets touch no disk, and an app cannot grow its standard input."""
    import fcntl

    descriptor = _own(owner, os.memfd_create("databox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _own(owner: contextlib.ExitStack, descriptor: int) -> int:
    owner.callback(os.close, descriptor)
    return descriptor


def _machine() -> seccomp.Machine:
    machine = platform.machine()
    if machine not in seccomp.ARCHITECTURE:
        raise Unavailable("there is no system call filter for this machine", found=machine)
    return machine
