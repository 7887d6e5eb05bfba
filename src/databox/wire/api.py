"""Messages of the box's own HTTP interfaces, the public one and those between parts."""

from typing import Any, Literal

import msgspec

from databox.wire import views
from databox.wire.exactness import Exactness
from databox.wire.ledger import Access, Checkpoint, Entry, Event
from databox.wire.manifest import Manifest
from databox.wire.sla import Choices, ExportChoice, SourceChoice


class _Api(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Nothing(_Api, frozen=True, kw_only=True):
    """An empty body, or an empty object."""


# First run, signing in (gateway).


class Status(_Api, frozen=True, kw_only=True):
    """What anybody may know. `owner`: the name to greet, empty before set-up or while locked."""

    state: Literal["new", "locked", "starting", "running", "failing"]
    owner: str = ""
    version: str = ""
    detail: str = ""


class SetupRequest(_Api, frozen=True, kw_only=True):
    """First run. `code`: the one-time code; `key`: the browser's public key as a JWK (P-256)."""

    code: str
    name: str
    passphrase: str
    mode: Literal["locked", "automatic"]
    key: dict[str, str]


class SetupReply(_Api, frozen=True, kw_only=True):
    """`recovery_code`: shown once, kept by nobody."""

    session: str
    recovery_code: str


class LoginRequest(_Api, frozen=True, kw_only=True):
    """Sign in, and unlock the box if it is locked."""

    passphrase: str
    key: dict[str, str]


class RecoverRequest(_Api, frozen=True, kw_only=True):
    """Set a new passphrase by the recovery code."""

    recovery_code: str
    passphrase: str
    key: dict[str, str]


class Session(_Api, frozen=True, kw_only=True):
    """A session bound to the browser's key."""

    session: str
    user: str
    expires: int


class NewRecoveryRequest(_Api, frozen=True, kw_only=True):
    """Make a new recovery code: whoever holds a session alone cannot."""

    passphrase: str


class NewRecoveryReply(_Api, frozen=True, kw_only=True):
    """`recovery_code`: shown once, kept by nobody; the one before opens nothing any more."""

    recovery_code: str


class ProofRequest(_Api, frozen=True, kw_only=True):
    """The owner types a part of the recovery code: `part` is its last group, as shown."""

    part: str


# Between gateway and arbiter.


class OwnerRequest(_Api, frozen=True, kw_only=True):
    """Make the owner's account. `recovery_part`: the group of the recovery code to prove later."""

    name: str
    passphrase: str
    recovery_part: str


class SessionRequest(_Api, frozen=True, kw_only=True):
    """Ask for a session by passphrase. `thumbprint`: of the browser's key, RFC 7638."""

    passphrase: str
    thumbprint: str


class PassphraseRequest(_Api, frozen=True, kw_only=True):
    """Replace the owner's passphrase, after the box itself was opened by the recovery code."""

    passphrase: str


class OperatorRequest(_Api, frozen=True, kw_only=True):
    """The box asks for the command line's session, bound to a key it made."""

    thumbprint: str


class SessionCheck(_Api, frozen=True, kw_only=True):
    """Who holds this session? Only its SHA-256 (hex) is sent."""

    digest: str


class SessionOwner(_Api, frozen=True, kw_only=True):
    """The holder of a session. `role`: owner; `proven`: the owner has the recovery code."""

    user: str
    role: str
    thumbprint: str
    expires: int
    proven: bool = False


class UserTokenRequest(_Api, frozen=True, kw_only=True):
    """A five-minute token for one call of the signed-in person."""

    digest: str
    target: str
    path: str
    method: str


class UserToken(_Api, frozen=True, kw_only=True):
    """`token`: a serialized macaroon; `expires`: Unix ms."""

    token: str
    expires: int


class Epoch(_Api, frozen=True, kw_only=True):
    """The revocation epoch of one target: grants that ended, and the number of the last change."""

    epoch: int
    ended: tuple[str, ...]
    now: int


class EpochRequest(_Api, frozen=True, kw_only=True):
    """The manager tells a callee that grants ended; answered once it is durable there."""

    epoch: int
    ended: tuple[str, ...]


# Grants.


class Grant(_Api, frozen=True, kw_only=True):
    """One grant, as the owner sees it. Times in Unix ms.

    `kind`: source, act, export, own (a driver's own store), part (the box itself). `label`: what
    the source was called, or the hosts, when the grant was made. `exact`: as in `wire.exactness`;
    `fields`: the only members of its documents that may be seen, None for all.
    """

    id: str
    client: str
    target: str
    kind: str
    source: str = ""
    exact: str = "raw"
    fields: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    destinations: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    label: str = ""
    made: int = 0
    ended: int | None = None
    last_used: int | None = None


class Route(_Api, frozen=True, kw_only=True):
    """A method and a path pattern."""

    method: str
    path: str


class GrantRequest(_Api, frozen=True, kw_only=True):
    """The manager asks the arbiter to make one grant."""

    client: str
    target: str
    kind: str
    routes: tuple[Route, ...]
    caveats: tuple[str, ...] = ()
    source: str = ""
    exact: str = "raw"
    fields: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    destinations: tuple[str, ...] = ()
    label: str = ""


class Grants(_Api, frozen=True, kw_only=True):
    """All grants in force; ended ones only when asked for."""

    grants: tuple[Grant, ...]


class ComponentRequest(_Api, frozen=True, kw_only=True):
    """The manager makes a component known to the arbiter. `key`: base64 of 32 bytes."""

    name: str
    type: Literal["app", "driver", "store", "export-service", "part"]
    key: str


# App store, install, components (manager).


class Offer(_Api, frozen=True, kw_only=True):
    """A package of the app store page. `icon`: its picture as a `data:` URL, or empty."""

    name: str
    title: str
    kind: Literal["app", "driver"]
    version: str
    maker: str
    description: str
    installed: bool
    signer: str
    icon: str = ""


class Offers(_Api, frozen=True, kw_only=True):
    """The app store page."""

    offers: tuple[Offer, ...]


class SourceRow(_Api, frozen=True, kw_only=True):
    """A data source on the box. `store`, `id`: where it is; `path` of its values `/<id>/ts`.

    `fields`: the members of its documents that may be chosen from, as its driver declares them.
    """

    store: str
    id: str
    type: str
    description: str
    unit: str
    vendor: str
    store_type: str
    actuator: bool
    driver: str
    fields: tuple[str, ...] = ()


class StoreTrouble(_Api, frozen=True, kw_only=True):
    """A store that does not do all it should. `remedy`: what to do; `since`: Unix ms."""

    store: str
    what: str
    since: int
    remedy: str = ""


class Sources(_Api, frozen=True, kw_only=True):
    """Every data source that the owner's stores list, and the stores that are in trouble."""

    sources: tuple[SourceRow, ...]
    troubles: tuple[StoreTrouble, ...] = ()


class LeftSource(_Api, frozen=True, kw_only=True):
    """What a removed driver left. `name`: of the driver; `store`: where it lies."""

    name: str
    store: str


class LeftSources(_Api, frozen=True, kw_only=True):
    """Everything that removed drivers left."""

    sources: tuple[LeftSource, ...]


class AskRow(_Api, frozen=True, kw_only=True):
    """One ask of the consent screen: candidates to pick, and drivers that would provide one.

    `current`: the answer in force, None where nothing is allowed or its time is over.
    """

    clientid: str
    type: str
    why: str
    required: bool
    exact: tuple[Exactness, ...]
    far_back: int | None
    act: bool
    candidates: tuple[SourceRow, ...]
    providers: tuple[Offer, ...]
    current: SourceChoice | None = None


class ExportRow(_Api, frozen=True, kw_only=True):
    """One destination of the consent screen. `host`: of the URL; `current`: as in an ask."""

    url: str
    host: str
    description: str
    what: str
    reply: bool
    current: ExportChoice | None = None


class ConsentScreen(_Api, frozen=True, kw_only=True):
    """Everything the consent screen shows, computed by the box.

    `headline`: "Stays on your box" or "Sends to …"; `signature`: in words; `does`: what it may do
    beyond reading; `outside`: hosts a driver reaches; `notes`: true combinations only.
    """

    name: str
    title: str
    kind: Literal["app", "driver"]
    version: str
    maker: str
    package: str
    signature: str
    purpose: str
    headline: str
    leaves: bool
    asks: tuple[AskRow, ...]
    exports: tuple[ExportRow, ...]
    outside: tuple[str, ...]
    provides: tuple[str, ...]
    notes: tuple[str, ...]
    pages: bool
    installed: bool
    icon: str = ""


class InstallRequest(_Api, frozen=True, kw_only=True):
    """Install with these choices. `text`: exactly what the screen showed, for the ledger."""

    name: str
    package: str
    choices: Choices
    text: str


class Component(_Api, frozen=True, kw_only=True):
    """An installed driver or app.

    `state`: installing, starting, running, restarting, stopped, failed; `detail` in plain words.
    `screen`: views, pages, none; `scheme`: http or https, of its own pages; `inline`: they carry
    inline scripts. `leaves`: it may send something out. `icon`: a `data:` URL, or empty.
    """

    name: str
    title: str
    kind: Literal["app", "driver"]
    version: str
    maker: str
    state: str
    detail: str
    screen: str
    leaves: bool
    invented: bool
    restarts: int
    package: str
    installed: int
    description: str = ""
    level: str = ""
    memory: int = 0
    scheme: str = "http"
    inline: bool = False
    icon: str = ""


class Components(_Api, frozen=True, kw_only=True):
    """Everything installed."""

    components: tuple[Component, ...]


class UninstallRequest(_Api, frozen=True, kw_only=True):
    """`keep`: keep the data it brought in or made.

    `readers`: who may see what is kept goes on seeing it, for who puts it back at once.
    """

    keep: bool = False
    readers: bool = False


class StopAccessRequest(_Api, frozen=True, kw_only=True):
    """End grants now: one by id, or all of a component, or all of a source."""

    grant: str = ""
    component: str = ""
    store: str = ""
    source: str = ""


class StopAccessReply(_Api, frozen=True, kw_only=True):
    """How many grants ended, and the milliseconds until each callee had confirmed."""

    ended: int
    took_ms: int


class GrantMoreRequest(_Api, frozen=True, kw_only=True):
    """Change an installed component's choices; only the difference is granted or revoked."""

    component: str
    choices: Choices
    text: str


class UploadRequest(_Api, frozen=True, kw_only=True):
    """A package from a folder: relative paths and base64 contents, at most 16 MiB together."""

    files: dict[str, str]
    describe: str = ""


class UploadReply(_Api, frozen=True, kw_only=True):
    """The unpacked package; its consent screen is at `/api/packages/<digest>`."""

    package: str
    name: str


class LogReply(_Api, frozen=True, kw_only=True):
    """The end of a component's own output."""

    text: str


class PartRow(_Api, frozen=True, kw_only=True):
    """A process of the box or an instance, for `status` and the doctor.

    `trouble`: why a store does not do all it should, with what to do and since when (Unix ms).
    """

    name: str
    state: str
    memory: int
    cpu: float
    restarts: int
    since: int
    level: str = ""
    trouble: str = ""
    remedy: str = ""
    trouble_since: int = 0


class BoxReport(_Api, frozen=True, kw_only=True):
    """What runs and what it uses."""

    version: str
    parts: tuple[PartRow, ...]


# Ledger.


class EntryRequest(_Api, frozen=True, kw_only=True):
    """Entries that a part wants written; all or none."""

    events: tuple[Event, ...]


class EntryReply(_Api, frozen=True, kw_only=True):
    """The number of the last one written: it is durable.

    `watched`: somebody is looking at the History, so news should come soon.
    """

    last: int
    watched: bool = False


class HistoryRow(_Api, frozen=True, kw_only=True):
    """An entry with its sentence for people. `technical`: it tells of the box's inner working."""

    entry: Entry
    sentence: str
    technical: bool = False


class History(_Api, frozen=True, kw_only=True):
    """Newest first. `next`: pass as `before` to go on, None at the end."""

    rows: tuple[HistoryRow, ...]
    next: int | None


class Verdict(_Api, frozen=True, kw_only=True):
    """Whether the ledger is whole; `problem` names what is wrong and where."""

    ok: bool
    size: int
    checkpoint: Checkpoint | None
    problem: str = ""


class Inclusion(_Api, frozen=True, kw_only=True):
    """That entry `n`, whose exact text is `leaf`, is among the first `size`.

    `path`: hashes in base64, from the leaf up. Source: RFC 6962, 2.1.1.
    """

    n: int
    size: int
    leaf: str
    path: tuple[str, ...]


class Consistency(_Api, frozen=True, kw_only=True):
    """That the first `size` entries begin with the same `old` ones.

    `path`: hashes in base64. Source: RFC 6962, 2.1.2.
    """

    old: int
    size: int
    path: tuple[str, ...]


class ReadsRow(_Api, frozen=True, kw_only=True):
    """All reads of one kind: who, what, how exact; `access` has the sums.

    `first`, `last`: when the first and the last were written down, Unix ms.
    """

    access: Access
    first: int
    last: int
    sentence: str


class Reads(_Api, frozen=True, kw_only=True):
    """Who read what; the latest first. `since`, `until`: what is told, in whole quarter hours.

    `more`: there are more kinds of reads than fit; ask more narrowly.
    """

    rows: tuple[ReadsRow, ...]
    since: int | None
    until: int | None
    more: bool = False


class KnownHead(_Api, frozen=True, kw_only=True):
    """What the ledger knows of a store's own chain: its head in hex, and of how many records."""

    head: str = ""
    records: int = 0


class RetentionRequest(_Api, frozen=True, kw_only=True):
    """Keep single points for `days`, then hourly sums alone; None keeps everything."""

    days: int | None


class RetentionRow(_Api, frozen=True, kw_only=True):
    """The rule of one source; `points`: how many single points it holds."""

    source: str
    days: int | None
    points: int


class Retentions(_Api, frozen=True, kw_only=True):
    """The rule of every source of a store."""

    sources: tuple[RetentionRow, ...]


class RetentionPreview(_Api, frozen=True, kw_only=True):
    """What a rule drops: `drops` of `points` single points, those before `before`, Unix ms."""

    source: str
    days: int | None
    points: int
    drops: int
    before: int | None


class ChainReply(_Api, frozen=True, kw_only=True):
    """A store's check of its own record of accesses; `why` and `detail` as in `Discrepancy`."""

    ok: bool
    records: int
    why: str = ""
    detail: str = ""


class Alarms(_Api, frozen=True, kw_only=True):
    """What was put back or changed, and the owner has not accepted."""

    alarms: tuple[HistoryRow, ...]


class AcceptRequest(_Api, frozen=True, kw_only=True):
    """Let a store go on with what is there."""

    store: str


# Points and keys of a store.


class Columns(_Api, frozen=True, kw_only=True):
    """Points of one series. `timestamps`: Unix ms, in any order; `data`: any JSON, equally many."""

    timestamps: tuple[int, ...]
    data: tuple[Any, ...]
    tags: dict[str, str] = {}


class Points(_Api, frozen=True, kw_only=True):
    """A page of points. `next`: pass as `cursor` to go on, None at the end.

    Where there are tags, `series` lists those of each series, and `of` has for each point its
    place in that list.
    """

    timestamps: tuple[int, ...]
    data: tuple[Any, ...]
    next: str | None
    series: tuple[dict[str, str], ...] = ()
    of: tuple[int, ...] = ()


class Length(_Api, frozen=True, kw_only=True):
    """How many points."""

    length: int


class Series(_Api, frozen=True, kw_only=True):
    """The tags of each series of a source."""

    series: tuple[dict[str, str], ...]


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One window of one field, empty for bare numbers, with a member for each name in `of`.

    `start`: Unix ms. `tags`: of its series, where they were asked for each by itself.
    `approximate`: its percentiles are right to one percent only.
    """

    start: int
    field: str
    tags: dict[str, str] = {}
    approximate: bool = False


class Windows(_Api, frozen=True, kw_only=True):
    """Windows in order of time, without the empty ones. `every`: their length, ms."""

    every: int
    windows: tuple[WindowRow, ...]


class Written(_Api, frozen=True, kw_only=True):
    """How many points were written."""

    written: int


class Deletion(_Api, frozen=True, kw_only=True):
    """What to delete: from `from` to `to`, Unix ms, both inclusive, of one series or all.

    `whole`: everything of the source, and then nothing else is said.
    """

    first: int | None = msgspec.field(default=None, name="from")
    last: int | None = msgspec.field(default=None, name="to")
    tags: dict[str, str] | None = None
    whole: bool = False


class Deleted(_Api, frozen=True, kw_only=True):
    """How many points there were."""

    deleted: int


class ValueDeleted(_Api, frozen=True, kw_only=True):
    """Whether there was a value."""

    deleted: bool


class Keys(_Api, frozen=True, kw_only=True):
    """Keys in order. `next`: pass as `after` to go on, None at the end."""

    keys: tuple[str, ...]
    next: str | None


class KeyCount(_Api, frozen=True, kw_only=True):
    """How many keys."""

    count: int


# Exports, as the owner sees them.


class ExportItem(_Api, frozen=True, kw_only=True):
    """One export, with its exact bytes.

    `state`: waiting (for review), queued, sending, retrying, sent, failed, unknown, cancelled.
    `data`: the bytes as text, cut at 64 KiB. Times in Unix ms.
    """

    id: str
    client: str
    url: str
    state: str
    size: int
    sha256: str
    made: int
    tries: int
    next_try: int | None
    detail: str
    data: str = ""


class Exports(_Api, frozen=True, kw_only=True):
    """Newest first."""

    exports: tuple[ExportItem, ...]


# Screens.


class OpenReply(_Api, frozen=True, kw_only=True):
    """How to show an app: `views` at `/api/apps/<name>/view`, or a page whose frame is `origin`."""

    screen: Literal["views", "pages", "none"]
    origin: str = ""
    ticket: str = ""


class CanaryReply(_Api, frozen=True, kw_only=True):
    """A test of the browser: pages of one origin to be framed, each of which tries to get out."""

    id: str
    frames: tuple[str, ...]


class CanaryVerdict(_Api, frozen=True, kw_only=True):
    """How it came out. `out`: the attempts that got out; empty and `open`: some did not run."""

    state: Literal["running", "sealed", "open"]
    out: tuple[str, ...] = ()


FormPost = views.FormPost


class ManifestReply(_Api, frozen=True, kw_only=True):
    """A manifest as read."""

    manifest: Manifest
