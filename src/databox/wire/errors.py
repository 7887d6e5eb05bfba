"""Errors, named for whose fault they are; each has a stable code that travels on the wire."""

from typing import Any


class DataboxError(Exception):
    """Something that was asked cannot be done.

    `message` says what was asked and what is wrong, `field` where, `found` what was there
    instead, and `remedy` what to do next.
    """

    status = 500
    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.found = found
        self.remedy = remedy

    def as_json(self) -> dict[str, Any]:
        """What clients receive: `{"error": {code, message, field?, found?, remedy?}}`."""
        parts = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "found": self.found,
            "remedy": self.remedy,
        }
        return {"error": {key: value for key, value in parts.items() if value is not None}}

    def __str__(self) -> str:
        text = self.message
        if self.field:
            text = f"{self.field}: {text}"
        if self.found:
            text += f" (found: {self.found})"
        if self.remedy:
            text += f". {self.remedy}"
        return text


class BadRequest(DataboxError):
    """The caller sent something that is not well formed or not allowed by the schema."""

    status = 400
    code = "bad-request"


class Denied(DataboxError):
    """The caller is known or unknown, and has no right to this."""

    status = 403
    code = "denied"


class Unauthenticated(Denied):
    """The caller showed no credential, or one that does not hold."""

    status = 401
    code = "unauthenticated"


class NotFound(DataboxError):
    """What was named does not exist, or must look so to this caller."""

    status = 404
    code = "not-found"


class Conflict(DataboxError):
    """The request is sound but does not fit the present state."""

    status = 409
    code = "conflict"


class TooLarge(BadRequest):
    """A bound on size was passed."""

    status = 413
    code = "too-large"


class Unavailable(DataboxError):
    """The box cannot do this now; the same request may work later."""

    status = 503
    code = "unavailable"


class TooOften(Denied):
    """More requests than a permission allows in a stretch of time. `wait`: seconds."""

    status = 429
    code = "rate"

    def __init__(self, message: str, *, wait: int = 1, **words: str | None) -> None:
        super().__init__(message, **words)
        self.wait = wait


_BY_STATUS: dict[int, type[DataboxError]] = {
    error.status: error
    for error in (
        BadRequest,
        Denied,
        Unauthenticated,
        NotFound,
        Conflict,
        TooLarge,
        TooOften,
        Unavailable,
    )
}


def from_json(status: int, answer: object) -> DataboxError:
    """Make the error that a peer answered with; the inverse of `as_json`."""
    fields = answer.get("error") if isinstance(answer, dict) else None
    known = ("code", "field", "found", "remedy")
    kind = _BY_STATUS.get(status, DataboxError)
    if not isinstance(fields, dict):
        return kind(f"the peer answered {status}")
    words = {key: str(fields[key]) for key in known if fields.get(key) is not None}
    return kind(str(fields.get("message", f"the peer answered {status}")), **words)
