"""Pairs: which listeners there are, and who can reach them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from databox.box.home import open_home
from databox.box.pairs import Pairs
from databox.wire.errors import Denied


@pytest.fixture
def pairs(tmp_path: Path) -> Iterator[Pairs]:
    pairs = Pairs(open_home(tmp_path), None)
    yield pairs
    pairs.close()


def test_connection_as_the_caller_reaches_the_callees_listener(pairs: Pairs) -> None:
    (door,) = pairs.ensure("gateway", "manager", uid=None, twin=False)
    with pairs.connect("gateway", "manager") as near, door.socket.accept()[0] as far:
        far.sendall(b"hello")
        near.setblocking(True)
        assert near.recv(5) == b"hello"


def test_listener_says_who_calls(pairs: Pairs) -> None:
    doors = pairs.ensure("warm-home", "hue-store", uid=None, twin=True)
    found = [(d.message.caller, d.message.callee, d.message.kind) for d in doors]
    assert found == [("warm-home", "hue-store", "plain"), ("warm-home", "hue-store", "tls")]


def test_pair_that_was_not_made_cannot_be_connected(pairs: Pairs) -> None:
    pairs.ensure("gateway", "manager", uid=None, twin=False)
    with pytest.raises(Denied):
        pairs.connect("manager", "gateway")


def test_pair_made_twice_is_one(pairs: Pairs) -> None:
    pairs.ensure("gateway", "manager", uid=None, twin=False)
    assert pairs.ensure("gateway", "manager", uid=None, twin=False) == ()


def test_dropped_pair_leaves_no_socket(pairs: Pairs, tmp_path: Path) -> None:
    pairs.ensure("warm-home", "hue-store", uid=None, twin=True)
    pairs.drop("warm-home", "hue-store")
    assert [path for path in tmp_path.rglob("*") if path.is_socket()] == []


def test_caller_cannot_reach_anothers_folder(pairs: Pairs, tmp_path: Path) -> None:
    pairs.ensure("warm-home", "hue-store", uid=None, twin=False)
    assert (tmp_path / "run/peers/warm-home").stat().st_mode & 0o777 == 0o700


@pytest.mark.root
def test_as_root_a_socket_belongs_to_its_caller_alone(pairs: Pairs, tmp_path: Path) -> None:
    pairs.ensure("warm-home", "hue-store", uid=50_001, twin=False)
    found = (tmp_path / "run/peers/warm-home/hue-store.sock").stat()
    folder = (tmp_path / "run/peers/warm-home").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (50_001, 0o600)
    assert (folder.st_uid, folder.st_gid, folder.st_mode & 0o777) == (0, 50_001, 0o750)


def test_home_may_lie_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    pairs = Pairs(open_home(deep), None)
    (door,) = pairs.ensure("gateway", "manager", uid=None, twin=False)
    with pairs.connect("gateway", "manager"), door.socket.accept()[0]:
        assert len(os.fsencode(deep)) > 108
    pairs.close()


def test_full_queue_does_not_stop_the_box(pairs: Pairs) -> None:
    pairs.ensure("gateway", "manager", uid=None, twin=False)
    held: list[socket.socket] = []
    with pytest.raises(Exception, match="too busy"):
        for _ in range(1000):
            held.append(pairs.connect("gateway", "manager"))
    for each in held:
        each.close()
