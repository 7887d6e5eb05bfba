"""The states of an export and how it moves between them: a pure state machine.

    queued → sending → sent
               │  └──→ retrying → sending … → failed
               └─(the box fell while it was sent)→ unknown
    queued, retrying → cancelled        failed, unknown, cancelled → queued (the owner tries again)

`unknown` is never sent again by itself: the destination may have it already.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an export stands."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RETRYING)
OVER = (State.SENT, State.FAILED, State.UNKNOWN, State.CANCELLED)

BACK_OFF_S = (2, 10, 60, 300, 1800)
"""Seconds before each further try; after the last the export has failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try came to. `status`: of the answer, 0 for none.

    `sent`: whether any byte of the request may have reached the destination.
    """

    status: int
    detail: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Next:
    """The state after a try, and the seconds until the next one."""

    state: State
    wait: int = 0


def after(outcome: Outcome, tries: int, *, idempotent: bool) -> Next:
    """Decide what follows a try. `tries`: how many there were, this one included.

    1. An answer of 2xx: sent.
    2. 408, 425, 429 and 5xx, and no connection at all: tried again, with longer pauses.
    3. Any other answer: failed; the same bytes would be refused again.
    4. No answer after bytes went out: unknown, unless the destination takes repeats.
    """
    if 200 <= outcome.status < 300:
        return Next(State.SENT)
    if outcome.status == 0 and outcome.sent and not idempotent:
        return Next(State.UNKNOWN)
    again = outcome.status in (0, 408, 425, 429) or outcome.status >= 500
    if again and tries <= len(BACK_OFF_S):
        return Next(State.RETRYING, BACK_OFF_S[tries - 1])
    return Next(State.FAILED)


def found_at_start(state: State) -> State:
    """What an export is after the box fell: nobody knows how a sending one ended."""
    return State.UNKNOWN if state is State.SENDING else state


def of_2017(state: State) -> str:
    """The state in the words of the launch-era interface."""
    if state is State.QUEUED:
        return "Pending"
    return "Finished" if state in OVER else "Processing"
