"""The ledger's tree as it is kept: what is asked of it costs a few reads, however long it is.

The hash of each line stands beside the line. Above them only complete subtrees of `_LEAST` and
more levels are kept, a row for eight lines; smaller ones are made again from their lines' hashes.
"""

from typing import Final

import apsw

from databox.kit.database import rows
from databox.ledger import tree
from databox.wire.ledger import leaf_hash

_LEAST: Final = 4
_BATCH = 512

FORMAT: Final = """
    CREATE TABLE ledger_node (
        level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
        PRIMARY KEY (level, place)) WITHOUT ROWID;
    CREATE TRIGGER ledger_node_no_change BEFORE UPDATE ON ledger_node
        BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_node_no_removal BEFORE DELETE ON ledger_node
        BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    """


class Nodes:
    """The tree over the lines in one database.

    Args:
        connection: The ledger's database, with its tables made.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def grow(self, size: int) -> None:
        """Keep the subtrees that line number `size - 1` completes; within its transaction."""
        level = _LEAST
        while size and size % (1 << level) == 0:
            self._keep(level, (size >> level) - 1)
            level += 1

    def root(self, size: int) -> bytes:
        """The root over the first `size` lines."""
        return tree.root(self._node, size)

    def inclusion(self, n: int, size: int) -> list[bytes]:
        """What shows that line `n` is among the first `size`."""
        return tree.inclusion(self._node, n, size)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """What shows that the first `size` lines begin with the same `old` ones."""
        return tree.consistency(self._node, old, size)

    def plant(self) -> None:
        """Hash all lines of a ledger that had no tree, and make the tree; in a transaction."""
        size = 0
        while found := rows(
            self._connection,
            "SELECT n, leaf FROM ledger_entry WHERE n >= ? ORDER BY n LIMIT ?",
            (size, _BATCH),
        ):
            self._connection.executemany(
                "UPDATE ledger_entry SET hash = ? WHERE n = ?",
                [(leaf_hash(leaf), n) for n, leaf in found],
            )
            for n, _ in found:
                self.grow(n + 1)
            size = found[-1][0] + 1

    def _keep(self, level: int, place: int) -> None:
        if level == _LEAST:
            made = self._made(level, place)
        else:
            made = tree.node_hash(
                self._node(level - 1, 2 * place), self._node(level - 1, 2 * place + 1)
            )
        self._connection.execute("INSERT INTO ledger_node VALUES (?, ?, ?)", (level, place, made))

    def _node(self, level: int, place: int) -> bytes:
        if level < _LEAST:
            return self._made(level, place)
        found = rows(
            self._connection,
            "SELECT hash FROM ledger_node WHERE level = ? AND place = ?",
            (level, place),
        )
        return bytes(found[0][0])

    def _made(self, level: int, place: int) -> bytes:
        found = rows(
            self._connection,
            "SELECT hash FROM ledger_entry WHERE n >= ? AND n < ? ORDER BY n",
            (place << level, (place + 1) << level),
        )
        return tree.folded([row[0] for row in found])
