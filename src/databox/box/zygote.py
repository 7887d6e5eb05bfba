"""The preloaded parent: has every part's code in memory and forks parts when the box asks.

Loading a part's modules takes a tenth of a second, forking a millisecond. It has one thread, no
event loop and no secret, because a fork copies all of these. It reads from the box alone.

A part is forked twice, so that it is handed to the box, which watches it, and lives on when the
zygote ends.
"""

import array
import fcntl
import gc
import importlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from databox.box import kernel
from databox.box.birth import (
    CONTROL,
    HANDED_OVER,
    OUTPUT,
    SECRETS,
    Birth,
    Born,
    Hello,
    Shared,
    Stillborn,
)
from databox.box.confine import ConfinementError, confine, enter_namespaces, filters
from databox.box.serve import serve_part
from databox.wire.control import MAX_PACKET, Broken
from databox.wire.errors import DataboxError

MAX_REASON = 500
_INT_BYTES = array.array("i").itemsize


def main(channel: socket.socket, home: Path, modules: Sequence[str]) -> None:
    """Load `modules`, then fork what the box asks for, until it ends."""
    # The terminal's Ctrl-C is for the box; and without the box nobody needs a zygote.
    os.setsid()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.set_process_name("zygote")
    missing = {name: text for name in modules if (text := _load(name))}
    try:
        runtime = folders_of(sys.path, home)
    except ValueError as error:
        channel.send(msgspec.json.encode(Stillborn(step="load", reason=str(error))))
        return
    # Made before the fork they are shared by all: the filters, and OpenSSL's own tables, which take
    # half a megabyte.
    for network in (False, True):
        filters(network=network)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    gc.collect()
    # Objects made so far are never looked at again: collecting in a part would copy their pages.
    gc.freeze()
    channel.send(msgspec.json.encode(Hello(missing=missing)))
    while (request := _receive(channel)) is not None:
        birth, descriptors = request
        answer = _fork(birth, descriptors, runtime)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(msgspec.json.encode(answer))


def folders_of(path: Sequence[str], home: Path) -> tuple[Shared, ...]:
    """Which folders a part needs to load modules from, beside the system's own.

    Raises:
        ValueError: one of them holds the home folder: a part would see everything.
    """
    folders = sorted({os.path.realpath(entry) for entry in path if entry and Path(entry).is_dir()})
    needed: list[str] = []
    for folder in folders:
        inside = [each for each in ("/usr", *needed) if Path(folder).is_relative_to(each)]
        if inside:
            continue
        if home.is_relative_to(folder):
            raise ValueError(f"Python loads modules from {folder}, which holds the box's home")
        needed.append(folder)
    return tuple(Shared(source=folder, target=folder) for folder in needed)


def _load(name: str) -> str:
    try:
        importlib.import_module(name)
    except ImportError as error:
        return str(error)
    return ""


def _receive(channel: socket.socket) -> tuple[Birth, tuple[int, ...]] | None:
    space = socket.CMSG_SPACE(3 * _INT_BYTES)
    packet, ancillary, _, _ = channel.recvmsg(MAX_PACKET, space, socket.MSG_CMSG_CLOEXEC)
    if not packet:
        return None
    descriptors = array.array("i")
    for _, _, content in ancillary:
        descriptors.frombytes(content)
    return msgspec.json.decode(packet, type=Birth), tuple(descriptors)


def _fork(
    birth: Birth, descriptors: tuple[int, ...], runtime: tuple[Shared, ...]
) -> Born | Stillborn:
    report, report_end = os.pipe()
    go, go_end = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(go_end)
        _between(birth, descriptors, runtime, go, report_end)
    os.close(go)
    os.close(report_end)
    with os.fdopen(report, "rb") as reader:
        answer = reader.read()
    # Only once this process has ended is the part the box's child; now it may go on.
    os.waitpid(between, 0)
    os.close(go_end)
    return msgspec.json.decode(answer, type=Born | Stillborn)


def _between(
    birth: Birth,
    descriptors: tuple[int, ...],
    runtime: tuple[Shared, ...],
    go: int,
    report: int,
) -> NoReturn:
    answer: Born | Stillborn = Stillborn(step="fork", reason="the helper process fell")
    try:
        enter_namespaces(birth)
        pid = os.fork()
        if pid == 0:
            os.close(report)
            _part(birth, (*descriptors, go), runtime)
        answer = Born(pid=pid)
    except (ConfinementError, OSError) as error:
        answer = Stillborn(step=getattr(error, "step", "fork"), reason=str(error))
    finally:
        # Whatever happened, no second zygote comes back from here.
        os.write(report, msgspec.json.encode(answer))
        os._exit(0)


def _part(birth: Birth, descriptors: tuple[int, ...], runtime: tuple[Shared, ...]) -> NoReturn:
    code = 1
    try:
        kernel.set_process_name(birth.part)
        _arrange(descriptors)
        confine(birth, runtime)
        serve_part(birth)
        code = 0
    except ConfinementError as error:
        _tell(Broken(step=error.step, reason=error.reason))
    except BaseException as error:  # noqa: BLE001 - nothing of the zygote may run on in a part
        _tell(Broken(step="run", reason=_reason(error)[:MAX_REASON]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _arrange(descriptors: tuple[int, ...]) -> None:
    """Give the part its descriptors at their numbers, and none of the zygote's."""
    output, control, secrets, handed_over = (_above(number) for number in descriptors)
    null = _above(os.open("/dev/null", os.O_RDONLY))
    # stdin, then what it prints, twice.
    for source, number in ((null, 0), (output, 1), (output, OUTPUT)):
        os.dup2(source, number)
    os.dup2(control, CONTROL, inheritable=False)
    os.dup2(secrets, SECRETS, inheritable=False)
    os.dup2(handed_over, HANDED_OVER, inheritable=False)
    os.closerange(HANDED_OVER + 1, os.sysconf("SC_OPEN_MAX"))


def _above(number: int) -> int:
    """A copy that `dup2` to a low number cannot overwrite before it is used."""
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HANDED_OVER + 1)


def _reason(error: BaseException) -> str:
    # Ours are written for the owner; others need their name to be understood.
    return str(error) if isinstance(error, DataboxError) else f"{type(error).__name__}: {error}"


def _tell(broken: Broken) -> None:
    packet = msgspec.json.encode(broken)
    with socket.socket(fileno=os.dup(CONTROL)) as channel:
        channel.send(packet)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), sys.argv[3:])
