"""One text for each set of tags, and none for what is not usable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store.engine.tags import LONGEST_VALUE, MOST, canonical, parse
from databox.wire.errors import BadRequest

names = st.from_regex(r"[a-z][a-z0-9_-]{0,39}", fullmatch=True)
values = st.text(min_size=1, max_size=LONGEST_VALUE).filter(str.isprintable)


@given(st.dictionaries(names, values, max_size=MOST), st.randoms())
def test_the_order_of_tags_does_not_matter(tags: dict[str, str], chance: object) -> None:
    shuffled = list(tags.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical(dict(shuffled)) == canonical(tags)
    assert parse(canonical(tags)) == tags


def test_no_tags_are_no_text() -> None:
    assert canonical({}) == ""
    assert parse("") == {}


@pytest.mark.parametrize(
    "tags",
    [
        {"Room": "x"}, {"": "x"}, {"1a": "x"}, {"a" * 41: "x"}, {"room\n": "x"},
        {"room": ""}, {"room": "a\nb"}, {"room": "x" * 129},
        {f"t{number}": "x" for number in range(17)},
    ],
)  # fmt: skip
def test_what_is_not_usable_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        canonical(tags)
