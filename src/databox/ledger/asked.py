"""What the query of a request asks for. Pure.

Every function raises `BadRequest`, which names the parameter, for one that cannot be used.
"""

from collections.abc import Mapping

from databox.ledger.chain import Wanted
from databox.ledger.reads import Asked
from databox.ledger.summing import QUARTER_MINUTES
from databox.ledger.sums import Days
from databox.wire.errors import BadRequest


def wanted(asked: Mapping[str, str]) -> Wanted:
    """Which entries."""
    return Wanted(
        before=optional(asked, "before"),
        component=asked.get("component", ""),
        kind=asked.get("kind", ""),
        since=optional(asked, "since"),
        until=optional(asked, "until"),
    )


def days(asked: Mapping[str, str], zone: int) -> Days:
    """Which days."""
    if zone % QUARTER_MINUTES:
        # Sums are kept by the quarter; no time zone of today needs less.
        raise _unfit("zone", str(zone), "minutes that are whole quarters of an hour")
    entries = wanted(asked)
    return Days(
        zone=zone,
        before=entries.before,
        component=entries.component,
        kind=entries.kind,
        since=entries.since,
        until=entries.until,
    )


def reads(asked: Mapping[str, str]) -> Asked:
    """Whose reads of what."""
    return Asked(
        component=asked.get("component", ""),
        store=asked.get("store", ""),
        source=asked.get("source", ""),
        since=optional(asked, "since"),
        until=optional(asked, "until"),
    )


def optional(asked: Mapping[str, str], name: str) -> int | None:
    """A number from 0 on, None if it is not given."""
    return number(asked, name, 0, 0, 2**53) if name in asked else None


def number(asked: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    """A whole number within bounds, `usual` if it is not given."""
    text = asked.get(name, str(usual))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 16):
        raise _unfit(name, text, "a whole number")
    if not least <= int(text) <= most:
        raise _unfit(name, text, f"a number from {least} to {most}")
    return int(text)


def choice(asked: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of several words, the first if it is not given."""
    text = asked.get(name, choices[0])
    if text not in choices:
        raise _unfit(name, text, f"one of {', '.join(choices)}")
    return text


def _unfit(name: str, found: str, wanted: str) -> BadRequest:
    return BadRequest(
        "the parameter cannot be used", field=name, found=found[:80], remedy=f"Give {wanted}"
    )
