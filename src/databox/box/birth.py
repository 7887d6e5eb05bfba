"""What the zygote is told about a part that it shall fork."""

from typing import Literal

import msgspec

DATA = "/data"
"""Where a part finds its own folder, the only one it may write to."""

OUTPUT, CONTROL, SECRETS, HANDED_OVER = 2, 3, 4, 5
"""Numbers of a part's descriptors; the box sends the first three beside a `Birth` in this order.

The last is a pipe that ends once the part is the box's own child.
"""


class Shared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file or folder of the host that a part sees read-only."""

    source: str
    target: str


class Ceiling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on one part: bytes of memory, open descriptors, threads."""

    memory: int = 1 << 30
    descriptors: int = 1024
    threads: int = 64


class Birth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part. All paths are the host's.

    `module` holds `async def serve(control)`. `uid`: the part's own kernel uid where the box is
    root, else None. `scratch`: an empty folder on which the new root is built. `network`: it keeps
    the host's network and may make sockets; the switchboard's alone.
    """

    part: str
    module: str
    config: dict[str, str]
    directory: str
    scratch: str
    uid: int | None
    network: bool = False
    shared: tuple[Shared, ...] = ()
    ceiling: Ceiling = Ceiling()


class Born(msgspec.Struct, frozen=True, kw_only=True, tag="born"):
    """It runs, and is the box's own child. It may still fail to confine itself."""

    pid: int


class Stillborn(msgspec.Struct, frozen=True, kw_only=True, tag="stillborn"):
    """It could not be forked."""

    step: str
    reason: str


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The zygote has loaded everything and waits. `missing`: modules it could not load, and why."""

    missing: dict[str, str]


FromZygote = Born | Stillborn | Hello
Machine = Literal["x86_64", "aarch64"]
