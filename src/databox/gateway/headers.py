"""Headers of everything that a browser gets: built here from scratch, for each kind of answer.

The policies and the escapes they were tried against: `docs/security/app-screens.md`.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

SHELL_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "frame-src {frame}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)

FRAME_CSP = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {shell}; "
    "sandbox allow-scripts allow-same-origin allow-forms; webrtc 'block'"
)

# A document that is not HTML but may carry script, as XML and PDF do, gets no script at all.
SCRIPTLESS_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"

_NO_SENSORS = ", ".join(
    f"{name}=()"
    for name in (
        "accelerometer",
        "autoplay",
        "camera",
        "clipboard-read",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "hid",
        "identity-credentials-get",
        "idle-detection",
        "local-fonts",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)

_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-DNS-Prefetch-Control", "off"),
)

_ALLOWLIST = "Connection-Allowlist"

_KEPT = frozenset({"etag", "last-modified", "content-range", "content-disposition"})

_TYPES = (
    "text/",
    "image/",
    "font/",
    "audio/",
    "video/",
    "application/json",
    "application/javascript",
    "application/wasm",
    "application/octet-stream",
    "application/pdf",
    "application/xml",
    "application/xhtml+xml",
    "application/manifest+json",
)

HTML = "text/html"
_SCRIPTED = (HTML, "text/javascript", "application/javascript")
"""What may run script: pages, which begin with our guard, and the scripts and workers of pages."""
_LOOKS_LIKE_HTML = (b"<!doctype html", b"<html")

_KIND = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")
_CHARSET = re.compile(r';\s*charset="?([a-z0-9-]+)"?\s*(?:;|$)')
# In UTF-16 our guard, which is ASCII, would not be a script.
_CHARSETS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"})

Headers = tuple[tuple[str, str], ...]


def shell(frame: str = "") -> Headers:
    """Headers of a dashboard page; `frame`: the one origin it may show, empty for none."""
    return (
        *_ALWAYS,
        ("Content-Security-Policy", SHELL_CSP.format(frame=frame or "'none'")),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", _NO_SENSORS),
        ("Origin-Agent-Cluster", "?1"),
    )


def api() -> Headers:
    """Headers of an answer of the public API: data for the dashboard's own script."""
    return (
        *_ALWAYS,
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("Cache-Control", "no-store"),
    )


def frame(shell_origin: str, content_type: str, *, inline: bool) -> Headers:
    """Headers that seal every answer of an app's own pages, errors and redirects included.

    `inline`: the manifest asks for inline scripts; the seal holds with them.
    """
    scripts = " 'unsafe-inline' 'unsafe-eval'" if inline else ""
    policy = FRAME_CSP.format(shell=shell_origin, scripts=scripts)
    if content_type.partition(";")[0] not in _SCRIPTED:
        policy = f"{SCRIPTLESS_CSP}; frame-ancestors {shell_origin}"
    return (
        *_ALWAYS,
        ("Content-Security-Policy", policy),
        (_ALLOWLIST, "(response-origin)"),
        ("Permissions-Policy", _NO_SENSORS),
        ("Origin-Agent-Cluster", "?1"),
    )


def only_allowlist(sealed: Headers) -> Headers:
    """Of a frame's headers the one that keeps connections in, to be tried by itself."""
    return tuple(each for each in sealed if each[0] == _ALLOWLIST)


def from_app(headers: Iterable[tuple[str, str]]) -> Headers:
    """The few headers of an app's answer that may pass; all others are dropped.

    `Cache-Control` becomes private. A redirect and cookies are handled by the caller.
    """
    kept = []
    for name, value in headers:
        if name.lower() in _KEPT:
            kept.append((name, value))
        if name.lower() == "cache-control":
            kept.append(("Cache-Control", "no-store" if "no-store" in value else "private"))
    return tuple(kept)


def content_type(claimed: str, body: bytes) -> str:
    """The content type an app may claim, written anew; what is not on the list is plain bytes.

    Written anew, because a browser that read it otherwise than we do would run a page without our
    guard: capitals, a second type behind a comma, a character set in which ASCII is not itself.
    Small servers claim none and leave it to the browser, which may not guess here: so what begins
    as HTML is HTML.
    """
    if not claimed and body[:256].lstrip().lower().startswith(_LOOKS_LIKE_HTML):
        return f"{HTML}; charset=utf-8"
    claimed = claimed.lower()
    kind = claimed.partition(";")[0].strip()
    listed = any(kind == each or (each[-1] == "/" and kind.startswith(each)) for each in _TYPES)
    if not listed or not _KIND.fullmatch(kind):
        return "application/octet-stream"
    charset = _CHARSET.search(claimed)
    if charset is None:
        return kind
    return f"{kind}; charset={charset[1] if charset[1] in _CHARSETS else 'utf-8'}"


def person(name: str) -> dict[str, str]:
    """The header that tells an app who is there: percent-encoded, as headers have no alphabet."""
    return {"x-databox-user": quote(name, safe=" ")}


def to_app(headers: Mapping[str, str], cookie: str) -> dict[str, str]:
    """The headers of a browser's request that an app may see, with its own cookies only."""
    allowed = (
        "accept",
        "accept-language",
        "content-type",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "range",
        "x-requested-with",
        "x-csrf-token",
    )
    passed = {name: headers[name] for name in allowed if name in headers}
    if cookie:
        passed["cookie"] = cookie
    return passed
