r"""Ledger entries: what is written down, by whom it may be written, and how a line is hashed.

A leaf is the exact bytes of one entry's JSON as stored. Over all leaves stands the Merkle tree of
RFC 6962, and its root is what a checkpoint signs, by Ed25519, as the text

    <origin>\n<size>\n<base64 root>\ntime <Unix ms>\n

`origin` names the ledger: `databox/` and the first 16 hex digits of the SHA-256 of its public key.
So a checkpoint is a C2SP tlog-checkpoint with one extension line, in a C2SP signed note.
"""

import hashlib

import msgspec


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class BoxStarted(_Entry, tag="box-started", frozen=True, kw_only=True):
    """The box was unlocked and its parts run."""

    version: str
    clean: bool


NEW_CODE = "new recovery code"
"""How a `Login` was meant, where the passphrase was given to make a new recovery code."""


class Login(_Entry, tag="login", frozen=True, kw_only=True):
    """Somebody proved who they are, or failed to; `session` is a short name of the session."""

    user: str
    ok: bool
    how: str
    session: str = ""


class Installed(_Entry, tag="installed", frozen=True, kw_only=True):
    """A component was installed from the package with this digest."""

    component: str
    kind: str
    title: str
    version: str
    package: str
    signer: str


class Uninstalled(_Entry, tag="uninstalled", frozen=True, kw_only=True):
    """A component was removed; `kept`: its data stayed."""

    component: str
    kept: bool


class Consent(_Entry, tag="consent", frozen=True, kw_only=True):
    """The owner agreed; `text` is exactly what the consent screen said, `choices` its JSON."""

    component: str
    text: str
    choices: str
    user: str


class Granted(_Entry, tag="granted", frozen=True, kw_only=True):
    """A grant was made: `client` may do these `routes` on `target`, under these caveats.

    `kind` and `source` as in the grant; `label`: what was called so then, a source or a place.
    """

    grant: str
    client: str
    target: str
    routes: tuple[str, ...]
    caveats: tuple[str, ...]
    kind: str = ""
    source: str = ""
    label: str = ""


class Revoked(_Entry, tag="revoked", frozen=True, kw_only=True):
    """A grant ended. `why`: by the owner, uninstall, expiry, narrowed; the rest as it was made."""

    grant: str
    client: str
    target: str
    why: str
    kind: str = ""
    source: str = ""
    label: str = ""


class TokenMinted(_Entry, tag="token", frozen=True, kw_only=True):
    """The arbiter minted a token under a grant; `count`: so many of the same kind in a while."""

    grant: str
    client: str
    target: str
    method: str
    path: str
    count: int = 1


class Refused(_Entry, tag="refused", frozen=True, kw_only=True):
    """Somebody asked and was told no; equal refusals within a minute are one line with a count."""

    client: str
    target: str
    method: str
    path: str
    why: str
    count: int = 1


class ExportIntent(_Entry, tag="export-intent", frozen=True, kw_only=True):
    """Written before anything is sent: these bytes are about to leave for this address."""

    export: str
    client: str
    url: str
    size: int
    sha256: str
    grant: str


class ExportOutcome(_Entry, tag="export-outcome", frozen=True, kw_only=True):
    """How it went: `sent`, `failed`, `unknown`, `cancelled`, `refused`."""

    export: str
    client: str
    url: str
    outcome: str
    status: int = 0
    detail: str = ""


class Egress(_Entry, tag="egress", frozen=True, kw_only=True):
    """A component's connections to one outside name since the last such line."""

    component: str
    host: str
    connections: int
    sent: int
    received: int


class StoreHead(_Entry, tag="store-head", frozen=True, kw_only=True):
    """The head of a store's own chain of access records; hex, and how many records it covers."""

    store: str
    head: str
    records: int


class Access(_Entry, tag="access", frozen=True, kw_only=True):
    """A summary of accesses since the last one: one line per client, stream, exactness, operation.

    `operation`: read, write, subscribe, delete, keep (say for how long), refuse. `earliest`,
    `latest`: of the data touched, Unix ms.
    `label`: what the driver called the source then, so that the line still tells it later.
    """

    store: str
    client: str
    user: str
    source: str
    exact: str
    operation: str
    count: int
    items: int
    size: int
    earliest: int | None = None
    latest: int | None = None
    label: str = ""


class Discrepancy(_Entry, tag="discrepancy", frozen=True, kw_only=True):
    """What is kept is not what the ledger knows: it was put back, changed, or both.

    `store`: whose records of access, or `ledger` itself. `why`: `fewer` (than were told of),
    `other` (not those that were told of), `broken` (they do not follow from each other), `behind`
    (the ledger knows fewer than it was told of). `known`, `found`: records known to the ledger and
    there; their heads in hex. `detail`: where, if that can be said.
    """

    store: str
    why: str
    known: int
    found: int
    known_head: str = ""
    found_head: str = ""
    detail: str = ""


class Accepted(_Entry, tag="accepted", frozen=True, kw_only=True):
    """The owner lets a store go on with what is there, although it is not what was known."""

    store: str
    user: str


class Lifecycle(_Entry, tag="lifecycle", frozen=True, kw_only=True):
    """A component or part crashed, was restarted, paused or stopped."""

    component: str
    event: str
    reason: str = ""


Event = (
    BoxStarted
    | Login
    | Installed
    | Uninstalled
    | Consent
    | Granted
    | Revoked
    | TokenMinted
    | Refused
    | ExportIntent
    | ExportOutcome
    | Egress
    | StoreHead
    | Access
    | Discrepancy
    | Accepted
    | Lifecycle
)


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: `n` from 0, `t` Unix ms, `by` the part that wrote it."""

    n: int
    t: int
    by: str
    event: Event


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed statement of the ledger's state. `root`, `key`, `signature`: base64."""

    size: int
    root: str
    time: int
    key: str
    signature: str


ALLOWED: dict[str, frozenset[type]] = {
    "manager": frozenset({Installed, Uninstalled, Consent, Lifecycle}),
    "arbiter": frozenset({BoxStarted, Login, Granted, Revoked, TokenMinted, Refused}),
    "export-service": frozenset({ExportIntent, ExportOutcome, Refused}),
    "switchboard": frozenset({Egress}),
    "store": frozenset({StoreHead, Access, Refused, Discrepancy}),
}
"""Which entries each caller may write. A store may only write entries that name itself.

What else there is (`Accepted`, a store's head as a line) the ledger writes by itself.
"""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one stored line. Source: RFC 6962, 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()
