"""Attacks on the network: each fails inside, and its control shows that the attempt is sound."""

import socket
from pathlib import Path
from typing import Any

import pytest

from databox.engines import Engine
from databox.wire.runspec import HostName

LAN, METADATA, PUBLIC, NAME_SERVER = (
    "192.168.77.10",
    "169.254.169.254",
    "203.0.113.7",
    "198.51.100.5",
)
UNIQUE_LOCAL = "fd00:77::10"
AF_VSOCK, AF_PACKET, AF_ALG = 40, 17, 38
NETFILTER, AUDIT, SOCK_DIAG, UEVENT, GENERIC = 12, 9, 4, 15, 16
DONE = {"done"}


def test_01_host_loopback_is_another_loopback(stage: Any, world: Any) -> None:
    with world.listener("127.0.0.1") as port, world.listener("::1") as port6:
        targets = [["v4", "127.0.0.1", port], ["v6", "::1", port6], ["name", "localhost", port]]
        assert set(world.control("connect.py", targets).values()) == DONE
        assert set(stage.attack("connect.py", targets).values()) == {"ECONNREFUSED"}


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(LAN, id="02_a_machine_on_the_home_network"),
        pytest.param(METADATA, id="03_the_metadata_service"),
        pytest.param(PUBLIC, id="04_the_internet"),
        pytest.param(UNIQUE_LOCAL, id="06_a_unique_local_address"),
    ],
)
def test_there_is_no_route_to(address: str, stage: Any, world: Any) -> None:
    with world.listener(address) as port:
        targets = [["it", address, port]]
        assert world.control("connect.py", targets) == {"it": "done"}
        refusal = stage.attack("connect.py", targets)["it"]
        assert refusal in {"ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH"}


def test_05_no_datagram_reaches_a_name_server(stage: Any, world: Any) -> None:
    with world.answerer(NAME_SERVER) as port:
        assert world.control("ask_dns.py", [NAME_SERVER, port, "localhost"]) == {
            "ask": "done",
            "resolve": "done",
        }
        assert stage.attack("ask_dns.py", [NAME_SERVER, port, "www.example.org"]) == {
            "ask": "ENETUNREACH",
            "resolve": "unknown name",
        }


def test_07_a_neighbours_port_is_out_of_reach(stage: Any, world: Any, answer: Any) -> None:
    attacker = stage.spec("/usr/bin/python3", "-S", "-E", "connect.py", '[["it","127.0.0.1",8080]]')
    neighbour = stage.spec("python3", "-m", "http.server", "8080")

    async def story(engine: Engine) -> bytes:
        run = await engine.start(neighbour)
        # The control: the port does answer, to the one who may dial it.
        assert (await answer(run, 8080)).startswith(b"HTTP/1.0 200")
        return (await engine.run_once(attacker, b"", 30)).stdout

    assert stage.tell(story) == b'{"it": "ECONNREFUSED"}\n'


def test_08_abstract_sockets_of_the_host_do_not_exist(stage: Any, world: Any) -> None:
    address = f"@{world.base}"
    with world.unix(address):
        assert world.control("connect_unix.py", [address]) == {address: "done"}
        assert stage.attack("connect_unix.py", [address]) == {address: "ECONNREFUSED"}


def test_09_sockets_of_system_services_are_not_there(stage: Any, world: Any) -> None:
    stand_in = str(world.base / "service.sock")
    known = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket"]
    with world.unix(stand_in):
        assert world.control("connect_unix.py", [stand_in]) == {stand_in: "done"}
        results = stage.attack("connect_unix.py", [stand_in, *known])
    assert set(results.values()) == {"ENOENT"}


def test_10_vsock_does_not_exist(stage: Any, world: Any) -> None:
    # Made, never connected: a vsock connection would leave the machine, from anywhere.
    wanted = [["vsock", AF_VSOCK, socket.SOCK_STREAM, 0]]
    control = world.control("make_sockets.py", wanted)
    assert stage.attack("make_sockets.py", wanted) == {"vsock": "EAFNOSUPPORT"}
    if control != {"vsock": "done"}:
        pytest.skip("no control: this kernel has no vsock")


def test_11_netlink_shows_loopback_and_changes_nothing(stage: Any, world: Any) -> None:
    inside = stage.attack("netlink.py", None)
    assert inside == {"interfaces": ["lo"], "take lo down": "EPERM", "add address": "EPERM"}
    control = world.alone("netlink.py", None)
    assert (control["take lo down"], control["add address"]) == ("done", "done")


def test_11_netlink_has_no_other_family(stage: Any, world: Any) -> None:
    families = (NETFILTER, AUDIT, SOCK_DIAG, UEVENT, GENERIC)
    wanted = [[str(number), socket.AF_NETLINK, socket.SOCK_RAW, number] for number in families]
    assert set(stage.attack("make_sockets.py", wanted).values()) == {"EPROTONOSUPPORT"}
    assert "done" in world.control("make_sockets.py", wanted).values()


def test_12_packet_sockets_do_not_exist(stage: Any, world: Any) -> None:
    kinds = (socket.SOCK_RAW, socket.SOCK_DGRAM)
    wanted = [[str(kind), AF_PACKET, kind, 0] for kind in kinds]
    assert set(world.alone("make_sockets.py", wanted).values()) == DONE
    assert set(stage.attack("make_sockets.py", wanted).values()) == {"EAFNOSUPPORT"}


def test_13_raw_sockets_do_not_exist(stage: Any, world: Any) -> None:
    wanted = [
        ["icmp", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP],
        ["raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW],
        ["icmp6", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6],
        ["ping", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP],
    ]
    allow_ping = "echo 0 0 > /proc/sys/net/ipv4/ping_group_range"
    assert set(world.alone("make_sockets.py", wanted, allow_ping).values()) == DONE
    assert stage.attack("make_sockets.py", wanted) == {
        "icmp": "EPERM",
        "raw": "EPERM",
        "icmp6": "EPERM",
        "ping": "EPROTONOSUPPORT",
    }


def test_14_no_other_socket_family_exists(stage: Any, world: Any) -> None:
    # The control makes few: outside, rare families would load rare kernel modules.
    few = [["alg", AF_ALG, socket.SOCK_SEQPACKET, 0], ["vsock", AF_VSOCK, socket.SOCK_STREAM, 0]]
    assert set(stage.attack("every_family.py", None).values()) == {"EAFNOSUPPORT"}
    if "done" not in world.control("make_sockets.py", few).values():
        pytest.skip("no control: this kernel has neither AF_ALG nor vsock")


def test_15_the_network_cannot_be_changed_and_low_ports_not_taken(stage: Any, world: Any) -> None:
    ports = [["127.0.0.1", 80], ["0.0.0.0", 443]]
    assert set(world.alone("own_network.py", ports).values()) == DONE
    assert stage.attack("own_network.py", ports) == {
        "flags": "EPERM",
        "address": "EPERM",
        "127.0.0.1:80": "EACCES",
        "0.0.0.0:443": "EACCES",
    }


def test_16_the_address_of_a_name_cannot_be_taken(stage: Any, world: Any) -> None:
    address = ["127.0.0.2", 8080]
    assert set(world.control("take_address.py", address).values()) == DONE
    results = stage.attack("take_address.py", address, ("127.0.0.2", 8080))
    assert set(results.values()) == {"EADDRINUSE"}


def test_17_only_granted_names_answer_on_port_443(stage: Any) -> None:
    targets = [
        ["granted", "arbiter", 443],
        ["other address", "127.0.0.3", 443],
        ["other name", "photos-store", 443],
        ["own loopback", "127.0.0.1", 443],
    ]
    names = (HostName(name="arbiter", address="127.0.0.2"),)
    # The granted name is the control: the same attempt succeeds there.
    assert stage.attack("connect.py", targets, ("127.0.0.2", 443), names=names) == {
        "granted": "done",
        "other address": "ECONNREFUSED",
        "other name": "unknown name",
        "own loopback": "ECONNREFUSED",
    }


def test_peers_of_another_instance_are_not_in_the_mounted_folder(stage: Any, world: Any) -> None:
    own, other = (Path(world.base, name) for name in ("peers-own", "peers-other"))
    for folder in (own, other):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    inside, hidden = "/run/databox/store.sock", str(other / "store.sock")
    with world.unix(str(own / "store.sock")), world.unix(hidden):
        results = stage.attack("connect_unix.py", [inside, hidden], peers=own)
        assert world.control("connect_unix.py", [hidden]) == {hidden: "done"}
    assert results == {inside: "done", hidden: "ENOENT"}
