"""Which handler answers which method and path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from databox.kit.http.message import Handler, Request, Response
from databox.kit.http.render import refusal
from databox.wire.errors import BadRequest, NotFound

_NO_ARGS: Mapping[str, str] = MappingProxyType({})
_KEPT_PATH = 200
_KEPT_PATHS = 512


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the largest body it takes, bytes; None is the server's own bound.

    `streamed`: the handler is called as soon as the head is there, and reads the body itself.
    """

    handler: Handler
    max_body: int | None = None
    streamed: bool = False


@dataclass(slots=True)
class _Node:
    """A place in the tree of path segments, and what is served there."""

    exact: dict[str, "_Node"] = field(default_factory=dict)
    any_case: dict[str, "_Node"] = field(default_factory=dict)
    placeholder: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)
    tails: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


@runtime_checkable
class Resolver(Protocol):
    """Whatever finds the route of a request; a `Router` is one."""

    def resolve(self, request: Request) -> Route:
        """The route of a request whose head has come; its body's bound already holds.

        Raises:
            DataboxError: There is none, and this is the answer.
        """
        ...


_Found = tuple[dict[str, tuple[Route, tuple[str, ...]]], tuple[str, ...]]


class Router:
    """Finds routes by segments: a fixed segment goes before a placeholder, that before a tail."""

    def __init__(self) -> None:
        self._root = _Node()
        self._kept: dict[tuple[str, str], tuple[Route, Mapping[str, str]]] = {}

    def add(  # noqa: PLR0913 - what a route is
        self,
        method: str,
        pattern: str,
        handler: Handler,
        *,
        max_body: int | None = None,
        any_case: bool = False,
        streamed: bool = False,
    ) -> None:
        """Serve `pattern` by `handler`: `/api/apps/{name}`, or `/files/{rest...}` for a tail.

        A trailing slash in the request is optional. A tail also matches nothing. With `any_case`
        fixed segments match in upper and lower case, as the interfaces of 2017 did; placeholders
        keep the case they were sent in. `streamed`: see `Route`.

        Raises:
            ValueError: The pattern is malformed or already taken for this method.
        """
        node, names, tail = self._root, [], False
        for segment in _segments(pattern):
            if tail:
                raise ValueError(f"{pattern}: nothing can follow a tail")
            if segment.startswith("{"):
                names.append(segment.strip("{}").removesuffix("..."))
                tail = segment.endswith("...}")
                node = node if tail else _placeholder(node)
            elif any_case:
                node = node.any_case.setdefault(segment.lower(), _Node())
            else:
                node = node.exact.setdefault(segment, _Node())
        place = node.tails if tail else node.routes
        if method in place:
            raise ValueError(f"{method} {pattern} has a handler already")
        place[method] = (Route(handler, max_body, streamed), tuple(names))
        self._kept.clear()

    def resolve(self, request: Request) -> Route:
        """The route of a request, whose `args` are filled in; one that refuses if there is none.

        Raises:
            BadRequest: The path has `.` or `..` segments or an encoded slash.
        """
        key = (request.method, request.path)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._search(request.method, request.path)
            if len(request.path) <= _KEPT_PATH:
                # Bounded, because paths are chosen by the caller.
                if len(self._kept) >= _KEPT_PATHS:
                    self._kept.clear()
                self._kept[key] = kept
        request.args = kept[1]
        return kept[0]

    def _search(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        segments = _segments(path)
        if "." in segments or ".." in segments or "%2F" in path:
            raise BadRequest(
                "The path could be read in two ways",
                field="path",
                found=path[:200],
                remedy="Send it without dot segments and encoded slashes.",
            )
        found: list[_Found] = []
        _walk(self._root, segments, 0, (), found)
        for routes, values in found:
            chosen = routes.get(method) or (routes.get("GET") if method == "HEAD" else None)
            if chosen:
                return chosen[0], MappingProxyType(dict(zip(chosen[1], values, strict=True)))
        return _refusing(sorted({each for routes, _ in found for each in routes})), _NO_ARGS


def _segments(path: str) -> list[str]:
    """The parts between slashes; a trailing slash adds none."""
    if not path.startswith("/"):
        raise ValueError(f"{path!r} does not start with a slash")
    return path[1:].removesuffix("/").split("/") if len(path) > 1 else []


def _placeholder(node: _Node) -> _Node:
    if node.placeholder is None:
        node.placeholder = _Node()
    return node.placeholder


def _walk(
    node: _Node, segments: list[str], at: int, values: tuple[str, ...], found: list[_Found]
) -> None:
    """Collect everything that could serve the path, best first."""
    if at == len(segments):
        if node.routes:
            found.append((node.routes, values))
    else:
        segment = segments[at]
        if (exact := node.exact.get(segment)) is not None:
            _walk(exact, segments, at + 1, values, found)
        if (folded := node.any_case.get(segment.lower())) is not None:
            _walk(folded, segments, at + 1, values, found)
        if node.placeholder is not None and segment:
            _walk(node.placeholder, segments, at + 1, (*values, segment), found)
    if node.tails:
        found.append((node.tails, (*values, "/".join(segments[at:]))))


def _refusing(methods: list[str]) -> Route:
    """A route that answers 404, or 405 where other methods are served."""
    if not methods:
        return Route(_not_found)
    allowed = ", ".join(sorted({*methods, "HEAD"}) if "GET" in methods else methods)

    def not_allowed(request: Request) -> Response:
        error = BadRequest(
            "This path is not served for this method",
            code="method-not-allowed",
            found=request.method,
            remedy=f"Use one of: {allowed}.",
        )
        return refusal(error, 405, allow=allowed)

    return Route(not_allowed)


def _not_found(request: Request) -> Response:
    return refusal(NotFound("There is nothing under this path", found=request.path[:200]))
