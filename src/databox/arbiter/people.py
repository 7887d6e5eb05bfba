"""The owner's account, wrong tries, and sessions.

A session is 32 random bytes that only the browser has; here is its SHA-256, and the thumbprint of
the browser's key that every use of it must be proven by.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_bytes

import apsw

from databox.arbiter.policy import SESSION_MS, wait_after
from databox.kit.database import rows
from databox.wire import api
from databox.wire.errors import Conflict, NotFound, Unauthenticated

ROLE = "owner"
MAX_SESSIONS = 100
SIGN_IN = "sign-in"
RECOVERY = "recovery"
"""What wrong tries are counted for."""
LOST = "lost"
"""In place of a recovery code's hash: it was made, and no browser came to show it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner. `passphrase`, `recovery`: hashes; `recovery` may be "" (proven) or `LOST`."""

    name: str
    passphrase: str
    recovery: str


class People:
    """Reads and writes; every change within the caller's transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def owner(self) -> Owner:
        """The owner of this box.

        Raises:
            NotFound: there is none yet.
        """
        found = rows(self._connection, "SELECT name, passphrase, recovery FROM arbiter_owner")
        if not found:
            raise NotFound("this box has no owner yet", code="no-owner", remedy="Set it up first")
        return Owner(*found[0])

    def make_owner(self, owner: Owner) -> None:
        """Write the owner's account.

        Raises:
            Conflict: there is one.
        """
        if rows(self._connection, "SELECT 1 FROM arbiter_owner"):
            raise Conflict("this box has an owner already", code="owner-exists", remedy="Sign in")
        self._connection.execute(
            "INSERT INTO arbiter_owner VALUES (1, ?, ?, ?)",
            (owner.name, owner.passphrase, owner.recovery),
        )

    def set_passphrase(self, hashed: str) -> None:
        """Replace the passphrase; whoever was signed in by the old one is signed out.

        Raises:
            NotFound: there is no owner.
        """
        self.owner()
        self._connection.execute("UPDATE arbiter_owner SET passphrase = ?", (hashed,))
        self._connection.execute("DELETE FROM arbiter_session WHERE NOT operator")
        self.forgive(SIGN_IN)

    def set_proven(self) -> None:
        """The owner has proven the recovery code: nothing of it is kept any longer."""
        self._connection.execute("UPDATE arbiter_owner SET recovery = ''")
        self.forgive(RECOVERY)

    def set_recovery(self, hashed: str) -> None:
        """Another recovery code is to be proven.

        Raises:
            NotFound: there is no owner.
        """
        self.owner()
        self._connection.execute("UPDATE arbiter_owner SET recovery = ?", (hashed,))
        self.forgive(RECOVERY)

    def count_try(self, what: str, now: int) -> None:
        """Count a try as wrong until `forgive` is called, so that a crash does not make it free.

        Raises:
            Unauthenticated: too many were wrong, and the wait is not over.
        """
        found = rows(
            self._connection, "SELECT wrong, next FROM arbiter_tries WHERE what = ?", (what,)
        )
        wrong, following = found[0] if found else (0, 0)
        if now < following:
            raise Unauthenticated(
                "too many wrong tries",
                code="too-many-tries",
                remedy=f"Wait {-(-(following - now) // 1000)} seconds",
            )
        self._connection.execute(
            "INSERT OR REPLACE INTO arbiter_tries VALUES (?, ?, ?)",
            (what, wrong + 1, now + wait_after(wrong + 1)),
        )

    def forgive(self, what: str) -> None:
        """Forget wrong tries, after a right one."""
        self._connection.execute("DELETE FROM arbiter_tries WHERE what = ?", (what,))

    def open_session(self, thumbprint: str, now: int, *, operator: bool = False) -> api.Session:
        """Make a session for the owner; the oldest goes where there are too many."""
        session = urlsafe_b64encode(token_bytes(32)).rstrip(b"=").decode()
        expires = now + SESSION_MS
        self._connection.execute(
            "INSERT INTO arbiter_session VALUES (?, ?, ?, ?, ?)",
            (digest(session), operator, thumbprint, now, expires),
        )
        self._connection.execute(
            "DELETE FROM arbiter_session WHERE digest IN"
            " (SELECT digest FROM arbiter_session ORDER BY made DESC, digest LIMIT -1 OFFSET ?)",
            (MAX_SESSIONS,),
        )
        return api.Session(session=session, user=self._name(), expires=expires)

    def session(self, digest: str, now: int) -> api.SessionOwner:
        """Who holds a session.

        Raises:
            Unauthenticated: nobody, or it has expired.
        """
        found = rows(
            self._connection,
            "SELECT thumbprint, expires FROM arbiter_session WHERE digest = ? AND expires > ?",
            (digest, now),
        )
        if not found:
            raise Unauthenticated("this session has ended", code="no-session", remedy="Sign in")
        thumbprint, expires = found[0]
        return api.SessionOwner(
            user=self._name(),
            role=ROLE,
            thumbprint=thumbprint,
            expires=expires,
            proven=self._proven(),
        )

    def end_session(self, digest: str) -> None:
        """Forget a session."""
        self._connection.execute("DELETE FROM arbiter_session WHERE digest = ?", (digest,))

    def end_operators(self) -> None:
        """Forget the command line's sessions: each start of the box makes a new one."""
        self._connection.execute("DELETE FROM arbiter_session WHERE operator")

    def forget_expired(self, now: int) -> None:
        """Forget sessions whose time is over."""
        self._connection.execute("DELETE FROM arbiter_session WHERE expires <= ?", (now,))

    def _proven(self) -> bool:
        try:
            return not self.owner().recovery
        except NotFound:
            return False

    def _name(self) -> str:
        """The owner's name; the operator's session may be made before there is an owner."""
        try:
            return self.owner().name
        except NotFound:
            return ROLE


def digest(session: str) -> str:
    """SHA-256 of a session, hex: the form in which it is kept and asked about."""
    return hashlib.sha256(session.encode()).hexdigest()
