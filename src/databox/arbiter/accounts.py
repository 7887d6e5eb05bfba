"""Signing in: the owner's account, sessions, and tokens for whoever is signed in."""

import re

from databox.arbiter.changes import Record
from databox.arbiter.minting import Mint
from databox.arbiter.passphrase import Passphrases
from databox.arbiter.people import LOST, RECOVERY, ROLE, SIGN_IN, Owner, digest
from databox.arbiter.policy import Ask
from databox.arbiter.state import State
from databox.kit.clock import Clock
from databox.kit.table import Call, Table
from databox.wire import api
from databox.wire.errors import BadRequest, Conflict, NotFound, Unauthenticated
from databox.wire.ledger import NEW_CODE, Login

MIN_PASSPHRASE = 8
MAX_PASSPHRASE = 1024
MAX_NAME = 60
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Accounts:
    """Endpoints about people.

    Args:
        state: What is remembered.
        mint: Makes tokens.
        passphrases: Hashes and checks, slowly.
        record: Writes a ledger entry.
        clock: A time that never goes back.
    """

    def __init__(
        self,
        state: State,
        mint: Mint,
        *,
        passphrases: Passphrases,
        record: Record,
        clock: Clock,
    ) -> None:
        self._state = state
        self._mint = mint
        self._passphrases = passphrases
        self._record = record
        self._clock = clock

    def serve(self, table: Table) -> None:
        """Put every endpoint about people into the table."""
        table.serve("owner.make", self.make_owner)
        table.serve("owner.passphrase", self.set_passphrase)
        table.serve("owner.recovery", self.expect_recovery)
        table.serve("owner.proof", self.prove_recovery)
        table.serve("owner", self.owner)
        table.serve("session.make", self.sign_in)
        table.serve("session.operator", self.operator)
        table.serve("session.check", self.check)
        table.serve("session.end", self.sign_out)
        table.serve("user-token", self.user_token)

    async def make_owner(self, call: Call) -> None:
        """Make the owner's account.

        Raises:
            Conflict: there is one.
            BadRequest: a name that cannot stand in a token, or a passphrase out of bounds.
        """
        request: api.OwnerRequest = call.message
        name = _checked_name(request.name)
        hashed = await self._passphrases.hash(_checked(request.passphrase))
        part = _spelled(request.recovery_part)
        recovery = await self._passphrases.hash(part) if part else LOST
        with self._state.transaction():
            self._state.people.make_owner(Owner(name, hashed, recovery))

    async def set_passphrase(self, call: Call) -> None:
        """Replace the passphrase, and sign out every browser.

        Raises:
            NotFound: there is no owner.
        """
        request: api.PassphraseRequest = call.message
        hashed = await self._passphrases.hash(_checked(request.passphrase))
        with self._state.transaction():
            self._state.people.set_passphrase(hashed)
            # Whoever opened the box by the code has it.
            self._state.people.set_proven()
            self._login(ok=True, how="recovery code")

    async def expect_recovery(self, call: Call) -> None:
        """There is a new recovery code: until its last part is typed, nobody has proven it.

        Raises:
            NotFound: there is no owner.
        """
        request: api.ProofRequest = call.message
        hashed = await self._passphrases.hash(_spelled(request.part[:MAX_PASSPHRASE]))
        with self._state.transaction():
            self._state.people.set_recovery(hashed)
            self._login(ok=True, how=NEW_CODE)

    async def prove_recovery(self, call: Call) -> None:
        """Check the typed part of the recovery code; once it was right, nothing of it is kept.

        Raises:
            BadRequest: it is not that part.
            Conflict: nobody was ever shown a code.
            Unauthenticated: too many wrong tries.
        """
        request: api.ProofRequest = call.message
        hashed = self._state.people.owner().recovery
        if not hashed:
            return
        if hashed == LOST:
            raise Conflict(
                "there is no recovery code that was ever shown",
                code="recovery-lost",
                remedy="Make a new recovery code in the settings",
            )
        self._count_try(RECOVERY)
        if not await self._passphrases.matches(_spelled(request.part[:MAX_PASSPHRASE]), hashed):
            raise BadRequest(
                "this is not the last part of the recovery code",
                code="recovery-part",
                field="part",
                remedy="Look at what you wrote down; the last group after the last dash",
            )
        with self._state.transaction():
            self._state.people.set_proven()

    def owner(self, call: Call) -> api.SessionOwner:
        """The owner's name, and whether the recovery code was proven."""
        owner = self._state.people.owner()
        return api.SessionOwner(
            user=owner.name, role=ROLE, thumbprint="", expires=0, proven=not owner.recovery
        )

    async def sign_in(self, call: Call) -> api.Session:
        """Make a session for the right passphrase, bound to the browser's key.

        Raises:
            Unauthenticated: the passphrase is wrong, or too many were.
            NotFound: there is no owner yet.
        """
        request: api.SessionRequest = call.message
        thumbprint = _checked_thumbprint(request.thumbprint)
        hashed = self._state.people.owner().passphrase
        self._count_try(SIGN_IN)
        if not await self._passphrases.matches(request.passphrase[:MAX_PASSPHRASE], hashed):
            with self._state.transaction():
                self._login(ok=False, how="passphrase")
            raise Unauthenticated(
                "the passphrase is wrong", code="wrong-passphrase", field="passphrase"
            )
        with self._state.transaction():
            self._state.people.forgive(SIGN_IN)
            session = self._state.people.open_session(thumbprint, self._clock.now())
            self._login(ok=True, how="passphrase", session=session)
        return session

    def operator(self, call: Call) -> api.Session:
        """A session for the command line; the box keeps it in a file of the operator's."""
        request: api.OperatorRequest = call.message
        thumbprint = _checked_thumbprint(request.thumbprint)
        with self._state.transaction():
            self._state.people.end_operators()
            session = self._state.people.open_session(thumbprint, self._clock.now(), operator=True)
            self._login(ok=True, how="command line", session=session)
        return session

    def check(self, call: Call) -> api.SessionOwner:
        """Who holds a session.

        Raises:
            Unauthenticated: nobody, or it has expired.
        """
        request: api.SessionCheck = call.message
        return self._state.people.session(_checked_digest(request.digest), self._clock.now())

    def sign_out(self, call: Call) -> None:
        """End a session; also one that has ended."""
        request: api.SessionCheck = call.message
        with self._state.transaction():
            self._state.people.end_session(_checked_digest(request.digest))

    def user_token(self, call: Call) -> api.UserToken:
        """A token for one call of whoever is signed in."""
        request: api.UserTokenRequest = call.message
        ask = Ask(target=request.target, path=request.path, method=request.method)
        return self._mint.for_person(_checked_digest(request.digest), ask)

    def _count_try(self, what: str) -> None:
        with self._state.transaction():
            self._state.people.count_try(what, self._clock.now())

    def _login(self, *, ok: bool, how: str, session: api.Session | None = None) -> None:
        try:
            user = self._state.people.owner().name
        except NotFound:
            user = ROLE
        short = digest(session.session)[:8] if session else ""
        self._record(Login(user=user, ok=ok, how=how, session=short))


def _checked(passphrase: str) -> str:
    if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
        raise BadRequest(
            "the passphrase is too short or too long",
            code="passphrase-length",
            field="passphrase",
            found=f"{len(passphrase)} characters",
            remedy=f"Take {MIN_PASSPHRASE} characters or more; four words make a good one",
        )
    return passphrase


def _checked_name(name: str) -> str:
    name = name.strip()
    if not (1 <= len(name) <= MAX_NAME and name.isprintable()):
        raise BadRequest(
            "this name cannot be used",
            field="name",
            found=ascii(name[:MAX_NAME]),
            remedy=f"Take up to {MAX_NAME} letters",
        )
    return name


def _checked_thumbprint(text: str) -> str:
    if not _THUMBPRINT.fullmatch(text):
        raise BadRequest("this is no key's thumbprint", field="thumbprint")
    return text


def _checked_digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise BadRequest("this is no SHA-256", field="digest")
    return text


def _spelled(part: str) -> str:
    """A part of the recovery code as it is compared: blanks and case do not matter."""
    return part.strip().casefold()
