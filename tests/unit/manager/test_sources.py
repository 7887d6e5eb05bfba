"""Catalogue items as rows of the picker: what a driver declares is only as good as it is usable."""

import pytest

from databox.manager.sources import row


def fields(listed: object) -> tuple[str, ...]:
    """The members of a source whose driver declares these."""
    pairs = [{"rel": "urn:X-databox:rels:hasFields", "val": listed}]
    return row("walk-store", "walk", {"item-metadata": pairs}).fields


def test_declared_members_are_listed_in_their_order() -> None:
    assert fields("lon, lat,position.lat") == ("lon", "lat", "position.lat")


@pytest.mark.parametrize("listed", ["", ",", "a..b", "x" * 101, "\x07", True, 7.5, None])
def test_what_no_caveat_can_name_is_left_out(listed: object) -> None:
    assert fields(listed) in ((), (str(listed),))
    assert fields("x" * 101 + ",a") == ("a",)


def test_no_more_are_listed_than_a_caveat_may_have() -> None:
    assert len(fields(",".join(f"a{number}" for number in range(100)))) == 64
