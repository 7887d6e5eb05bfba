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
    for a store below `/api/stores/{store}`. `max_body`: bytes.
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


def _public(
    service: str, method: str, path: str, messages: tuple[Any, Any], summary: str, **more: Any
) -> Endpoint:
    return Endpoint(
        name=more.pop("name"),
        service=service,
        method=method,
        path=path,
        request=messages[0],
        reply=messages[1],
        right=more.pop("right", Right.OWNER),
        audited=more.pop("audited", False),
        summary=summary,
        public=True,
        **more,
    )


def _inner(
    service: str, method: str, path: str, messages: tuple[Any, Any], summary: str, **more: Any
) -> Endpoint:
    return Endpoint(
        name=more.pop("name"),
        service=service,
        method=method,
        path=path,
        request=messages[0],
        reply=messages[1],
        right=more.pop("right", Right.CALLER),
        audited=more.pop("audited", True),
        summary=summary,
        **more,
    )


_NO = api.Nothing

GATEWAY = (
    _public(
        "gateway",
        "GET",
        "/api/status",
        (_NO, api.Status),
        "In which state the box is",
        name="status",
        right=Right.OPEN,
    ),
    _public(
        "gateway",
        "POST",
        "/api/setup",
        (api.SetupRequest, api.SetupReply),
        "First run: make the owner and the keys",
        name="setup",
        right=Right.OPEN,
        audited=True,
    ),
    _public(
        "gateway",
        "POST",
        "/api/login",
        (api.LoginRequest, api.Session),
        "Sign in; unlocks the box if it is locked",
        name="login",
        right=Right.OPEN,
        audited=True,
    ),
    _public(
        "gateway",
        "POST",
        "/api/recover",
        (api.RecoverRequest, api.Session),
        "Set a new passphrase by the recovery code",
        name="recover",
        right=Right.OPEN,
        audited=True,
    ),
    _public(
        "gateway",
        "POST",
        "/api/logout",
        (_NO, _NO),
        "End this session",
        name="logout",
        right=Right.SESSION,
        audited=True,
    ),
    _public(
        "gateway",
        "POST",
        "/api/recovery-proof",
        (api.ProofRequest, _NO),
        "Prove that the recovery code was written down",
        name="recovery-proof",
        right=Right.SESSION,
    ),
    _public(
        "gateway",
        "GET",
        "/api/whoami",
        (_NO, api.SessionOwner),
        "Who is signed in",
        name="whoami",
        right=Right.SESSION,
    ),
    _public(
        "gateway",
        "POST",
        "/api/apps/{name}/open",
        (_NO, api.OpenReply),
        "Open an app's screen",
        name="open",
        right=Right.SESSION,
    ),
    _public(
        "gateway",
        "GET",
        "/api/apps/{name}/view",
        (_NO, Raw),
        "The declarative views an app shows now (a `views.Screen`)",
        name="view",
        right=Right.SESSION,
    ),
    _public(
        "gateway",
        "POST",
        "/api/apps/{name}/form",
        (api.FormPost, Raw),
        "Post a form of a declarative view to its app",
        name="form",
        right=Right.SESSION,
    ),
    _public(
        "gateway",
        "GET",
        "/api/live",
        (Raw, Raw),
        "WebSocket of new readings; first frame {session, proof}, then {subscribe: [[store, "
        "source]]}; events {store, source, t, data}",
        name="live",
        right=Right.SESSION,
    ),
)

MANAGER = (
    _public(
        "manager", "GET", "/api/offers", (_NO, api.Offers), "The app store page", name="offers"
    ),
    _public(
        "manager",
        "GET",
        "/api/offers/{name}",
        (_NO, api.ConsentScreen),
        "The consent screen of an offer",
        name="offer",
    ),
    _public(
        "manager",
        "POST",
        "/api/packages",
        (api.UploadRequest, api.UploadReply),
        "Upload a package from a folder or a single app file",
        name="upload",
        max_body=24 * 1024 * 1024,
    ),
    _public(
        "manager",
        "GET",
        "/api/packages/{digest}",
        (_NO, api.ConsentScreen),
        "The consent screen of an uploaded package",
        name="package",
    ),
    _public(
        "manager",
        "POST",
        "/api/install",
        (api.InstallRequest, api.Component),
        "Install with the owner's choices",
        name="install",
        audited=True,
    ),
    _public(
        "manager",
        "GET",
        "/api/components",
        (_NO, api.Components),
        "Everything installed",
        name="components",
    ),
    _public(
        "manager",
        "GET",
        "/api/components/{name}",
        (_NO, api.Component),
        "One installed component",
        name="component",
    ),
    _public(
        "manager",
        "GET",
        "/api/components/{name}/consent",
        (_NO, api.ConsentScreen),
        "The consent screen of an installed component, with the present choices",
        name="component-consent",
    ),
    _public(
        "manager",
        "POST",
        "/api/components/{name}/choices",
        (api.GrantMoreRequest, api.Component),
        "Change the choices",
        name="choices",
        audited=True,
    ),
    _public(
        "manager",
        "POST",
        "/api/components/{name}/restart",
        (_NO, api.Component),
        "Restart it",
        name="restart",
    ),
    _public(
        "manager",
        "POST",
        "/api/components/{name}/uninstall",
        (api.UninstallRequest, _NO),
        "Remove it, keeping or deleting its data",
        name="uninstall",
        audited=True,
    ),
    _public(
        "manager",
        "GET",
        "/api/components/{name}/log",
        (_NO, api.LogReply),
        "The end of its own output",
        name="log",
    ),
    _public(
        "manager", "GET", "/api/sources", (_NO, api.Sources), "Every data source", name="sources"
    ),
    _public(
        "manager",
        "POST",
        "/api/stop-access",
        (api.StopAccessRequest, api.StopAccessReply),
        "End grants, at once and everywhere",
        name="stop-access",
        audited=True,
    ),
    _public(
        "manager",
        "GET",
        "/api/parts",
        (_NO, api.BoxReport),
        "What runs and what it uses",
        name="parts",
    ),
)

ARBITER = (
    _public(
        "arbiter",
        "GET",
        "/api/grants",
        (_NO, api.Grants),
        "Who may see what; ?ended=1 shows ended grants too",
        name="grants",
    ),
    # Launch-era interface, exact; see reference of the REST API.
    _inner(
        "arbiter",
        "GET",
        "/status",
        (Raw, Raw),
        "`active`",
        name="arbiter.status",
        right=Right.OPEN,
        audited=False,
    ),
    _inner(
        "arbiter",
        "GET",
        "/ui",
        (Raw, Raw),
        "A page of routes and caveats",
        name="arbiter.ui",
        callers=("manager", "gateway"),
    ),
    _inner(
        "arbiter",
        "POST",
        "/cm/upsert-container-info",
        (Raw, Raw),
        "Make or change a record",
        name="cm.upsert",
        right=Right.KEY,
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/cm/delete-container-info",
        (Raw, Raw),
        "Delete a record",
        name="cm.delete",
        right=Right.KEY,
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/cm/grant-container-permissions",
        (Raw, Raw),
        "Grant a route",
        name="cm.grant",
        right=Right.KEY,
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/cm/revoke-container-permissions",
        (Raw, Raw),
        "Revoke routes",
        name="cm.revoke",
        right=Right.KEY,
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "GET",
        "/store/secret",
        (Raw, Raw),
        "The secret to check tokens with",
        name="store.secret",
        right=Right.KEY,
    ),
    _inner(
        "arbiter",
        "GET",
        "/cat",
        (Raw, Raw),
        "Root catalogue, filtered by the caller's grants",
        name="arbiter.cat",
        right=Right.KEY,
        audited=False,
    ),
    _inner("arbiter", "POST", "/token", (Raw, Raw), "Mint a token", name="token", right=Right.KEY),
    # Between parts.
    _inner(
        "arbiter",
        "POST",
        "/owner",
        (api.OwnerRequest, _NO),
        "Make the owner's account",
        name="owner.make",
        callers=("gateway",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/owner/passphrase",
        (api.PassphraseRequest, _NO),
        "Replace the passphrase; the box sends it after the recovery code opened the keys",
        name="owner.passphrase",
        callers=("box",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/owner/recovery-proof",
        (api.ProofRequest, _NO),
        "Check the typed part of the recovery code",
        name="owner.proof",
        callers=("gateway",),
    ),
    _inner(
        "arbiter",
        "GET",
        "/owner",
        (_NO, api.SessionOwner),
        "The owner's name",
        name="owner",
        callers=("gateway",),
        audited=False,
    ),
    _inner(
        "arbiter",
        "POST",
        "/sessions",
        (api.SessionRequest, api.Session),
        "Sign in",
        name="session.make",
        callers=("gateway",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/sessions/operator",
        (api.OperatorRequest, api.Session),
        "A session for the command line",
        name="session.operator",
        callers=("box",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/sessions/check",
        (api.SessionCheck, api.SessionOwner),
        "Who holds a session",
        name="session.check",
        callers=("gateway",),
        audited=False,
    ),
    _inner(
        "arbiter",
        "POST",
        "/sessions/end",
        (api.SessionCheck, _NO),
        "Sign out",
        name="session.end",
        callers=("gateway",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/user-token",
        (api.UserTokenRequest, api.UserToken),
        "Mint a five-minute token for the signed-in person",
        name="user-token",
        callers=("gateway",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/components",
        (api.ComponentRequest, _NO),
        "Make a component known",
        name="component.make",
        callers=("manager", "box"),
    ),
    _inner(
        "arbiter",
        "POST",
        "/components/{name}/remove",
        (_NO, _NO),
        "Forget a component and end its grants",
        name="component.remove",
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/grants",
        (api.GrantRequest, api.Grant),
        "Make a grant",
        name="grant.make",
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "POST",
        "/grants/{id}/end",
        (_NO, api.Grant),
        "End a grant",
        name="grant.end",
        callers=("manager",),
    ),
    _inner(
        "arbiter",
        "GET",
        "/grants",
        (_NO, api.Grants),
        "Grants in force",
        name="grant.list",
        callers=("manager",),
        audited=False,
    ),
    _inner(
        "arbiter",
        "GET",
        "/epoch",
        (_NO, api.Epoch),
        "The caller's revocation epoch (a store, export-service or manager asks for itself)",
        name="epoch",
        audited=False,
    ),
)

LEDGER = (
    _public(
        "ledger",
        "GET",
        "/api/history",
        (_NO, api.History),
        "The ledger newest first: ?before=&limit=&component=&kind=&since=&until=; by=day sums "
            "up what repeats, with days of zone= minutes east of UTC",
        name="history",
    ),
    _public(
        "ledger",
        "GET",
        "/api/history/bundle",
        (_NO, Raw),
        "The whole ledger as JSON lines, checkpoint last",
        name="bundle",
    ),
    _public(
        "ledger",
        "GET",
        "/api/history/checkpoint",
        (_NO, Checkpoint),
        "A signed checkpoint of now",
        name="checkpoint",
    ),
    _public(
        "ledger",
        "GET",
        "/api/history/verdict",
        (_NO, api.Verdict),
        "The box's own check of the whole chain",
        name="verdict",
    ),
    _inner(
        "ledger",
        "POST",
        "/entries",
        (api.EntryRequest, api.EntryReply),
        "Write entries; the kinds allowed depend on the caller",
        name="entries",
        callers=("manager", "export-service", "switchboard", "store"),
        max_body=1024 * 1024,
    ),
)

EXPORT = (
    _public(
        "export-service",
        "GET",
        "/api/exports",
        (_NO, api.Exports),
        "What left, what waits to leave",
        name="exports",
    ),
    _public(
        "export-service",
        "GET",
        "/api/exports/{id}",
        (_NO, api.ExportItem),
        "One export with its exact bytes",
        name="export",
    ),
    _public(
        "export-service",
        "POST",
        "/api/exports/{id}/cancel",
        (_NO, api.ExportItem),
        "Do not send it",
        name="export-cancel",
        audited=True,
    ),
    _public(
        "export-service",
        "POST",
        "/api/exports/{id}/retry",
        (_NO, api.ExportItem),
        "Try again a failed one",
        name="export-retry",
        audited=True,
    ),
    _inner(
        "export-service",
        "GET",
        "/status",
        (Raw, Raw),
        "`active`",
        name="export.status",
        right=Right.OPEN,
        audited=False,
    ),
    _inner(
        "export-service",
        "POST",
        "/export",
        (Raw, Raw),
        "Queue or ask for the state",
        name="export.polling",
        right=Right.TOKEN,
        max_body=1024 * 1024,
    ),
    _inner(
        "export-service",
        "POST",
        "/lp/export",
        (Raw, Raw),
        "The same, waiting for a change",
        name="export.long-poll",
        right=Right.TOKEN,
        max_body=1024 * 1024,
    ),
    _inner(
        "export-service",
        "GET",
        "/ws/export",
        (Raw, Raw),
        "The same over a WebSocket",
        name="export.websocket",
        right=Right.TOKEN,
    ),
    _inner(
        "export-service",
        "POST",
        "/epoch",
        (api.EpochRequest, _NO),
        "Grants ended",
        name="export.epoch",
        callers=("manager",),
        audited=False,
    ),
)

STORE = (
    _inner(
        "store",
        "GET",
        "/status",
        (Raw, Raw),
        "`active`",
        name="store.status",
        right=Right.OPEN,
        audited=False,
    ),
    _inner(
        "store",
        "POST",
        "/epoch",
        (api.EpochRequest, _NO),
        "Grants ended",
        name="store.epoch",
        callers=("manager",),
        audited=False,
    ),
    _inner(
        "store",
        "GET",
        "/cat",
        (Raw, Raw),
        "The catalogue",
        name="store.cat",
        right=Right.TOKEN,
        audited=False,
        public=True,
    ),
    _inner(
        "store",
        "POST",
        "/cat",
        (Raw, Raw),
        "Register a data source",
        name="store.register",
        right=Right.TOKEN,
    ),
    _inner(
        "store",
        "POST",
        "/{source}/ts",
        (Raw, Raw),
        "Write a reading",
        name="ts.write",
        right=Right.TOKEN,
        max_body=1024 * 1024,
    ),
    _inner(
        "store",
        "GET",
        "/{source}/ts/latest",
        (Raw, Raw),
        "The latest reading",
        name="ts.latest",
        right=Right.TOKEN,
        public=True,
    ),
    _inner(
        "store",
        "GET",
        "/{source}/ts/since",
        (Raw, Raw),
        "Readings since startTimestamp (JSON body or query)",
        name="ts.since",
        right=Right.TOKEN,
        public=True,
    ),
    _inner(
        "store",
        "GET",
        "/{source}/ts/range",
        (Raw, Raw),
        "Readings between startTimestamp and endTimestamp (JSON body or query)",
        name="ts.range",
        right=Right.TOKEN,
        public=True,
    ),
    _inner(
        "store",
        "POST",
        "/{key}/kv",
        (Raw, Raw),
        "Write a value",
        name="kv.write",
        right=Right.TOKEN,
        max_body=1024 * 1024,
    ),
    _inner(
        "store",
        "GET",
        "/{key}/kv",
        (Raw, Raw),
        "Read a value",
        name="kv.read",
        right=Right.TOKEN,
        public=True,
    ),
    _inner(
        "store",
        "GET",
        "/ws",
        (Raw, Raw),
        "WebSocket of subscribed events",
        name="store.ws",
        right=Right.TOKEN,
    ),
    _inner(
        "store",
        "GET",
        "/sub/{source}/{kind}",
        (Raw, Raw),
        "Subscribe",
        name="store.sub",
        right=Right.TOKEN,
    ),
    _inner(
        "store",
        "GET",
        "/unsub/{source}/{kind}",
        (Raw, Raw),
        "End a subscription",
        name="store.unsub",
        right=Right.TOKEN,
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = (*GATEWAY, *MANAGER, *ARBITER, *LEDGER, *EXPORT, *STORE)

BY_NAME: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
