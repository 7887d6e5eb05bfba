"""Errors in the owner's words: what went wrong, and what to do about it. Pure.

Parts of the box tell one another what they are called and what a token lacks. Whoever reads the
answer of the public API owns a box, knows sources and apps, and needs to know what to do next.
"""

from copy import copy

from databox.wire.errors import (
    BadRequest,
    Conflict,
    DataboxError,
    Denied,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

_AGAIN = "Try again in a few seconds"
_BY_ITSELF = "It starts again by itself; try again in a few seconds"
_ANSWER = ("a part of the box did not answer", _BY_ITSELF)
_START = ("a part of the box could not be started", "Look at what `databox doctor` says")

INNER = {
    "peer-lost": _ANSWER,
    "peer-timeout": _ANSWER,
    "peer-garbled": _ANSWER,
    "arbiter-away": _ANSWER,
    "zygote": _START,
    "confinement": _START,
    "uids": _START,
    "busy": ("a part of the box has too much to do", _AGAIN),
    "not-running": ("this does not run at the moment", _BY_ITSELF),
    "no-pair": ("there is nothing of this name on the box", "Look at Apps and Sources for what is"),
    "not-public": ("the box has no such page or value", "Look at Apps and Sources for what it has"),
}
"""By code: what a part said to another, and what it means for the owner."""

_REMEDIES: tuple[tuple[type[DataboxError], str], ...] = (
    (Unauthenticated, "Sign in again"),
    (Denied, "Do it from the dashboard of your box"),
    (NotFound, "It may have been removed; look at the list again"),
    (Conflict, "Look at how it stands now, then try again"),
    (TooLarge, "Send less at once"),
    (BadRequest, "Correct it and try again"),
    (Unavailable, _AGAIN),
)
"""What to do where an error says nothing better."""


def told(error: DataboxError) -> DataboxError:
    """The same error as the owner is told it; nothing of what was found is lost."""
    said = copy(error)
    said.message, remedy = INNER.get(error.code, (error.message, error.remedy))
    said.remedy = remedy or next(
        (text for kind, text in _REMEDIES if isinstance(error, kind)), _AGAIN
    )
    return said
