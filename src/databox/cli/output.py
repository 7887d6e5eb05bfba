"""What is new in the end of a component's output, asked for again and again. Pure."""

from collections.abc import Sequence


def whole_lines(text: str) -> list[str]:
    """The lines of `text` that are ended; the last one may still be being written."""
    return text[: text.rfind("\n") + 1].splitlines()


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Lines of `now` that came after `before`; both are the last whole lines of one file.

    The beginning of `now` may be cut within a line, and the file may have begun anew.
    """
    if not before:
        return now
    for start in range(len(before)):
        known = before[start:]
        for skipped in (0, 1):
            if list(now[skipped : skipped + len(known)]) == list(known):
                return now[skipped + len(known) :]
    return now
