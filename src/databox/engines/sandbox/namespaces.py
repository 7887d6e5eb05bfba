"""Sockets that live inside an instance's network, made from outside by a thread that hops.

A socket belongs for ever to the network namespace in which `socket()` was called, whoever uses it
later. So one thread enters the instance's namespace, makes the socket and goes home. Home is an
empty namespace of the thread's own: should going home ever fail, what it makes next is still not
on the host's network. Measured: about 20 us a socket.

Leave to enter: root has it; an ordinary user gets it over all later sandboxes by
`become_parent_namespace`, called before the process has a second thread.
"""

import asyncio
import ctypes
import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from databox.engines.sandbox import settings
from databox.wire.errors import Conflict, Unavailable

T = TypeVar("T")

CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
IP_FREEBIND = 15
BACKLOG = 128

_libc = ctypes.CDLL(None, use_errno=True)


def become_parent_namespace() -> None:
    """Put this process, not root, in a user namespace that owns every later sandbox.

    The uid keeps its number, so files look as before, those of other users as `nobody`'s. Programs
    started later lose the new rights when they are executed, because their uid is not 0.

    Raises:
        Unavailable: this kernel forbids it, or the process already has a second thread.
    """
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def enter_pid_namespace() -> None:
    """Make the next process that this thread starts pid 1 of a new pid namespace.

    The thread can do so once, and can start no thread afterwards.

    Raises:
        Unavailable: neither root nor in a parent namespace.
    """
    _call("unshare", CLONE_NEWPID)


class Hopper:
    """Makes sockets in other network namespaces. All methods run in one thread of its own."""

    def __init__(self) -> None:
        """Give the calling thread an empty network namespace as its home.

        Raises:
            Unavailable: neither root nor in a parent namespace.
        """
        _call("unshare", CLONE_NEWNET)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def listen(self, namespace: int, address: str, port: int) -> socket.socket:
        """A non-blocking listener inside. Works before bubblewrap has brought loopback up.

        Raises:
            Conflict: somebody inside has this address already.
        """
        listener = self.make(namespace, socket.AF_INET)
        try:
            # Loopback may not be up yet; bringing it up ourselves makes bubblewrap fail.
            listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            listener.bind((address, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise Conflict(f"{address}:{port} is taken inside the sandbox") from error
            raise
        return listener

    def make(self, namespace: int, family: socket.AddressFamily) -> socket.socket:
        """An unconnected, non-blocking TCP socket inside."""
        _call("setns", namespace, CLONE_NEWNET)
        try:
            made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        finally:
            _call("setns", self._home, CLONE_NEWNET)
        return made

    def close(self) -> None:
        """Forget the home; the namespace ends with the thread."""
        os.close(self._home)


class Inside:
    """The engine's one long-lived thread, and the hopper that lives in it."""

    def __init__(self, thread: ThreadPoolExecutor, hopper: Hopper) -> None:
        """Take a hopper that was made in `thread`."""
        self.hopper = hopper
        self._thread = thread

    @classmethod
    async def open(cls) -> "Inside":
        """Start the thread.

        Raises:
            Unavailable: as `Hopper`.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        try:
            return cls(thread, await asyncio.wrap_future(thread.submit(Hopper)))
        except BaseException:
            thread.shutdown()
            raise

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do it in the thread; the result is kept even when nobody waits any more."""
        return self._thread.submit(work)

    async def do(self, work: Callable[[], T]) -> T:
        """Do it in the thread and wait."""
        return await asyncio.wrap_future(self.submit(work))

    async def close(self) -> None:
        """End the thread, and with it whatever was to die with its parent."""
        await self.do(self.hopper.close)
        self._thread.shutdown()


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        said = f"{name}: {os.strerror(ctypes.get_errno())}"
        found, remedy = settings.forbidding(settings.read()) or (said, "Run `databox doctor`")
        raise Unavailable(
            "the kernel refused a namespace",
            code="namespaces-forbidden",
            found=found,
            remedy=remedy,
        )
