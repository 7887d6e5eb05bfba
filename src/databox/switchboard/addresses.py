"""Which addresses an outside name may lead to: public ones only. Pure.

A name that resolves to this machine, the home network or a cloud's metadata service is how a
harmless-looking destination becomes a hole (DNS rebinding, SSRF). Every answer of a look-up is
checked, in every way an IPv4 address can be wrapped in IPv6, and one bad answer refuses all.

Source: IANA special-purpose address registries; RFC 6052, 3056, 4380, 4291 for the wrappings.
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from databox.wire.errors import Denied

Address = IPv4Address | IPv6Address

_CLOSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # device tests
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/128",  # unspecified
        "::1/128",  # loopback
        "100::/64",  # discard
        "fc00::/7",  # private
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, given up but still routed by some
        "ff00::/8",  # multicast
    )
)
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ip_network("::/96")


def check(name: str, answers: Sequence[str], own: Collection[str] = ()) -> str:
    """Choose the address to connect to. `own`: addresses of this machine.

    Raises:
        Denied: there is no answer, or any answer is not a public address.
    """
    if not answers:
        raise Denied("this name has no address", code="no-address", found=name)
    for answer in answers:
        if answer in own or not is_public(ip_address(answer.partition("%")[0])):
            raise Denied(
                "this name leads to an address that is not public",
                code="private-address",
                found=f"{name} is at {answer}",
                remedy="Data cannot be sent to this machine or the home network",
            )
    return answers[0]


def is_public(address: Address) -> bool:
    """Whether the address, and any IPv4 address wrapped in it, is outside all closed ranges."""
    if any(address.version == net.version and address in net for net in _CLOSED):
        return False
    wrapped = _wrapped(address) if isinstance(address, IPv6Address) else None
    return wrapped is None or is_public(wrapped)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in net for net in (*_NAT64, _COMPATIBLE)):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
