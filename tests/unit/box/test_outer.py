"""The outer port: on both loopback addresses, or not at all."""

import os
import socket

import pytest

from databox.box import outer
from databox.wire.errors import Conflict


def test_both_addresses_get_the_same_port() -> None:
    first, second = outer.listen(0)
    with first, second:
        assert first.getsockname()[:2] == ("127.0.0.1", second.getsockname()[1])
        assert second.getsockname()[0] == "::1"


def test_other_addresses_are_not_listened_on() -> None:
    first, second = outer.listen(0)
    with first, second, socket.socket() as client:
        assert client.connect_ex(("127.0.0.2", first.getsockname()[1])) != 0


def test_taken_port_is_refused_and_its_holder_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(Conflict) as caught:
            outer.listen(other.getsockname()[1])
        assert f"(process {os.getpid()})" in str(caught.value.found)


def test_half_a_door_is_closed_again() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(Conflict):
            outer.listen(port)
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) != 0


def test_holder_of_a_free_port_is_nobody() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert outer.holder(*probe.getsockname()) == ""


def test_holder_of_the_other_family_is_not_blamed() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        assert outer.holder("127.0.0.1", other.getsockname()[1]) == ""


def test_holder_of_all_addresses_is_found() -> None:
    with socket.create_server(("", 0)) as other:
        assert f"(process {os.getpid()})" in outer.holder("127.0.0.1", other.getsockname()[1])
