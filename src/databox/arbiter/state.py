"""Everything the arbiter remembers, over the database it shares with the ledger."""

from contextlib import AbstractContextManager

import apsw

from databox.arbiter.grants import Grants
from databox.arbiter.people import People
from databox.arbiter.records import Records
from databox.arbiter.schema import STEPS
from databox.kit.clock import Clock
from databox.kit.database import prepare, rows, transaction
from databox.kit.guard import EndedGrants, Guard
from databox.kit.steady import SteadyClock

OWN = ("arbiter", "ledger")
"""Targets that are answered in this process, so their secrets go to nobody."""


class State:
    """Records, grants and people, with transactions over all of them.

    Args:
        connection: The authority's database; a ledger entry written on it within `transaction`
            is written together with the change or not at all.

    Raises:
        Unavailable: the file was written by a newer version.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        prepare(connection, "arbiter", STEPS)
        self._connection = connection
        self.records = Records(connection)
        self.grants = Grants(connection)
        self.people = People(connection)
        with self.transaction():
            for name in OWN:
                self.records.ensure(name, "part")
                self.records.secret_of(name)
            self.people.end_operators()

    def transaction(self) -> AbstractContextManager[None]:
        """All changes within are written or none; durable when it ends."""
        return transaction(self._connection)

    def steady(self, clock: Clock) -> SteadyClock:
        """`clock`, but never below the latest time that was stored here."""
        found = rows(self._connection, "SELECT mark FROM arbiter_clock")
        return SteadyClock(clock, found[0][0] if found else 0, self._save_mark)

    def guard(self, target: str, clock: Clock, *, pairs: bool = True) -> Guard:
        """The guard of a target that is answered in this process: the arbiter or the ledger."""
        return Guard(target, self.records.secret_of(target), clock, EndedGrants(0, ()), pairs=pairs)

    def _save_mark(self, mark: int) -> None:
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO arbiter_clock VALUES (1, ?)", (mark,))
