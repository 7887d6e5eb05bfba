"""How the stores fare, as the box tells: what the owner must know of them."""

from dataclasses import dataclass

from databox.kit.clock import Clock
from databox.wire.api import StoreTrouble
from databox.wire.control import InstanceState
from databox.wire.names import STORE_SUFFIX

_FALLING = ("restarting", "failed")


@dataclass(frozen=True, slots=True)
class _Fallen:
    reason: str
    since: int


class Conditions:
    """The last word on each store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, InstanceState] = {}
        self._fallen: dict[str, _Fallen] = {}

    def heard(self, event: InstanceState) -> None:
        """The box tells of a store; of others this knows nothing."""
        if not event.name.endswith(STORE_SUFFIX):
            return
        if event.state == "stopped":
            self._told.pop(event.name, None)
            self._fallen.pop(event.name, None)
            return
        self._told[event.name] = event
        if event.state in _FALLING:
            before = self._fallen.get(event.name)
            since = before.since if before else self._clock.now()
            self._fallen[event.name] = _Fallen(event.reason, since)
        elif event.state != "starting":
            self._fallen.pop(event.name, None)

    def mark(self, store: str) -> str:
        """A text that is another one once the store's catalogue is; "" while it is not known."""
        told = self._told.get(store)
        return told.catalogue if told else ""

    def troubles(self) -> tuple[StoreTrouble, ...]:
        """Every store that does not do all it should, with why, what to do, and since when."""
        found = [self._trouble(name) for name in sorted(self._told)]
        return tuple(each for each in found if each is not None)

    def _trouble(self, name: str) -> StoreTrouble | None:
        told, fallen = self._told[name], self._fallen.get(name)
        if fallen is not None:
            what = f"it cannot start: {fallen.reason.removeprefix('run: ')}"
            return StoreTrouble(store=name, what=what, since=fallen.since)
        if told.trouble:
            return StoreTrouble(store=name, what=told.trouble, remedy=told.remedy, since=told.since)
        return None
