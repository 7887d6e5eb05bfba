"""How a store fares, in the owner's words."""

from databox.store.condition import Condition, condition
from databox.store.engine.points import Damage
from databox.wire.errors import Unavailable

FULL = Unavailable("the disk is full", code="disk-full", remedy="Free some space")


def lost(source: str) -> Damage:
    return Damage(source, "", 0, 1, "check")


def test_a_sound_store_has_nothing_to_tell() -> None:
    assert condition(None, []) == Condition()


def test_a_store_that_cannot_write_says_why_and_what_to_do() -> None:
    assert condition(FULL, []) == Condition(
        "the disk is full: nothing new is kept, what was stored is safe", "Free some space"
    )


def test_what_cannot_be_read_is_named_and_the_rest_is_said_to_be_well() -> None:
    told = condition(None, [lost("lamp"), lost("lamp"), lost("door")])
    assert told.trouble == "a part of door and 1 more cannot be read any more; all the rest can"


def test_not_writing_comes_before_not_reading() -> None:
    assert condition(FULL, [lost("lamp")]).trouble.startswith("the disk is full")
