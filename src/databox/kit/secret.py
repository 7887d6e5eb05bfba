"""Bytes that must not be shown: a key or a password on its way to where it is used."""

import hmac
from typing import NoReturn


class Secret:
    """Holds bytes that no log line, traceback or message shows by accident.

    It has no text form, does not pickle, and compares in constant time. `reveal` is the only way
    to the bytes, so a search for that word finds every place that sees one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves; never keep or format the result."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    # A hash would let a secret be looked up, and its equality be timed, as a dictionary key.
    __hash__ = None  # type: ignore[assignment]  # the language's way to say: not hashable

    def __len__(self) -> int:
        return len(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not pickle: it would leave the process unprotected")
