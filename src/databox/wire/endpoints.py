"""The one table of endpoints. Server, client, command line, documents and tests all read it.

An entry without a right cannot be written: `right` has no default.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from databox.wire import api
from databox.wire.ledger import Checkpoint


class Right(Enum):
    """What a caller must show."""

    OPEN = "open"
    """Nothing; the answer tells nothing about the owner's data."""
    CALLER = "caller"
    """To be one of `callers`, known by the pair it comes through."""
    KEY = "key"
    """An arbiter key in `X-Api-Key` or as the user of HTTP Basic."""
    TOKEN = "token"  # noqa: S105 - the name of a right, not a password
    """A token for this target, path and method."""
    OWNER = "owner"
    """A token minted for the signed-in owner (`role = owner`)."""
    SESSION = "session"
    """A browser session with its proof; the gateway itself answers."""


class Raw:
    """Body or answer that is not one of our messages: launch-era texts, catalogues, readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One line of the table.

    `service`: who answers (`store` stands for every store). `path`: `{name}` is one segment,
    `{rest...}` the tail. `public`: reachable from a browser through the gateway, same path, or
    for a store below `/api/stores/{store}`. `max_body`: bytes. `query`: its parameters and what
    they mean, for the richer interface of a store. `body_streams`: the request's body is read as it
    comes; `reply_streams`: the answer may be long, and is passed on as it comes.
    """

    name: str
    service: str
    method: str
    path: str
    request: Any
    reply: Any
    right: Right
    audited: bool
    summary: str
    callers: tuple[str, ...] = ()
    public: bool = False
    max_body: int = 64 * 1024
    query: tuple[tuple[str, str], ...] = ()
    body_streams: bool = False
    reply_streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Writes lines of one service; what a line does not say is as here."""

    service: str
    right: Right
    public: bool = False
    audited: bool = False

    def get(self, name: str, path: str, reply: Any, summary: str, **more: Any) -> Endpoint:
        # What is not our message may come with a body even here: the interface of 2017 does so.
        request = Raw if reply is Raw else NO
        return self.post(name, path, request, reply, summary, method="GET", **more)

    def post(
        self, name: str, path: str, request: Any, reply: Any, summary: str, **more: Any
    ) -> Endpoint:
        words = {
            "service": self.service,
            "method": "POST",
            "right": self.right,
            "public": self.public,
            "audited": self.audited,
            **more,
        }
        return Endpoint(
            name=name, path=path, request=request, reply=reply, summary=summary, **words
        )


NO = api.Nothing
MIB = 1024 * 1024
GIB = 1024 * MIB

# The table is written two lines an endpoint, as one reads it.
# fmt: off

_gateway = _Lines(service="gateway", right=Right.SESSION, public=True)
GATEWAY = (
    _gateway.get("status", "/api/status", api.Status,
        "In which state the box is", right=Right.OPEN),
    _gateway.post("setup", "/api/setup", api.SetupRequest, api.SetupReply,
        "First run: make the owner and the keys", right=Right.OPEN, audited=True),
    _gateway.post("login", "/api/login", api.LoginRequest, api.Session,
        "Sign in; unlocks the box if it is locked", right=Right.OPEN, audited=True),
    _gateway.post("recover", "/api/recover", api.RecoverRequest, api.Session,
        "Set a new passphrase by the recovery code", right=Right.OPEN, audited=True),
    _gateway.post("logout", "/api/logout", NO, NO, "End this session", audited=True),
    _gateway.post("recovery-proof", "/api/recovery-proof", api.ProofRequest, NO,
        "Prove that the recovery code was written down"),
    _gateway.post("recovery-code", "/api/recovery-code", api.NewRecoveryRequest,
        api.NewRecoveryReply, "Make a new recovery code; the old one opens nothing any more",
        audited=True),
    _gateway.get("whoami", "/api/whoami", api.SessionOwner, "Who is signed in"),
    _gateway.post("open", "/api/apps/{name}/open", NO, api.OpenReply, "Open an app's screen"),
    _gateway.post("canary", "/api/canary", NO, api.CanaryReply,
        "Begin a test whether this browser keeps an app's pages in"),
    _gateway.get("canary-verdict", "/api/canary/{id}", api.CanaryVerdict,
        "How that test came out"),
    _gateway.get("view", "/api/apps/{name}/view", Raw,
        "The declarative views an app shows now (a `views.Screen`)"),
    _gateway.post("form", "/api/apps/{name}/form", api.FormPost, Raw,
        "Post a form of a declarative view to its app"),
    _gateway.get("live", "/api/live", Raw,
        "WebSocket of new readings; first frame {session, proof}, then {subscribe: "
        "[[store, source]]}, each adding to the ones before; events {store, source, t, data}"),
)

_manager = _Lines(service="manager", right=Right.OWNER, public=True)
MANAGER = (
    _manager.get("offers", "/api/offers", api.Offers, "The app store page"),
    _manager.get("offer", "/api/offers/{name}", api.ConsentScreen,
        "The consent screen of an offer"),
    _manager.post("upload", "/api/packages", api.UploadRequest, api.UploadReply,
        "Upload a package from a folder or a single app file", max_body=24 * MIB),
    _manager.get("package", "/api/packages/{digest}", api.ConsentScreen,
        "The consent screen of an uploaded package"),
    _manager.post("install", "/api/install", api.InstallRequest, api.Component,
        "Install with the owner's choices", audited=True),
    _manager.get("components", "/api/components", api.Components, "Everything installed"),
    _manager.get("component", "/api/components/{name}", api.Component, "One installed component"),
    _manager.get("component-consent", "/api/components/{name}/consent", api.ConsentScreen,
        "The consent screen of an installed component, with the present choices"),
    _manager.post("choices", "/api/components/{name}/choices", api.GrantMoreRequest, api.Component,
        "Change the choices", audited=True),
    _manager.post("restart", "/api/components/{name}/restart", NO, api.Component, "Restart it"),
    _manager.post("uninstall", "/api/components/{name}/uninstall", api.UninstallRequest, NO,
        "Remove it, keeping or deleting its data", audited=True),
    _manager.get("log", "/api/components/{name}/log", api.LogReply, "The end of its own output"),
    _manager.get("sources", "/api/sources", api.Sources, "Every data source"),
    _manager.get("left", "/api/left", api.LeftSources, "What removed drivers left on the box"),
    _manager.post("forget", "/api/left/{name}/forget", NO, NO,
        "Forget a removed driver's source: its key is destroyed, then the rest", audited=True),
    _manager.post("stop-access", "/api/stop-access", api.StopAccessRequest, api.StopAccessReply,
        "End grants, at once and everywhere", audited=True),
    _manager.get("parts", "/api/parts", api.BoxReport, "What runs and what it uses"),
)

_arbiter = _Lines(service="arbiter", right=Right.OWNER, public=True)
_arbiter_inner = _Lines(service="arbiter", right=Right.CALLER, audited=True)
ARBITER = (
    _arbiter.get("grants", "/api/grants", api.Grants,
        "Who may see what; ?ended=1 shows ended grants too"),
    _arbiter_inner.get("arbiter.status", "/status", Raw,
        "`active`", right=Right.OPEN, audited=False),
    _arbiter_inner.get("arbiter.ui", "/ui", Raw,
        "A page of routes and caveats", callers=("manager", "gateway")),
    _arbiter_inner.post("cm.upsert", "/cm/upsert-container-info", Raw, Raw,
        "Make or change a record", right=Right.KEY, callers=("manager",)),
    _arbiter_inner.post("cm.delete", "/cm/delete-container-info", Raw, Raw,
        "Delete a record", right=Right.KEY, callers=("manager",)),
    _arbiter_inner.post("cm.grant", "/cm/grant-container-permissions", Raw, Raw,
        "Grant a route", right=Right.KEY, callers=("manager",)),
    _arbiter_inner.post("cm.revoke", "/cm/revoke-container-permissions", Raw, Raw,
        "Revoke routes", right=Right.KEY, callers=("manager",)),
    _arbiter_inner.get("store.secret", "/store/secret", Raw,
        "The secret to check tokens with", right=Right.KEY),
    _arbiter_inner.get("arbiter.cat", "/cat", Raw,
        "Root catalogue, filtered by the caller's grants", right=Right.KEY, audited=False),
    _arbiter_inner.post("token", "/token", Raw, Raw, "Mint a token", right=Right.KEY),
    _arbiter_inner.post("owner.make", "/owner", api.OwnerRequest, NO,
        "Make the owner's account", callers=("gateway",)),
    _arbiter_inner.post("owner.passphrase", "/owner/passphrase", api.PassphraseRequest, NO,
        "Replace the passphrase; the box sends it after the recovery code opened the keys",
        callers=("box",)),
    _arbiter_inner.post("owner.recovery", "/owner/recovery", api.ProofRequest, NO,
        "There is a new recovery code, with this last part to prove", callers=("box",)),
    _arbiter_inner.post("owner.proof", "/owner/recovery-proof", api.ProofRequest, NO,
        "Check the typed part of the recovery code", callers=("gateway",)),
    _arbiter_inner.get("owner", "/owner", api.SessionOwner,
        "The owner's name", callers=("gateway",), audited=False),
    _arbiter_inner.post("session.make", "/sessions", api.SessionRequest, api.Session,
        "Sign in", callers=("gateway",)),
    _arbiter_inner.post("session.operator", "/sessions/operator", api.OperatorRequest, api.Session,
        "A session for the command line", callers=("box",)),
    _arbiter_inner.post("session.check", "/sessions/check", api.SessionCheck, api.SessionOwner,
        "Who holds a session", callers=("gateway",), audited=False),
    _arbiter_inner.post("session.end", "/sessions/end", api.SessionCheck, NO,
        "Sign out", callers=("gateway",)),
    _arbiter_inner.post("user-token", "/user-token", api.UserTokenRequest, api.UserToken,
        "Mint a five-minute token for the signed-in person", callers=("gateway",)),
    _arbiter_inner.post("component.make", "/components", api.ComponentRequest, NO,
        "Make a component known", callers=("manager", "box")),
    _arbiter_inner.post("component.remove", "/components/{name}/remove", NO, NO,
        "Forget a component and end its grants", callers=("manager",)),
    _arbiter_inner.post("grant.make", "/grants", api.GrantRequest, api.Grant,
        "Make a grant", callers=("manager",)),
    _arbiter_inner.post("grant.end", "/grants/{id}/end", NO, api.Grant,
        "End a grant", callers=("manager",)),
    _arbiter_inner.get("grant.list", "/grants", api.Grants,
        "Grants in force", callers=("manager",), audited=False),
    _arbiter_inner.get("epoch", "/epoch", api.Epoch,
        "The caller's revocation epoch (a store, export-service or manager asks for "
        "itself)", audited=False),
)

_ledger = _Lines(service="ledger", right=Right.OWNER, public=True)
_ledger_inner = _Lines(service="ledger", right=Right.CALLER, audited=True)
LEDGER = (
    _ledger.get("history", "/api/history", api.History,
        "The ledger newest first: ?before=&limit=&component=&kind=&since=&until=; by=day "
        "tells each day that since= and until= touch, whole, with what repeats summed up, by days "
        "of zone= minutes east of UTC, whole quarters of an hour; technical=0 leaves out what "
        "only concerns the box's inner working"),
    _ledger.get("bundle", "/api/history/bundle", Raw,
        "The whole ledger as JSON lines, checkpoint last; in pages: ?from=N gives at most 4 MiB "
        "of entries, and ends with {\"next\": N} instead where more follow"),
    _ledger.get("checkpoint", "/api/history/checkpoint", Checkpoint, "A signed checkpoint of now"),
    _ledger.get("verdict", "/api/history/verdict", api.Verdict,
        "The box's own check of the whole ledger"),
    _ledger.get("inclusion", "/api/history/inclusion", api.Inclusion,
        "What shows that entry n= is among the first size= (those of the newest checkpoint)"),
    _ledger.get("consistency", "/api/history/consistency", api.Consistency,
        "What shows that the first to= entries (those of the newest checkpoint) begin with the "
        "same from= ones"),
    _ledger.get("reads", "/api/history/reads", api.Reads,
        "Who read what, how exact and how much: ?component=&store=&source=&since=&until=, whole "
        "quarters of an hour that these times (Unix ms) touch"),
    _ledger.get("alarms", "/api/history/alarms", api.Alarms,
        "What was put back or changed, and not accepted"),
    _ledger.post("accept", "/api/history/accept", api.AcceptRequest, NO,
        "Let a source go on with what is there, although it is not what was known",
        audited=True),
    _ledger_inner.get("known-head", "/known-head", api.KnownHead,
        "The head that the calling store told last", callers=("store",), audited=False),
    _ledger_inner.post("entries", "/entries", api.EntryRequest, api.EntryReply,
        "Write entries; the kinds allowed depend on the caller", max_body=MIB,
        callers=("manager", "export-service", "switchboard", "store")),
)

_export = _Lines(service="export-service", right=Right.OWNER, public=True)
_export_inner = _Lines(service="export-service", right=Right.TOKEN, audited=True)
EXPORT = (
    _export.get("exports", "/api/exports", api.Exports, "What left, what waits to leave"),
    _export.get("export", "/api/exports/{id}", api.ExportItem, "One export with its exact bytes"),
    _export.post("export-cancel", "/api/exports/{id}/cancel", NO, api.ExportItem,
        "Do not send it", audited=True),
    _export.post("export-retry", "/api/exports/{id}/retry", NO, api.ExportItem,
        "Try again a failed one", audited=True),
    _export_inner.get("export.status", "/status", Raw, "`active`", right=Right.OPEN, audited=False),
    _export_inner.post("export.polling", "/export", Raw, Raw,
        "Queue or ask for the state", max_body=MIB),
    _export_inner.post("export.long-poll", "/lp/export", Raw, Raw,
        "The same, waiting for a change", max_body=MIB),
    _export_inner.get("export.websocket", "/ws/export", Raw, "The same over a WebSocket"),
    _export_inner.post("export.epoch", "/epoch", api.EpochRequest, NO,
        "Grants ended", right=Right.CALLER, callers=("manager",), audited=False),
)

_STRETCH = (("from", "The first time, Unix ms"), ("to", "The last time, Unix ms"))
_LIMIT = ("limit", "How many at most")
_FIELDS = ("fields", "The members to show of each document, separated by commas")
_TAGS = ("tag.NAME", "Only series that have this tag; several must all fit")
_PREFIX = ("prefix", "How the keys begin")
_store = _Lines(service="store", right=Right.TOKEN, audited=True)
STORE = (
    _store.get("store.status", "/status", Raw, "`active`", right=Right.OPEN, audited=False),
    _store.post("store.epoch", "/epoch", api.EpochRequest, NO,
        "Grants ended", right=Right.CALLER, callers=("manager",), audited=False),
    _store.get("store.chain", "/chain", api.ChainReply,
        "The store's check of its own record of accesses, and whether the ledger knows the same",
        right=Right.OWNER, public=True, audited=False),
    _store.get("store.cat", "/cat", Raw, "The catalogue", public=True, audited=False),
    _store.post("store.register", "/cat", Raw, Raw, "Register a data source"),
    _store.post("ts.write", "/{source}/ts", Raw, Raw, "Write a reading", max_body=MIB),
    _store.get("ts.latest", "/{source}/ts/latest", Raw, "The latest reading", public=True),
    _store.get("ts.since", "/{source}/ts/since", Raw,
        "Readings since startTimestamp (JSON body or query)", public=True),
    _store.get("ts.range", "/{source}/ts/range", Raw,
        "Readings between startTimestamp and endTimestamp (JSON body or query)", public=True),
    _store.get("ts.points", "/{source}/ts/points", api.Points,
        "Points in order of time, as columns; numbers also in binary, for who accepts "
        "application/vnd.databox.columns", public=True, reply_streams=True,
        query=(*_STRETCH, _LIMIT, ("order", "`oldest` (the usual) or `newest` first"),
               ("cursor", "`next` of the answer before, to go on behind it"), _FIELDS, _TAGS)),
    _store.get("ts.at", "/{source}/ts/at", Raw,
        "The reading that held at a moment, the newest up to it, in an array", public=True,
        query=(("t", "The moment, Unix ms"), _TAGS)),
    _store.get("ts.length", "/{source}/ts/length", api.Length,
        "How many points there are", public=True, query=(*_STRETCH, _TAGS)),
    _store.get("ts.series", "/{source}/ts/series", api.Series,
        "The tags of each series", public=True, query=(_TAGS,)),
    _store.get("ts.windows", "/{source}/ts/windows", api.Windows,
        "What the points come to, in windows aligned to 1970", public=True, reply_streams=True,
        query=(*_STRETCH, ("every", "The windows' length: `PT15M`, `PT1H`, `P1D`"),
               ("of", "Some of `count,sum,min,max,mean,median,sd` and percentiles such as `p95`"),
               ("field", "Members of documents, separated by commas; all that are numbers if none"),
               ("by", "`series`: each by itself; else all together"), _TAGS)),
    _store.get("ts.tail", "/{source}/ts/tail", Raw,
        "Follow a source as it is written, by Server-Sent Events or over a WebSocket",
        query=(("after", "The `id` of the last event that came, or in Last-Event-ID"),
               _FIELDS, _TAGS)),
    _store.post("ts.columns", "/{source}/ts/columns", api.Columns, api.Written,
        "Write many points of one series, as JSON or, with the tags in the query, binary columns",
        max_body=8 * MIB, query=(_TAGS,)),
    _store.post("ts.delete", "/{source}/ts/delete", api.Deletion, api.Deleted,
        "Delete points of a stretch, or all of a source", public=True),
    _store.post("kv.write", "/{key}/kv", Raw, Raw, "Write a value", max_body=MIB),
    _store.get("kv.read", "/{key}/kv", Raw, "Read a value", public=True),
    _store.post("kv.delete", "/{key}/kv/delete", NO, api.ValueDeleted,
        "Delete a value (of people, the owner)", public=True),
    _store.get("kv.list", "/kv", api.Keys, "Keys in order", public=True,
        query=(_PREFIX, ("after", "`next` of the answer before, to go on behind it"), _LIMIT)),
    _store.get("kv.count", "/kv/count", api.KeyCount, "How many keys there are", public=True,
        query=(_PREFIX,)),
    _store.post("object.write", "/{key}/object", Raw, Raw,
        "Write an object of any kind and size: its content as body, its media type as "
        "Content-Type; gives {digest, size}", public=True, max_body=4 * GIB, body_streams=True),
    _store.get("object.read", "/{key}/object", Raw,
        "Read an object, or a part of it by Range", public=True, reply_streams=True),
    _store.post("object.delete", "/{key}/object/delete", Raw, Raw,
        "Delete an object", public=True),
    _store.post("objects.write", "/{key}/objects/{name}", Raw, Raw,
        "Write one of a source's many objects, as object.write; its key is {key}/{name}",
        public=True, max_body=4 * GIB, body_streams=True),
    _store.get("objects.read", "/{key}/objects/{name}", Raw,
        "Read one of a source's many objects", public=True, reply_streams=True),
    _store.post("objects.delete", "/{key}/objects/{name}/delete", Raw, Raw,
        "Delete one of a source's many objects", public=True),
    _store.get("objects.list", "/{key}/objects", Raw,
        "A source's many objects in order of their keys: ?prefix=&after=&limit=", public=True),
    _store.get("object.list", "/objects", Raw,
        "All objects in order of their keys: ?prefix=&after=&limit=", public=True),
    _store.post("object.forget", "/{key}/object/forget", Raw, Raw,
        "Delete every object of a source", public=True),
    _store.get("store.retention", "/retention", api.Retentions,
        "For how long each source keeps single points (the owner)", public=True),
    _store.get("store.retention-preview", "/{source}/retention", api.RetentionPreview,
        "What a rule of ?days= would drop now, none without days (the owner)", public=True),
    _store.post("store.retain", "/{source}/retention", api.RetentionRequest,
        api.RetentionPreview, "Keep single points of a source for so many days, then hourly sums "
        "alone; drops at once what is older, and says what (the owner)", public=True),
    _store.get("store.ws", "/ws", Raw, "WebSocket of subscribed events"),
    _store.get("store.sub", "/sub/{source}/{kind}", Raw, "Subscribe"),
    _store.get("store.unsub", "/unsub/{source}/{kind}", Raw, "End a subscription"),
)

# fmt: on

ENDPOINTS: tuple[Endpoint, ...] = (*GATEWAY, *MANAGER, *ARBITER, *LEDGER, *EXPORT, *STORE)

BY_NAME: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
