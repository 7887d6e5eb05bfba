"""Connections to the outside: the name is resolved once, every answer checked, then dialled."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Protocol

from databox.switchboard import addresses
from databox.switchboard.places import Place
from databox.switchboard.relay import End
from databox.wire.errors import Unavailable

LOOKUP_S = 10.0
DIAL_S = 15.0


class Resolver(Protocol):
    """Turns a name into addresses; tests pass one that knows their own peers."""

    async def lookup(self, place: Place) -> Sequence[tuple[str, int]]:
        """All addresses and ports of the place."""
        ...

    def check(self, place: Place, answers: Sequence[str]) -> str:
        """The one to connect to; raises `Denied`."""
        ...


class SystemResolver:
    """The machine's own resolver, and only public addresses."""

    async def lookup(self, place: Place) -> Sequence[tuple[str, int]]:
        """All addresses of the place.

        Raises:
            Unavailable: the look-up failed.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await loop.getaddrinfo(
                    place.host, place.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(
                "this name cannot be looked up now", code="lookup", found=place.host
            ) from error
        return [(str(address[0]), place.port) for *_, address in found]

    def check(self, place: Place, answers: Sequence[str]) -> str:
        """Only public addresses, and none of this machine.

        Raises:
            Denied: an answer is not public.
        """
        return addresses.check(place.host, answers, own_addresses())


def own_addresses() -> frozenset[str]:
    """The addresses this machine sends from; a UDP connect asks the kernel and sends nothing."""
    own = set()
    probes = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
    for family, target in probes:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                own.add(str(probe.getsockname()[0]))
        except OSError:
            continue
    return frozenset(own)


async def dial(place: Place, resolver: Resolver) -> End:
    """Connect to a place; gives the far end.

    Raises:
        Denied: an address is not public.
        Unavailable: no look-up or no connection.
    """
    answers = await resolver.lookup(place)
    chosen = resolver.check(place, [address for address, _ in answers])
    port = next(port for address, port in answers if address == chosen)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DIAL_S):
            _, end = await loop.create_connection(End, chosen, port)
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            "the place outside does not answer", code="no-connection", found=str(place)
        ) from error
    return end
