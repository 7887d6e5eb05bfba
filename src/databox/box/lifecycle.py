"""The life of a part, a store or an instance, decided without touching anything.

    stopped ──start──► starting ──ready──► running ──stop──► stopping ──ended──► stopped
                          ▲  └────ended───────┴──► waiting (longer each time) ──due──► starting
                          └── a caller ── asleep ◄── ended by itself, where it may sleep

Rules:
1. Something wanted that ends is started again, after a pause that doubles up to a bound.
2. What has run for a while is forgiven its earlier falls.
3. An instance that falls too often in a row has failed, and stays so until it is started by hand.
   Our own parts never fail for good: the box is of no use without them.
4. What is not ready in time is killed, which counts as a fall.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Where it is; `WAITING` is shown as "restarting"."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    WAITING = "restarting"
    ASLEEP = "asleep"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen, but for `Ended`."""

    START = "start"
    SLEEP = "sleep"
    READY = "ready"
    STOP = "stop"
    DUE = "due"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Ended:
    """Its process is gone. `clean`: by itself and without an error."""

    clean: bool
    reason: str


class Act(StrEnum):
    """What the shell does next."""

    SPAWN = "spawn"
    END = "end"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Pause:
    """Come back with `DUE` after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one kind of thing is kept alive. Seconds; `most_falls`: None for never giving up.

    `ready_within`: 0 where there is nothing to wait for.
    """

    first_pause: float = 0.1
    longest_pause: float = 30.0
    forgiven_after: float = 60.0
    most_falls: int | None = 10
    ready_within: float = 30.0
    may_sleep: bool = False
    once: bool = False


PART = Policy(longest_pause=2.0, most_falls=None)
STORE = Policy(longest_pause=2.0, most_falls=None, ready_within=20.0, may_sleep=True)


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one. `since`: when it came into this state, Unix seconds.

    `falls`: in a row; `restarts`: altogether.
    """

    state: State = State.STOPPED
    since: float = 0.0
    falls: int = 0
    restarts: int = 0
    reason: str = ""


Step = tuple[Life, Act | Pause | None]


def step(life: Life, event: Event | Ended, now: float, policy: Policy) -> Step:
    """What becomes of `life`, and what to do. An event that does not fit changes nothing."""
    if isinstance(event, Ended):
        return _ended(life, event, now, policy)
    match event, life.state:
        case Event.START, State.STOPPED | State.FAILED | State.ASLEEP:
            return Life(State.STARTING, now, 0, life.restarts), Act.SPAWN
        case Event.SLEEP, State.STOPPED:
            return replace(life, state=State.ASLEEP, since=now), None
        case Event.DUE, State.WAITING:
            return replace(life, state=State.STARTING, since=now), Act.SPAWN
        case Event.READY, State.STARTING:
            return replace(life, state=State.RUNNING, since=now, reason=""), None
        case Event.LATE, State.STARTING:
            reason = f"not ready within {policy.ready_within:g} s"
            return replace(life, reason=reason), Act.KILL
        case Event.STOP, State.STARTING | State.RUNNING:
            return replace(life, state=State.STOPPING, since=now), Act.END
        case Event.STOP, State.WAITING | State.ASLEEP | State.FAILED:
            return replace(life, state=State.STOPPED, since=now), None
    return life, None


def _ended(life: Life, end: Ended, now: float, policy: Policy) -> Step:
    match life.state:
        case State.STOPPING:
            return replace(life, state=State.STOPPED, since=now, falls=0), None
        case State.STARTING | State.RUNNING:
            return _fell(life, end, now, policy)
        case _:
            return life, None


def _fell(life: Life, end: Ended, now: float, policy: Policy) -> Step:
    if end.clean and policy.may_sleep and life.state is State.RUNNING:
        return replace(life, state=State.ASLEEP, since=now, falls=0, reason=""), None
    if end.clean and policy.once:
        return replace(life, state=State.STOPPED, since=now, reason=end.reason), None
    ran = now - life.since if life.state is State.RUNNING else 0.0
    falls = 1 if ran >= policy.forgiven_after else life.falls + 1
    # A kill for being late has already said why.
    reason = life.reason or end.reason
    after = Life(State.WAITING, now, falls, life.restarts + 1, reason)
    if policy.most_falls is not None and falls > policy.most_falls:
        return replace(after, state=State.FAILED, restarts=life.restarts), None
    return after, Pause(min(policy.longest_pause, policy.first_pause * 2 ** (falls - 1)))
