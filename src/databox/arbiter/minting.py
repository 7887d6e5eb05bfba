"""Mints tokens: for components under a grant, for the signed-in person for one call."""

from base64 import b64encode
from collections import Counter
from secrets import token_bytes

from databox.arbiter import policy
from databox.arbiter.passes import Passes
from databox.arbiter.policy import Ask
from databox.arbiter.state import State
from databox.kit.clock import Clock
from databox.kit.guard import USER_GRANT
from databox.wire import api, tokens
from databox.wire.errors import NotFound, Unavailable
from databox.wire.ledger import TokenMinted

GATEWAY = "gateway"
MAX_A_MINUTE = 600
"""Tokens for one client; each is a ledger entry, so more would let a client fill the disk."""


class Mint:
    """Makes tokens and records each in the transaction that notes its grant as used.

    Args:
        state: What is remembered.
        passes: Writes down that a token was minted.
        clock: A time that never goes back.
        location: What tokens name as their origin; clients do not look at it.
    """

    def __init__(self, state: State, passes: Passes, clock: Clock, *, location: str) -> None:
        self._state = state
        self._passes = passes
        self._clock = clock
        self._location = location
        self._minute = 0
        self._minted: Counter[str] = Counter()

    def for_component(self, client: str, ask: Ask) -> str | None:
        """A token under one grant of the client, or None if no grant covers what it asks.

        Raises:
            Unavailable: the client has had very many in this minute.
        """
        now = self._clock.now()
        held = self._state.grants.held(client, ask.target)
        minting = policy.decide(ask, held, now)
        if minting is None:
            return None
        self._count(client, now)
        with self._state.transaction():
            self._state.grants.used(minting.grant, now)
            return self._token(client, minting.grant, ask, minting.caveats)

    def for_person(self, digest: str, ask: Ask) -> api.UserToken:
        """A five-minute token for whoever holds the session with this digest.

        Raises:
            Unauthenticated: the session has ended.
            BadRequest: there is nothing for people under this path.
            NotFound: there is no such target.
            Unavailable: the target has not fetched its secret yet.
        """
        now = self._clock.now()
        person = self._state.people.session(digest, now)
        caveats = policy.user_caveats(ask, person.user, person.role, now)
        target = self._state.records.find(ask.target)
        if target is None:
            raise NotFound(
                "there is nothing of this name on the box", field="target", found=ask.target[:40]
            )
        if target.secret is None:
            raise Unavailable("this is still starting", found=ask.target)
        with self._state.transaction():
            token = self._token(GATEWAY, USER_GRANT, ask, caveats)
        return api.UserToken(token=token, expires=now + policy.USER_TOKEN_MS)

    def _token(self, client: str, grant: str, ask: Ask, caveats: tuple[str, ...]) -> str:
        # 24 bytes make 32 characters of standard base64 without padding or a colon.
        nonce = b64encode(token_bytes(24)).decode()
        self._passes.note(
            TokenMinted(
                grant=grant, client=client, target=ask.target, method=ask.method, path=ask.path
            )
        )
        return tokens.mint(
            self._state.records.secret_of(ask.target),
            location=self._location,
            identifier=f"{client}:{grant}:{nonce}",
            caveats=caveats,
        )

    def _count(self, client: str, now: int) -> None:
        minute = now // 60_000
        if minute != self._minute:
            self._minute, self._minted = minute, Counter()
        self._minted[client] += 1
        if self._minted[client] > MAX_A_MINUTE:
            raise Unavailable(
                "too many tokens in a minute", code="too-many-tokens", remedy="Keep and reuse them"
            )
