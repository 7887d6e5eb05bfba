"""What `box` and a part say to each other over the control channel: two closed lists.

One JSON message a packet, at most 64 KiB, descriptors beside it. Messages with an `id` want an
answer with the same `id`. The box allows each message only to the parts that need it
(`box/permitted.py`).
"""

from typing import Literal

import msgspec

from databox.wire.runspec import Limits, WebPort

MAX_PACKET = 64 * 1024

ListenerKind = Literal["plain", "tls", "outer"]
"""`plain`: a pair's unix socket; `tls`: its TLS twin; `outer`: a TCP port of the box."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


# From the box to a part.


class Listener(_Message, tag="listener", frozen=True, kw_only=True):
    """Descriptor attached: accept on it; whoever connects is `caller`."""

    caller: str
    callee: str
    kind: ListenerKind


class Unlisten(_Message, tag="unlisten", frozen=True, kw_only=True):
    """The pair is gone: close its listeners and every open connection of `caller` now."""

    caller: str
    callee: str


class Route(_Message, tag="route", frozen=True, kw_only=True):
    """For the switchboard, descriptor attached: a listener inside `caller`'s network namespace.

    Each accepted connection is joined to the unix socket `pair` (a callee in the box) or to the
    outside host and port.
    """

    caller: str
    name: str
    pair: str = ""
    outside: str = ""


class Unroute(_Message, tag="unroute", frozen=True, kw_only=True):
    """For the switchboard: close the listener and all connections of this route now."""

    caller: str
    name: str


class Allow(_Message, tag="allow", frozen=True, kw_only=True):
    """For the switchboard: the outside places, `host:port`, that `caller` may name. All of them."""

    caller: str
    places: tuple[str, ...]


class InstanceState(_Message, tag="instance-state", frozen=True, kw_only=True):
    """For the manager: how an instance, store or part fares. The rest: as a store told, `Fares`."""

    name: str
    state: str
    reason: str = ""
    catalogue: str = ""
    trouble: str = ""
    remedy: str = ""
    since: int = 0


class Stop(_Message, tag="stop", frozen=True, kw_only=True):
    """Finish what runs, make it durable, and exit."""


class Done(_Message, tag="done", frozen=True, kw_only=True):
    """The answer to a message with this `id`; a descriptor may be attached."""

    id: int
    value: msgspec.Raw = msgspec.Raw(b"null")


class Failed(_Message, tag="failed", frozen=True, kw_only=True):
    """The message with this `id` was refused or went wrong."""

    id: int
    status: int
    error: msgspec.Raw


FromBox = Listener | Unlisten | Route | Unroute | Allow | InstanceState | Stop | Done | Failed


# From a part to the box: any part.


class Ready(_Message, tag="ready", frozen=True, kw_only=True):
    """The part serves; listeners may be handed to it."""


class Closed(_Message, tag="closed", frozen=True, kw_only=True):
    """After `Unlisten`: this caller has no open connection any more."""

    caller: str
    callee: str


class Broken(_Message, tag="broken", frozen=True, kw_only=True):
    """The part ends: it could not confine itself, and so never ran, or fell while it ran."""

    step: str
    reason: str


class Fares(_Message, tag="fares", frozen=True, kw_only=True):
    """From a store: how it fares, told at each change.

    `catalogue`: another text whenever the catalogue is another. `trouble`: why it does not do all
    it should, in words, "" if it does; `remedy`: what the owner can do; `since`: Unix ms.
    """

    catalogue: str
    trouble: str = ""
    remedy: str = ""
    since: int = 0


class Connect(_Message, tag="connect", frozen=True, kw_only=True):
    """Give me a connection to `callee`; the answer carries the descriptor."""

    id: int
    callee: str


# From the gateway only.


class Setup(_Message, tag="setup", frozen=True, kw_only=True):
    """Make the owner's keys. Answer: `SetupDone`."""

    id: int
    code: str
    passphrase: str
    mode: Literal["locked", "automatic"]


class Unlock(_Message, tag="unlock", frozen=True, kw_only=True):
    """Unwrap the box key by the passphrase and start the rest. Answer: null."""

    id: int
    passphrase: str


class Recover(_Message, tag="recover", frozen=True, kw_only=True):
    """Unwrap the box key by the recovery code and wrap it by a new passphrase. Answer: null."""

    id: int
    recovery_code: str
    passphrase: str


class NewRecovery(_Message, tag="new-recovery", frozen=True, kw_only=True):
    """Wrap the box key by a new recovery code; the old one opens nothing. Answer: `SetupDone`."""

    id: int
    passphrase: str


class Dial(_Message, tag="dial", frozen=True, kw_only=True):
    """Connect to an instance's own web port; the answer carries the descriptor."""

    id: int
    instance: str


class BoxStatus(_Message, tag="box-status", frozen=True, kw_only=True):
    """Which state the box is in. Answer: `BoxState`."""

    id: int


# From the manager only.


class EnsureStore(_Message, tag="ensure-store", frozen=True, kw_only=True):
    """Make the store's folder and key if they are not there, and serve it on demand."""

    id: int
    store: str


class ForgetStore(_Message, tag="forget-store", frozen=True, kw_only=True):
    """Destroy the store's key, then its files."""

    id: int
    store: str


class RestartTarget(_Message, tag="restart-target", frozen=True, kw_only=True):
    """Kill a store, or the export service, that did not confirm a revocation in time.

    It comes up again and reads the epoch before its first answer.
    """

    id: int
    target: str


class EnsurePair(_Message, tag="ensure-pair", frozen=True, kw_only=True):
    """Let `caller` reach `callee`."""

    id: int
    caller: str
    callee: str


class DropPair(_Message, tag="drop-pair", frozen=True, kw_only=True):
    """End the pair and its open connections. Answered when they are closed."""

    id: int
    caller: str
    callee: str


class AllowExports(_Message, tag="allow-exports", frozen=True, kw_only=True):
    """The places, `host:port`, that exports are granted to now; the switchboard refuses others."""

    id: int
    places: tuple[str, ...]


class StartInstance(_Message, tag="start-instance", frozen=True, kw_only=True):
    """Run a component of an adopted package until told otherwise; restart it when it falls."""

    id: int
    name: str
    kind: Literal["app", "driver"]
    package: str
    command: tuple[str, ...]
    environment: dict[str, str]
    arbiter_key: str
    peers: tuple[str, ...]
    outside: tuple[str, ...]
    web: WebPort | None
    proc: bool
    limits: Limits
    once: bool = False


class StopInstance(_Message, tag="stop-instance", frozen=True, kw_only=True):
    """Stop it and keep it stopped."""

    id: int
    name: str


class RemoveInstance(_Message, tag="remove-instance", frozen=True, kw_only=True):
    """Stop it and delete its `/var` and its peers' folder."""

    id: int
    name: str


class AdoptPackage(_Message, tag="adopt-package", frozen=True, kw_only=True):
    """Unpack, check and compile an upload in a throw-away sandbox. Answer: `Adopted`.

    `upload` is the name of a tar file in the manager's `inbox` folder; `bundled` the name of a
    package that came with the release. Exactly one is given.
    """

    id: int
    upload: str = ""
    bundled: str = ""
    install: tuple[str, ...] = ()


class Describe(_Message, tag="describe", frozen=True, kw_only=True):
    """Run the package's file in an empty sandbox in describe mode. Answer: `Described`."""

    id: int
    package: str
    file: str


class RemovePackage(_Message, tag="remove-package", frozen=True, kw_only=True):
    """Delete an adopted package that nothing uses."""

    id: int
    package: str


class InstanceStats(_Message, tag="instance-stats", frozen=True, kw_only=True):
    """Answer: list of `Stat`, for everything that runs."""

    id: int


class Tail(_Message, tag="tail", frozen=True, kw_only=True):
    """The end of an instance's own output, at most 20 KiB. Answer: text."""

    id: int
    name: str


FromAny = Ready | Closed | Broken | Fares | Connect
FromGateway = FromAny | Setup | Unlock | Recover | NewRecovery | Dial | BoxStatus
FromManager = (
    FromAny
    | EnsureStore
    | ForgetStore
    | RestartTarget
    | EnsurePair
    | DropPair
    | AllowExports
    | StartInstance
    | StopInstance
    | RemoveInstance
    | AdoptPackage
    | Describe
    | RemovePackage
    | InstanceStats
    | Tail
)
FromPart = FromGateway | FromManager


# Answers inside `Done.value`.


class SetupDone(_Message, frozen=True, kw_only=True):
    """The recovery code, shown to the owner once and kept by nobody."""

    recovery_code: str


class BoxState(_Message, frozen=True, kw_only=True):
    """`new`: no owner yet; `locked`: keys are wrapped; `starting`, `running`, `failing`."""

    state: Literal["new", "locked", "starting", "running", "failing"]
    detail: str = ""


class Adopted(_Message, frozen=True, kw_only=True):
    """Where the package is: its content digest, and the files at its top that describe it."""

    digest: str
    manifest: str
    files: tuple[str, ...]


class Described(_Message, frozen=True, kw_only=True):
    """The manifest that an app file printed in describe mode, as JSON text."""

    manifest: str


class Stat(_Message, frozen=True, kw_only=True):
    """What one process or instance uses. `memory`: PSS in bytes; `cpu`: seconds so far."""

    name: str
    state: str
    pid: int
    memory: int
    cpu: float
    restarts: int
    since: int
    level: str = ""
    trouble: str = ""
    remedy: str = ""
    trouble_since: int = 0
