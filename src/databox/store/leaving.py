"""The one way out for points: all that is answered or sent as an event passes through here.

`permitted` says what a token's caveats leave of a point; what the asker wants to see of it, by
`fields=`, is taken from what is left.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import msgspec

from databox.store import permitted
from databox.store.engine.points import Run
from databox.wire.caveats import Caveats

Fields = Collection[str] | None


def runs(found: Iterable[Run], caveats: Caveats, fields: Fields) -> Iterator[Run]:
    """Points as they may leave, and as far as they were asked for."""
    for run in found:
        if not caveats.narrows and fields is None:
            yield run
        else:
            shown = documents(run.texts(), caveats, fields)
            named = tuple(tags(each, caveats) for each in run.tags)
            yield replace(run, tags=named, values=None, whole=b"", documents=shown)


def tags(text: str, caveats: Caveats) -> str:
    """The tags of a series as they may leave: beside a coarse place they may name the exact one."""
    return "" if caveats.precision else text


def documents(found: Sequence[bytes], caveats: Caveats, fields: Fields) -> Sequence[bytes]:
    """The data of points, JSON each, as `runs` has it."""
    left = permitted.documents(caveats, found)
    return left if fields is None else [_members(each, fields) for each in left]


def document(data: bytes, caveats: Caveats, fields: Fields = None) -> bytes:
    """The data of one point, JSON, as `runs` has it."""
    return documents([data], caveats, fields)[0]


def visible_fields(caveats: Caveats) -> frozenset[str] | None:
    """The fields that windows may tell of: none of those within others; None for all."""
    if caveats.fields is None:
        return None
    return frozenset(path[0] for path in caveats.fields if len(path) == 1)


def _members(data: bytes, fields: Collection[str]) -> bytes:
    """These members of a document; what is none has none, as `permitted` has it."""
    if data[:1] != b"{":
        return permitted.NOTHING
    content = _split(data)
    return msgspec.json.encode({name: content[name] for name in fields if name in content})


_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
