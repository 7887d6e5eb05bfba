"""The system call filter of every instance, made here so that no library is needed for it.

Namespaces hide the host's names; the filter closes kernel code that no app needs and that has no
namespace: vsock, keyrings, io_uring, new user namespaces, the mount calls old and new. Calls newer
than the list was reviewed against do not exist for an app: libc falls back on ENOSYS.

Source: linux/seccomp.h, linux/filter.h; classic BPF, instructions of 8 bytes.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Literal

from databox.engines.sandbox.syscalls import LAST_REVIEWED, TABLE

Machine = Literal["x86_64", "aarch64"]

ARCHITECTURE: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

# ENOSYS where libc or a runtime has a fallback that it takes on ENOSYS alone.
ABSENT = (  # noqa: SIM905 - words read better than quoted strings
    "clone3 open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr statmount listmount "
    "io_uring_setup io_uring_enter io_uring_register bpf userfaultfd memfd_secret pidfd_getfd "
    "quotactl_fd"
).split()

REFUSED = (  # noqa: SIM905 - as above
    # looking into and steering other processes
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp "
    "perf_event_open "
    # keyrings are not namespaced
    "add_key request_key keyctl "
    # mounts, roots and namespaces: the walls themselves
    "mount umount2 pivot_root chroot unshare setns "
    # files by handle reach past every mount
    "open_by_handle_at name_to_handle_at fanotify_init fanotify_mark "
    # the machine itself
    "kexec_load kexec_file_load init_module finit_module delete_module create_module "
    "get_kernel_syms query_module reboot swapon swapoff syslog acct quotactl settimeofday "
    "clock_settime adjtimex clock_adjtime sethostname setdomainname iopl ioperm modify_ldt uselib "
    "vhangup lookup_dcookie nfsservctl _sysctl sysfs ustat "
    # rare memory code with a history
    "mbind set_mempolicy get_mempolicy set_mempolicy_home_node migrate_pages move_pages vmsplice "
    "remap_file_pages"
).split()

CLONE_NEW = 0x7E020000
"""NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

TIOCSTI, TIOCLINUX, TIOCSETD = 0x5412, 0x541C, 0x5423
"""Type into a terminal, twice; load a line discipline."""

_NR, _ARCH = 0, 4
_ARG = (16, 24, 32, 40, 48, 56)  # low halves; both machines are little-endian

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _GREATER, _SET = 0x15, 0x25, 0x45
_X32_BIT = 0x40000000
_TYPE_MASK = 0xF
_FILE_TYPE, _CHARACTER, _BLOCK = 0o170000, 0o020000, 0o060000
_QUERY = 0xFFFFFFFF

Instruction = tuple[int, int, int, int]


def program(machine: Machine) -> bytes:
    """The filter for `bwrap --seccomp`. Anything not named here is allowed."""
    code = [
        (_LOAD, 0, 0, _ARCH),
        # A 32-bit entry would go round every number below.
        *_unless(_EQUAL, ARCHITECTURE[machine], KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
        *_when(_SET, _X32_BIT, _refuse(errno.ENOSYS)),
        *_when(_GREATER, LAST_REVIEWED, _refuse(errno.ENOSYS)),
    ]
    column = 0 if machine == "x86_64" else 1
    for names, error in ((ABSENT, errno.ENOSYS), (REFUSED, errno.EPERM)):
        for name in names:
            number = TABLE[name][column]
            if number is not None:
                code += _when(_EQUAL, number, _refuse(error))
    for name, body in _by_argument().items():
        number = TABLE[name][column]
        if number is not None:
            code += [(_EQUAL, 0, len(body), number), *body]
    code.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _by_argument() -> dict[str, list[Instruction]]:
    """Bodies for calls that depend on an argument; each ends in a return.

    The kernel takes these arguments as 32 bits, so the low half is compared alone: high bits set
    on purpose change nothing (snap's filter was passed that way, CVE-2019-7303).
    """
    return {
        "clone": [(_LOAD, 0, 0, _ARG[0]), *_when(_SET, CLONE_NEW, _refuse(errno.EPERM)), _ALLOWED],
        "socket": list(_socket()),
        "socketpair": list(_socket()),
        "ioctl": [
            (_LOAD, 0, 0, _ARG[1]),
            *_when(_EQUAL, TIOCSTI, _refuse(errno.EPERM)),
            *_when(_EQUAL, TIOCLINUX, _refuse(errno.EPERM)),
            *_when(_EQUAL, TIOCSETD, _refuse(errno.EPERM)),
            _ALLOWED,
        ],
        "mknod": list(_mknod(mode=1)),
        "mknodat": list(_mknod(mode=2)),
        "personality": [
            (_LOAD, 0, 0, _ARG[0]),
            *_when(_EQUAL, 0, ALLOW),
            *_unless(_EQUAL, _QUERY, _refuse(errno.EPERM)),
            _ALLOWED,
        ],
    }


def _socket() -> Iterator[Instruction]:
    """Unix sockets; TCP and UDP on loopback; and netlink's route family, which libc lists by.

    Everything else (vsock leaves the machine, packet and raw forge, alg, bluetooth, SCTP, DCCP
    are rare code) does not exist.
    """
    yield (_LOAD, 0, 0, _ARG[0])
    yield from _when(_EQUAL, socket.AF_UNIX, ALLOW)
    netlink = [
        (_LOAD, 0, 0, _ARG[2]),
        *_unless(_EQUAL, 0, _refuse(errno.EPROTONOSUPPORT)),
        _ALLOWED,
    ]
    yield (_EQUAL, 0, len(netlink), socket.AF_NETLINK)
    yield from netlink
    # 1: skip the second test; else refuse.
    yield (_EQUAL, 2, 0, socket.AF_INET)
    yield (_EQUAL, 1, 0, socket.AF_INET6)
    yield (_RETURN, 0, 0, _refuse(errno.EAFNOSUPPORT))
    yield (_LOAD, 0, 0, _ARG[1])
    yield (_AND, 0, 0, _TYPE_MASK)
    yield (_EQUAL, 2, 0, socket.SOCK_STREAM)
    yield (_EQUAL, 1, 0, socket.SOCK_DGRAM)
    yield (_RETURN, 0, 0, _refuse(errno.EPERM))
    yield (_LOAD, 0, 0, _ARG[2])
    yield from _when(_EQUAL, 0, ALLOW)
    yield from _when(_EQUAL, socket.IPPROTO_TCP, ALLOW)
    yield from _when(_EQUAL, socket.IPPROTO_UDP, ALLOW)
    yield (_RETURN, 0, 0, _refuse(errno.EPROTONOSUPPORT))


def _mknod(*, mode: int) -> Iterator[Instruction]:
    yield (_LOAD, 0, 0, _ARG[mode])
    yield (_AND, 0, 0, _FILE_TYPE)
    yield from _when(_EQUAL, _CHARACTER, _refuse(errno.EPERM))
    yield from _when(_EQUAL, _BLOCK, _refuse(errno.EPERM))
    yield _ALLOWED


def _refuse(error: int) -> int:
    return _ERRNO | error


def _when(test: int, value: int, verdict: int) -> tuple[Instruction, Instruction]:
    return ((test, 0, 1, value), (_RETURN, 0, 0, verdict))


def _unless(test: int, value: int, verdict: int) -> tuple[Instruction, Instruction]:
    return ((test, 1, 0, value), (_RETURN, 0, 0, verdict))


_ALLOWED: Instruction = (_RETURN, 0, 0, ALLOW)
