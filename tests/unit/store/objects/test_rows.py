"""Which key holds which file: none is lost that somebody needs, none kept that nobody does."""

from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databox.kit.database import transaction
from databox.store.objects import rows
from databox.store.objects.rows import ObjectRows
from databox.store.objects.stored import Stored
from databox.store.writes import DeleteObject, DeleteObjects, NewObject, ObjectWrite, Superfluous

KEYS = ("photos", "photos/1", "photos/2", "photos-old/1", "photos_", "notes")
CONTENTS = (b"a", b"b", b"c")


class Shelf:
    """The rows, the files that would be there, and what the keys ought to hold."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.pragma("foreign_keys", "on")
        self.connection.execute(rows.STEPS[0])
        self.rows = ObjectRows(self.connection)
        self.files: dict[bytes, bytes] = {}
        self.held: dict[str, bytes] = {}
        self._made = 0

    def do(self, change: ObjectWrite) -> Superfluous | None:
        with transaction(self.connection):
            superfluous = rows.write(self.connection, change)
        for name in superfluous or ():
            del self.files[name]
        return superfluous

    def put(self, key: str, content: bytes) -> None:
        self._made += 1
        name = self._made.to_bytes(16, "big")
        self.files[name] = content
        self.held[key] = content
        self.do(NewObject(key, "text/plain", self._made, Stored(name, name * 2, content * 64, 1)))

    def delete(self, key: str) -> None:
        gone = self.do(DeleteObject(key))
        assert (gone is None) == (self.held.pop(key, None) is None)

    def forget(self, source: str) -> None:
        before = len(self.held)
        self.held = {
            key: content
            for key, content in self.held.items()
            if key != source and not key.startswith(f"{source}/")
        }
        gone = self.do(DeleteObjects(source))
        assert (gone is None) == (len(self.held) == before)

    def check(self) -> None:
        listed = self.rows.listed("", "", 100)
        assert [each.key for each in listed] == sorted(self.held)
        assert {each.key: self.files[each.stored.name] for each in listed} == self.held
        assert sorted(self.files.values()) == sorted(set(self.held.values()))
        secrets = self.connection.execute("SELECT count(*) FROM object").fetchall()
        assert secrets == [(len(self.files),)]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    yield Shelf()


STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.sampled_from(CONTENTS)),
    st.tuples(st.just("delete"), st.sampled_from(KEYS)),
    st.tuples(st.just("forget"), st.sampled_from(KEYS)),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(STEPS, max_size=25))
def test_a_file_is_there_exactly_as_long_as_a_key_holds_its_content(
    steps: list[tuple[str, ...]],
) -> None:
    shelf = Shelf()
    for what, *arguments in steps:
        getattr(shelf, what)(*arguments)
        shelf.check()


def test_a_list_goes_on_behind_its_last_key_within_its_prefix(shelf: Shelf) -> None:
    for key in KEYS:
        shelf.put(key, b"a")
    keys = [each.key for each in shelf.rows.listed("photos", "", 3)]
    assert keys == ["photos", "photos-old/1", "photos/1"]
    assert [each.key for each in shelf.rows.listed("photos", keys[-1], 9)] == [
        "photos/2",
        "photos_",
    ]
    assert shelf.rows.listed("x", "", 9) == []


def test_only_what_there_is_is_known(shelf: Shelf) -> None:
    shelf.put("notes", b"a")
    (name,) = shelf.files
    assert shelf.rows.known([name, bytes(16), b""]) == {name}
    assert shelf.rows.known([]) == set()
