"""What the owner stopped while a change was under way: decided without touching anything.

An installation may take a minute, and stopping must not wait for it. So both run at the same time,
and the change asks here before it makes a grant: what the owner stopped meanwhile is not made, and
does not stay in the agreement.
"""

from collections.abc import Sequence

import msgspec

from databox.wire.api import Grant, GrantRequest, StopAccessRequest
from databox.wire.sla import Choices

Permission = Grant | GrantRequest


class Stops:
    """The stops of one change, from its beginning to its end."""

    def __init__(self) -> None:
        self._asked: list[StopAccessRequest] = []
        self._over: list[Permission] = []

    @property
    def over(self) -> tuple[Permission, ...]:
        """What was ended, or not made, because of them."""
        return tuple(self._over)

    def begin(self) -> None:
        """A change begins: what was stopped before is in the grants that it finds."""
        self._asked.clear()
        self._over.clear()

    def ask(self, request: StopAccessRequest) -> None:
        """The owner stops this."""
        self._asked.append(request)

    def ended(self, grants: Sequence[Grant]) -> None:
        """What was in force and is ended by it."""
        self._over += grants

    def forbids(self, wanted: Permission) -> bool:
        """Whether the owner stopped just this meanwhile; it is then taken down as over."""
        stopped = any(covers(request, wanted) for request in self._asked)
        if stopped:
            self._over.append(wanted)
        return stopped


def covers(request: StopAccessRequest, wanted: Permission) -> bool:
    """Whether a stop names this one; a driver's own store and our parts are never meant."""
    if wanted.kind in ("own", "part"):
        return False
    if request.grant:
        # What has no id yet cannot have been named by one.
        return isinstance(wanted, Grant) and wanted.id == request.grant
    if request.component and wanted.client != request.component:
        return False
    if request.store and wanted.target != request.store:
        return False
    return not request.source or wanted.source == request.source


def without(choices: Choices, over: Permission) -> Choices:
    """The choices without what this permission stood for."""
    if over.kind == "export":
        return msgspec.structs.replace(choices, exports=())
    left = tuple(
        choice
        for choice in choices.sources
        if (choice.store, choice.source) != (over.target, over.source)
    )
    return msgspec.structs.replace(choices, sources=left)
