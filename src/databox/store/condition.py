"""How a store fares, in the owner's words. Decided without touching anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from databox.store.engine.points import Damage
from databox.wire.errors import DataboxError


@dataclass(frozen=True, slots=True)
class Condition:
    """`trouble`: what is wrong, "" if nothing; `remedy`: what the owner can do."""

    trouble: str = ""
    remedy: str = ""


def condition(trouble: DataboxError | None, damage: Sequence[Damage]) -> Condition:
    """What to tell of a store that cannot write because of `trouble`, and of unreadable blocks."""
    if trouble is not None:
        return Condition(
            f"{trouble.message}: nothing new is kept, what was stored is safe",
            trouble.remedy or "The log of the store has more",
        )
    if damage:
        names = sorted({each.source for each in damage})
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return Condition(
            f"a part of {names[0]}{more} cannot be read any more; all the rest can",
            "Check the disk, and restore the lost part from a backup",
        )
    return Condition()
