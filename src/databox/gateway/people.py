"""Who is calling: sessions checked at the arbiter, and five-minute tokens to act for them."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from databox.gateway.hosts import Origins
from databox.gateway.proof import Expected, Used, verify
from databox.kit.clock import Clock
from databox.kit.dialer import Dialer
from databox.kit.http.message import Request
from databox.wire import api
from databox.wire.errors import NotFound, Unauthenticated, Unavailable

_KEPT_MS = 5_000
_MOST = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in. `digest`: SHA-256 of the session, hex."""

    digest: str
    user: str
    role: str
    thumbprint: str
    expires: int


class People:
    """Knows sessions for five seconds at most, so an ended one is refused within that time."""

    def __init__(self, dialer: Dialer, origins: Origins, clock: Clock) -> None:
        self._dialer = dialer
        self._origins = origins
        self._clock = clock
        self._used = Used()
        self._known: dict[str, tuple[int, Person]] = {}
        self._tokens: dict[tuple[str, str, str, str], api.UserToken] = {}

    async def caller(self, request: Request) -> Person:
        """The person behind a call of the API.

        Raises:
            Unauthenticated: no session, an ended one, or no sound proof.
        """
        kind, _, session = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "dpop" or not session:
            raise Unauthenticated("you are not signed in", code="no-session", remedy="Sign in")
        return await self.prove(
            session, request.headers.get("dpop", ""), request.method, request.path
        )

    async def prove(self, session: str, proof: str, method: str, path: str) -> Person:
        """The person whose session and proof these are.

        Raises:
            Unauthenticated: as `caller`.
        """
        expected = Expected(method, self._origins.shell + path, session, self._clock.now())
        proven = verify(proof, expected)
        person = await self._person(hashlib.sha256(session.encode()).hexdigest())
        if person.thumbprint != proven.thumbprint or person.expires <= expected.now:
            raise Unauthenticated("this session belongs to another browser", code="proof")
        self._used.take(proven, expected.now)
        return person

    async def still(self, person: Person) -> bool:
        """Whether the session still holds, for connections that stay open."""
        try:
            return (await self._person(person.digest)).expires > self._clock.now()
        except Unauthenticated:
            return False

    async def token(
        self, person: Person, target: str, method: str, path: str, *, fresh: bool = False
    ) -> str:
        """A token to do one thing as this person; kept until a minute before it ends.

        `fresh`: the kept one was refused.
        """
        key = (person.digest, target, method, path)
        kept = self._tokens.get(key)
        if fresh or kept is None or kept.expires - 60_000 < self._clock.now():
            if len(self._tokens) >= _MOST:
                self._tokens.clear()
            kept = await self._dialer.call(
                "user-token",
                api.UserTokenRequest(digest=person.digest, target=target, path=path, method=method),
            )
            self._tokens[key] = kept
        return kept.token

    async def acting(
        self,
        person: Person,
        target: str,
        method: str,
        path: str,
        act: Callable[[str], Awaitable[T]],
    ) -> T:
        """Do one thing as this person; `act` takes the token, and a new one if that is refused.

        A store that was deleted and made again has another secret, so it refuses what was minted
        before; what was refused has changed nothing, so it may be tried twice.

        Raises:
            Unavailable: the new one is refused too; it says nothing about the session.
        """
        try:
            return await act(await self.token(person, target, method, path))
        except Unauthenticated:
            token = await self.token(person, target, method, path, fresh=True)
        try:
            return await act(token)
        except Unauthenticated as error:
            raise _refused(error) from error

    async def acting_once(
        self,
        person: Person,
        target: str,
        method: str,
        path: str,
        act: Callable[[str], Awaitable[T]],
    ) -> T:
        """As `acting`, for what cannot be tried twice, such as passing on an upload.

        Raises:
            Unavailable: the token is refused.
        """
        token = await self.token(person, target, method, path, fresh=True)
        try:
            return await act(token)
        except Unauthenticated as error:
            raise _refused(error) from error

    async def end(self, person: Person) -> None:
        """Sign out."""
        await self._dialer.call("session.end", api.SessionCheck(digest=person.digest))
        self._known.pop(person.digest, None)
        self._tokens = {k: v for k, v in self._tokens.items() if k[0] != person.digest}

    async def _person(self, digest: str) -> Person:
        now = self._clock.now()
        kept = self._known.get(digest)
        if kept and now - kept[0] < _KEPT_MS:
            return kept[1]
        try:
            owner: api.SessionOwner = await self._dialer.call(
                "session.check", api.SessionCheck(digest=digest)
            )
        except (NotFound, Unauthenticated) as error:
            self._known.pop(digest, None)
            raise Unauthenticated("this session has ended", code="no-session") from error
        person = Person(digest, owner.user, owner.role, owner.thumbprint, owner.expires)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (now, person)
        return person


def _refused(error: Unauthenticated) -> Unavailable:
    return Unavailable(
        "the box could not look this up for you",
        code="refused-inside",
        found=error.code,
        remedy="Try again in a few seconds; if it stays so, restart the box",
    )
