"""What can be written into a store's file, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from databox.store.objects.stored import Stored
from databox.store.readings import Reading
from databox.wire.errors import DataboxError


@dataclass(frozen=True, slots=True)
class NewReading:
    """Write one point; gives it back as a `Reading`.

    `t`: Unix ms; `data`: JSON, checked; `tags`: canonical text, see `engine.tags`.
    """

    source: str
    t: int
    data: bytes
    tags: str = ""


@dataclass(frozen=True, slots=True)
class NewColumns:
    """Write numbers, in any order; of several for one moment the last counts. Gives how many.

    `times`: int64, Unix ms; `values`: float64, finite; both little-endian and equally long.
    `whole`: a byte for each value, 1 if it was sent as an integer; empty if none was.
    `engine.points.pack_columns` makes them of lists.
    """

    source: str
    tags: str
    times: bytes
    values: bytes
    whole: bytes = b""


@dataclass(frozen=True, slots=True)
class NewDocuments:
    """Write points of any data, `(t, JSON)` each, in any order; gives how many."""

    source: str
    tags: str
    points: Sequence[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class DeletePoints:
    """Delete points from `first` to `last`, Unix ms, both inclusive; gives how many there were.

    `tags`: of this series alone; None is every series of the source.
    """

    source: str
    first: int
    last: int
    tags: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteSource:
    """Delete all points and series of a source, and their sums; gives how many points."""

    source: str


@dataclass(frozen=True, slots=True)
class DropRaw:
    """Drop the single points before a moment, Unix ms; the hourly sums stay. Gives how many."""

    source: str
    before: int


@dataclass(frozen=True, slots=True)
class NewValue:
    """Write a value of any kind under a key. `type`: its media type."""

    key: str
    value: bytes
    type: str = "application/json"


@dataclass(frozen=True, slots=True)
class DeleteValue:
    """Delete the value under a key; gives whether there was one."""

    key: str


@dataclass(frozen=True, slots=True)
class NewObject:
    """Hold a file under a key, in place of what it held; gives the files nobody needs any more.

    `type`: media type; `t`: Unix ms.
    """

    key: str
    type: str
    t: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Let go what a key holds; gives the files nobody needs any more, None if it held nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class DeleteObjects:
    """Let go what a source's own key holds and what the keys below it hold; gives as above."""

    source: str


@dataclass(frozen=True, slots=True)
class NewItem:
    """Register a data source, in place of the item with the same address; gives whether it is new.

    `json`: the Hypercat item.
    """

    href: str
    json: bytes


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Take a data source out of the catalogue; gives whether it was there."""

    href: str


@dataclass(frozen=True, slots=True)
class NewEndings:
    """Grants that ended."""

    epoch: int
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewState:
    """A number of the store's own, by name."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class PackAudit:
    """Press old rows of the access chain together; gives whether there may be more to press.

    `until`: the last row that may be pressed, because the ledger knows of it.
    """

    until: int


PointWrite = NewReading | NewColumns | NewDocuments | DeletePoints | DeleteSource | DropRaw
Superfluous = tuple[bytes, ...]
"""Names of objects whose files can be removed once the transaction is durable."""
ObjectWrite = NewObject | DeleteObject | DeleteObjects
Write = (
    PointWrite
    | ObjectWrite
    | PackAudit
    | NewValue
    | DeleteValue
    | NewItem
    | DeleteItem
    | NewEndings
    | NewState
)
Outcome = Reading | bool | int | Superfluous | None
Result = Outcome | DataboxError
"""What came of a write, or why it alone was refused."""
