"""`api.md`: every endpoint of the table, by the part that answers it, then the messages."""

from collections.abc import Iterator

from shapes import section, structs

from databox.wire.api import Nothing
from databox.wire.endpoints import ENDPOINTS, Endpoint, Raw, Right

HEAD = """# The interfaces of the box

Made from the table of endpoints, `src/databox/wire/endpoints.py`, by `docs/generate`; the same
table makes the servers check rights and `openapi.json` describe the public part. Bodies and
answers are JSON in the shapes below; *raw* marks what has no such shape: views, readings, and the
texts and catalogues of the interface of 2017, which are kept as they were. An error is
`{"error": {"code", "message", "field"?, "found"?, "remedy"?}}`.

**Who may call**

"""

RIGHTS = {
    Right.OPEN: "anybody; the answer tells nothing about the owner's data",
    Right.CALLER: "the parts named in the line, known by the socket they come through",
    Right.KEY: "a component or part with its arbiter key in `X-Api-Key` or as the user of Basic",
    Right.TOKEN: "who shows a token for this target, path and method",
    Right.OWNER: "the signed-in owner, by a token that the gateway fetches for each call",
    Right.SESSION: "the signed-in owner; the gateway itself checks the session and its proof",
}

SERVICES = {
    "gateway": "The browser's front.",
    "manager": "Installs and runs components. Reached through the gateway.",
    "arbiter": "Grants and tokens. Components reach it as `https://arbiter:443`.",
    "ledger": "What happened. Reached through the gateway; written by parts.",
    "export-service": "The one way out. Apps reach it as `https://export-service:443`.",
    "store": "One source each. Reached as `https://<name>-store:443`; from the browser, for what "
    "is marked public, below `/api/stores/{store}`.",
}


def render() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n"), ""]
    lines += [f"- `{right.value}`: {text}." for right, text in RIGHTS.items()]
    for service, text in SERVICES.items():
        lines += ["", f"## {service}", "", text, "", *_table(service)]
    lines += ["", "## Messages", ""]
    messages = [kind for e in ENDPOINTS for kind in (e.request, e.reply) if kind is not Raw]
    for struct in structs(messages):
        lines += section(struct, "###")
    return "\n".join(lines).rstrip() + "\n"


def _table(service: str) -> Iterator[str]:
    yield "| Name | Method and path | Who may call | Body | Answer | In the ledger | What it does |"
    yield "|---|---|---|---|---|---|---|"
    for endpoint in ENDPOINTS:
        if endpoint.service == service:
            yield _row(endpoint)


def _row(endpoint: Endpoint) -> str:
    who = f"`{endpoint.right.value}`"
    if endpoint.callers:
        who += ": " + ", ".join(endpoint.callers)
    if endpoint.public:
        who += ", public"
    cells = (
        f"`{endpoint.name}`",
        f"`{endpoint.method} {endpoint.path}`",
        who,
        _message(endpoint.request),
        _message(endpoint.reply),
        "yes" if endpoint.audited else "no",
        _told(endpoint).replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"


def _told(endpoint: Endpoint) -> str:
    """What it does, and what can be asked."""
    if not endpoint.query:
        return endpoint.summary
    asked = "; ".join(f"`{name}=` {meaning}" for name, meaning in endpoint.query)
    return f"{endpoint.summary}. {asked}"


def _message(kind: type) -> str:
    if kind is Nothing:
        return ""
    return "raw" if kind is Raw else f"[{kind.__name__}](#{kind.__name__.lower()})"
