"""The filter's verdicts, by running it: a small machine for classic BPF, on both architectures."""

import errno
import socket
import struct
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.engines.sandbox.seccomp import (
    ABSENT,
    ALLOW,
    ARCHITECTURE,
    KILL_PROCESS,
    REFUSED,
    Machine,
    program,
)
from databox.engines.sandbox.syscalls import LAST_REVIEWED, TABLE

MACHINES: tuple[Machine, ...] = get_args(Machine)
EVERYDAY = {"x86_64": (0, 1, 3, 9, 59, 202, 257), "aarch64": (63, 64, 57, 222, 221, 98, 56)}
NEWUSER, NEWNET, SIGCHLD = 0x10000000, 0x40000000, 17

machines = pytest.mark.parametrize("machine", MACHINES)


def verdict(machine: Machine, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the kernel would do; the struct is `seccomp_data`."""
    values = (*arguments, *(0,) * (6 - len(arguments)))
    given_arch = ARCHITECTURE[machine] if arch is None else arch
    packet = struct.pack("=IIQ6Q", number, given_arch, 0, *values)
    return run(program(machine), packet)


def run(code: bytes, packet: bytes) -> int:
    instructions = list(struct.iter_unpack("=HBBI", code))
    at = accumulator = 0
    while True:
        operation, yes, no, value = instructions[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", packet, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x25:
                at += yes if accumulator > value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


def refused(error: int) -> int:
    return 0x00050000 | error


def call(machine: Machine, name: str, *arguments: int) -> int:
    number = TABLE[name][MACHINES.index(machine)]
    assert number is not None
    return verdict(machine, number, *arguments)


@machines
def test_a_foreign_architecture_is_killed(machine: Machine) -> None:
    assert verdict(machine, 0, arch=0x40000003) == KILL_PROCESS


@machines
def test_everyday_calls_pass(machine: Machine) -> None:
    assert {verdict(machine, number) for number in EVERYDAY[machine]} == {ALLOW}


@machines
@pytest.mark.parametrize(
    ("names", "error"), [(ABSENT, errno.ENOSYS), (REFUSED, errno.EPERM)], ids=["absent", "refused"]
)
def test_every_listed_call_is_refused(machine: Machine, names: list[str], error: int) -> None:
    column = MACHINES.index(machine)
    numbers = [number for name in names if (number := TABLE[name][column]) is not None]
    assert {verdict(machine, number) for number in numbers} == {refused(error)}


@machines
@given(number=st.integers(LAST_REVIEWED + 1, 0x3FFFFFFF))
def test_a_call_newer_than_the_review_does_not_exist(machine: Machine, number: int) -> None:
    assert verdict(machine, number) == refused(errno.ENOSYS)


@given(number=st.integers(0x40000000, 0x400003FF))
def test_the_x32_entry_does_not_exist(number: int) -> None:
    assert verdict("x86_64", number) == refused(errno.ENOSYS)


@machines
@given(family=st.integers(0, 2**32 - 1), kind=st.integers(0, 2**32 - 1))
def test_only_four_socket_families_exist(machine: Machine, family: int, kind: int) -> None:
    known = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    if family not in known:
        assert call(machine, "socket", family, kind) == refused(errno.EAFNOSUPPORT)


@machines
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_internet_sockets_are_tcp_or_udp(machine: Machine, family: int) -> None:
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    assert call(machine, "socket", family, socket.SOCK_STREAM | flags, 0) == ALLOW
    assert call(machine, "socket", family, socket.SOCK_DGRAM, socket.IPPROTO_UDP) == ALLOW
    sctp = call(machine, "socket", family, socket.SOCK_STREAM, 132)
    ping = call(machine, "socket", family, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    assert {sctp, ping} == {refused(errno.EPROTONOSUPPORT)}
    kinds = (socket.SOCK_RAW, socket.SOCK_SEQPACKET, 6, 10)  # 6: DCCP, 10: packet
    assert {call(machine, "socket", family, kind) for kind in kinds} == {refused(errno.EPERM)}


@machines
@given(protocol=st.integers(0, 2**32 - 1))
def test_netlink_has_the_route_family_alone(machine: Machine, protocol: int) -> None:
    result = call(machine, "socket", socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    assert (result == ALLOW) == (protocol == 0)


@machines
def test_threads_and_forks_pass_but_new_namespaces_do_not(machine: Machine) -> None:
    thread = 0x3D0F00
    assert call(machine, "clone", SIGCHLD) == ALLOW
    assert call(machine, "clone", thread) == ALLOW
    assert call(machine, "clone", NEWUSER | SIGCHLD) == refused(errno.EPERM)
    assert call(machine, "clone", NEWNET | thread) == refused(errno.EPERM)


@machines
@pytest.mark.parametrize("request_", [0x5412, 0x541C, 0x5423])
@given(high=st.integers(0, 2**32 - 1))
def test_high_bits_do_not_smuggle_a_terminal_request(
    machine: Machine, request_: int, high: int
) -> None:
    assert call(machine, "ioctl", 0, high << 32 | request_) == refused(errno.EPERM)


@machines
@pytest.mark.parametrize(
    ("kind", "allowed"), [(0o100000, 1), (0o010000, 1), (0o020000, 0), (0o060000, 0)]
)
def test_devices_cannot_be_made(machine: Machine, kind: int, allowed: int) -> None:
    expected = ALLOW if allowed else refused(errno.EPERM)
    assert call(machine, "mknodat", 0, 0, kind | 0o666) == expected


@machines
def test_the_personality_may_be_asked_for_but_not_changed(machine: Machine) -> None:
    assert call(machine, "personality", 0xFFFFFFFF) == ALLOW
    assert call(machine, "personality", 0) == ALLOW
    assert call(machine, "personality", 0x0040000) == refused(errno.EPERM)


@machines
def test_the_filter_is_one_that_the_kernel_accepts(machine: Machine) -> None:
    count = len(program(machine)) // 8
    assert count * 8 == len(program(machine))
    assert count <= 4096
