"""The parts' own system call filter, tried by a small interpreter of its instructions."""

import struct

import pytest

from databox.box.birth import Machine
from databox.box.filter import program

ALLOW = 0x7FFF0000
CLONE_THREAD = 0x00010000


def verdict(machine: Machine, number: int, first: int = 0, *, network: bool = False) -> int:
    code = list(struct.iter_unpack("=HBBI", program(machine, network=network)))
    memory = struct.pack("=IIQQ", number, 0, 0, first)
    at, held = 0, 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (held,) = struct.unpack_from("=I", memory, value)
            case 0x15:
                at += yes if held == value else no
            case 0x45:
                at += yes if held & value else no
            case 0x06:
                return int(value)


@pytest.mark.parametrize("number", [41, 42, 49, 56, 57, 58, 59, 322])
def test_part_on_x86_makes_no_socket_and_no_process(number: int) -> None:
    assert verdict("x86_64", number) != ALLOW


@pytest.mark.parametrize("number", [198, 200, 203, 220, 221, 281])
def test_part_on_arm_makes_no_socket_and_no_process(number: int) -> None:
    assert verdict("aarch64", number) != ALLOW


@pytest.mark.parametrize("number", [0, 1, 43, 53, 288])
def test_part_reads_writes_accepts_and_pairs(number: int) -> None:
    assert verdict("x86_64", number) == ALLOW


def test_part_starts_threads() -> None:
    assert verdict("x86_64", 56, CLONE_THREAD) == ALLOW


@pytest.mark.parametrize("number", [41, 42])
def test_switchboard_makes_connections(number: int) -> None:
    assert verdict("x86_64", number, network=True) == ALLOW


@pytest.mark.parametrize("number", [49, 59])
def test_switchboard_takes_no_address_and_starts_no_program(number: int) -> None:
    assert verdict("x86_64", number, network=True) != ALLOW
