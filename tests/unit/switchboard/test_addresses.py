from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.switchboard.addresses import check, is_public
from databox.wire.errors import Denied


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.3",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.251",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:0:0:0:0:80ff:fffe",
    ],
)
def test_an_address_that_is_not_public_is_refused(address):
    with pytest.raises(Denied, match="not public"):
        check("name.test", [address])


def test_a_public_address_is_taken():
    assert check("name.test", ["93.184.215.14"]) == "93.184.215.14"


def test_one_bad_answer_among_good_ones_refuses_all():
    with pytest.raises(Denied):
        check("name.test", ["93.184.215.14", "127.0.0.1"])


def test_an_address_of_this_machine_is_refused():
    with pytest.raises(Denied):
        check("name.test", ["93.184.215.14"], own={"93.184.215.14"})


def test_a_name_without_address_is_refused():
    with pytest.raises(Denied):
        check("name.test", [])


@given(st.integers(0, 2**32 - 1))
def test_no_wrapping_makes_a_closed_address_public(number):
    plain = IPv4Address(number)
    if is_public(plain):
        return
    for wrapped in (
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x0064FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert not is_public(wrapped)


@given(st.ip_addresses())
def test_every_address_gets_an_answer(address):
    assert is_public(ip_address(str(address))) in (True, False)
