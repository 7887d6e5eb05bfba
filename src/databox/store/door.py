"""The door of a store: no request passes without a good token, and none without being recorded."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from databox.kit.clock import Clock
from databox.kit.guard import Guard, Verified
from databox.kit.http.message import Answer, Held, Request, Response
from databox.kit.refusals import Refusals
from databox.store import audit
from databox.store.audit import REFUSE, Record
from databox.store.file import NewState, Outcome, Write
from databox.store.rates import Rates
from databox.store.writer import Writer
from databox.wire.errors import DataboxError, Denied, TooOften, Unauthenticated, Unavailable
from databox.wire.ledger import Refused
from databox.wire.tokens import BadToken

Handler = Callable[[Request, Verified], Awaitable[Answer]]

AtOnce = Callable[[Request, Verified], Held | None]

_MISSING = b"Missing API key/token"
_INVALID = b"Invalid API key/token"


class Door:
    """Checks tokens, and records what passes and what does not.

    Args:
        guard: Checks a token against a request, and knows which grants have ended.
        writer: Where accesses are recorded.
        clock: A time that never goes back.
        rates: Counts requests where a token allows only so many.
    """

    def __init__(self, guard: Guard, writer: Writer, clock: Clock, rates: Rates) -> None:
        self._guard = guard
        self._rates = rates
        self._writer = writer
        self._clock = clock
        self._refusals = Refusals(clock, self._write_down)
        self.closed: Unavailable | None = None
        self._written: asyncio.Future[None] | None = None

    def behind(
        self, handler: Handler, at_once: AtOnce | None = None, *, explain: bool = False
    ) -> Callable[[Request], Awaitable[Answer]]:
        """Let `handler` answer the requests that may pass.

        `at_once`: tried first, for what is answered very often from memory. `explain`: refuse in
        our own words, instead of the two sentences of 2017 that its clients know.
        """

        def guarded(request: Request) -> Awaitable[Answer]:
            if self.closed is not None:
                raise self.closed
            try:
                verified = self._guard.check(request)
                _permit_person(verified)
            except Unauthenticated as error:
                return self._refuse(request, error, explain)
            request.token = verified
            if verified.caveats.rates:
                return self._counted(request, verified, handler, explain)
            held = at_once(request, verified) if at_once else None
            return held or self._answered(request, verified, handler, explain)

        return guarded

    async def record(self, verified: Verified, record: bytes) -> None:
        """Record an access; only when this returns may the answer leave.

        Raises:
            BadToken: the grant ended in the meantime.
            Unavailable: nothing was recorded.
        """
        self._permit_still(verified)
        await self._writer.record(record)

    def hold(self, answer: Response, record: bytes) -> Held:
        """An answer made in the same breath as its token was checked, until it is recorded."""
        return Held(answer, self._writer.record(record), unavailable)

    def hold_write(
        self, write: Write, record: bytes, answer: Callable[[Outcome], Response]
    ) -> Held:
        """A write in the same breath as its token was checked; `answer` is made of its outcome."""
        submission, recorded = self._writer.submit(write, (record,))
        return Held(lambda: answer(submission.outcome()), recorded, unavailable)

    async def write(self, verified: Verified, write: Write, *records: bytes) -> Outcome:
        """Write, and record accesses beside it; only when this returns may the answer leave.

        Raises:
            BadToken: the grant ended in the meantime.
            Unavailable: nothing was written or recorded.
        """
        self._permit_still(verified)
        return await self._writer.write(write, records)

    async def write_alone(self, write: Write, *records: bytes) -> Outcome:
        """Write what the store does by a standing rule, for nobody who asks now.

        Raises:
            Unavailable: nothing was written or recorded.
        """
        return await self._writer.write(write, records)

    def _permit_still(self, verified: Verified) -> None:
        # Checked again: reading may have taken a while, and once the arbiter was told that
        # access is stopped nothing may leave.
        if self._guard.ended.has_ended(verified.grant):
            raise BadToken("access was stopped", code="grant-ended")

    async def _counted(
        self, request: Request, verified: Verified, handler: Handler, explain: bool
    ) -> Answer:
        """Count the request, durably, before anything of it is answered."""
        try:
            taken = await self._rates.take(verified)
            await asyncio.gather(
                *(self._writer.write(NewState(each.name, each.number)) for each in taken)
            )
        except TooOften as error:
            refused = await self._refuse(request, error, explain)
            return refused if refused.status != 401 else _wait(error)
        except Unavailable as error:
            return unavailable(error)
        return await self._answered(request, verified, handler, explain)

    async def _answered(
        self, request: Request, verified: Verified, handler: Handler, explain: bool
    ) -> Answer:
        try:
            return await handler(request, verified)
        except Unauthenticated as error:
            return await self._refuse(request, error, explain)
        except Unavailable as error:
            return unavailable(error)

    def holds(self, verified: Verified) -> bool:
        """Whether a token's grant and time still hold, for what goes on after a request."""
        in_time = verified.caveats.permits_time(self._clock.now())
        return in_time and not self._guard.ended.has_ended(verified.grant)

    async def write_down_refusals(self, *, all_of_them: bool = False) -> None:
        """Record how often the refusals came that were only counted so far."""
        self._refusals.finish() if all_of_them else self._refusals.flush()
        if self._written is not None:
            await self._written

    async def _refuse(self, request: Request, error: Denied, explain: bool) -> Response:
        self._refusals.note(request.caller, "", request.method, request.path, error.code)
        try:
            # What was written last is durable after all that came before, so also after the
            # refusal like this one that this one was only counted with.
            if self._written is not None:
                await self._written
        except Unavailable as trouble:
            return unavailable(trouble)
        reason = (("X-Databox-Reason", error.code),)
        if explain:
            return Response(401, msgspec.json.encode(error.as_json()), headers=reason)
        text = _MISSING if error.code == "token-missing" else _INVALID
        return Response(401, text, "text/plain", reason)

    def _write_down(self, refused: Refused) -> None:
        asked = f"{refused.method} {refused.path}"
        record = Record(refused.client, "", "", REFUSE, asked, refused.why, items=refused.count)
        self._written = self._writer.record(audit.encode(record))


def _permit_person(verified: Verified) -> None:
    """A member of the household sees the sources that the token names; the owner sees all.

    Raises:
        BadToken: it is a member's and names none.
    """
    if verified.user and not verified.is_owner and verified.caveats.datasources is None:
        raise BadToken("the token does not say what this person may see", code="token-user")


def _wait(error: TooOften) -> Response:
    """The answer to who must wait."""
    headers = (("Retry-After", str(error.wait)), ("X-Databox-Reason", error.code))
    return Response(error.status, msgspec.json.encode(error.as_json()), headers=headers)


def access(  # noqa: PLR0913 - the fields of a record
    verified: Verified,
    operation: str,
    source: str,
    *,
    items: int = 0,
    size: int = 0,
    earliest: int | None = None,
    latest: int | None = None,
) -> bytes:
    """One access under this token, encoded for the chain."""
    return audit.encode(
        Record(
            verified.client,
            verified.user,
            verified.grant,
            operation,
            source,
            verified.caveats.exactness,
            items,
            size,
            earliest,
            latest,
        )
    )


def unavailable(error: DataboxError) -> Response:
    """The answer of a store that cannot write, and so must not answer."""
    status = 507 if error.code == "disk-full" else 503
    return Response(status, str(error).encode(), "text/plain", (("Retry-After", "2"),))
