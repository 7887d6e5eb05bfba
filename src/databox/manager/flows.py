"""Who can reach what, over the whole graph of grants: the facts on top of each consent screen.

Nodes are component names, stores and outside places. An app that writes to a source whose driver
talks outside can reach that driver's hosts; an app that reads what another app may send out is
told of in that app's own line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from databox.wire import destination
from databox.wire.api import Grant
from databox.wire.errors import BadRequest
from databox.wire.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Reach:
    """An outside place that data can get to. `through`: the driver in between, if any."""

    host: str
    through: str = ""

    def __str__(self) -> str:
        return f"{self.host} (through {self.through})" if self.through else self.host


def host_of(url: str) -> str:
    """The host of an address, with the port when it is not the usual one; never raises.

    In the letters that are sent: a name in another alphabet may look like one that it is not.
    """
    try:
        place = destination.parse(url).place
    except BadRequest:
        return "an unusable address"
    return place.removesuffix(":443")


def place_of(url: str) -> str:
    """`host:port` of an address, as the switchboard knows places.

    Raises:
        BadRequest: nothing can be sent to this address.
    """
    return destination.parse(url).place


def outside(manifest: Manifest) -> tuple[str, ...]:
    """The hosts that a driver's manifest names."""
    urls = [url for ask in manifest.external_whitelist for url in ask.urls]
    return tuple(dict.fromkeys(host_of(url) for url in urls))


def reaches(
    name: str, grants: Iterable[Grant], manifests: Mapping[str, Manifest]
) -> tuple[Reach, ...]:
    """Every outside place to which `name` can get data, by itself or through a driver."""
    found: dict[Reach, None] = {}
    if name in manifests:
        for host in outside(manifests[name]):
            found[Reach(host)] = None
    for grant in grants:
        if grant.client != name:
            continue
        for url in grant.destinations:
            found[Reach(host_of(url))] = None
        driver = grant.target.removesuffix("-store")
        if grant.kind == "act" and driver in manifests:
            for host in outside(manifests[driver]):
                found[Reach(host, driver)] = None
    return tuple(found)


def headline(places: Iterable[Reach]) -> str:
    """The computed sentence: where data of this component can go."""
    hosts = [str(place) for place in places]
    return f"Sends to {', '.join(hosts)}" if hosts else "Stays on your box"
