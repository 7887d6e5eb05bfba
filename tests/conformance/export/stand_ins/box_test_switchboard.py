"""The switchboard with a resolver that leads the names of a test to its own peers on loopback.

Names that the test did not give have no address, so nothing here ever looks one up or dials out.
Only the test's peers are spared the check of addresses: for all other names it is the real one.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from databox.kit.control import Control
from databox.switchboard import service
from databox.switchboard.outside import SystemResolver
from databox.switchboard.places import Place
from databox.wire.errors import Unavailable

WORLD = json.loads(Path(__file__).with_name("world.json").read_text())


class Resolver(SystemResolver):
    """Knows the addresses that the test gave."""

    async def lookup(self, place: Place) -> Sequence[tuple[str, int]]:
        """The test's answers."""
        try:
            return [(address, port) for address, port in WORLD["answers"][str(place)]]
        except KeyError as error:
            raise Unavailable("this name has no address in the test", found=str(place)) from error

    def check(self, place: Place, answers: Sequence[str]) -> str:
        """As always, but for the test's own peers."""
        if place.host in WORLD["peers"]:
            return answers[0]
        return super().check(place, answers)


async def serve(control: Control) -> None:
    """Run the switchboard."""
    await service.serve(control, Resolver())
