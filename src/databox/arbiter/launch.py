"""The interface of 2017: paths, order of checks, status codes and texts exactly as then.

Source: the arbiter of the Databox project, March to July 2017. What it left open is closed here:
a caller must own the key it shows, posted fields never reach what the arbiter keeps for itself,
revoking ends tokens too, and the catalogue shows only stores whose catalogue the caller may read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import msgspec

from databox.arbiter import form
from databox.arbiter.changes import Changes
from databox.arbiter.minting import Mint
from databox.arbiter.page import page
from databox.arbiter.policy import Ask, may_see
from databox.arbiter.records import Record
from databox.arbiter.state import State
from databox.kit.clock import Clock
from databox.kit.guard import credential
from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.kit.refusals import Refusals
from databox.wire import api, catalogue
from databox.wire.errors import BadRequest
from databox.wire.patterns import BadPattern, compile_pattern

MINTING_TYPES = ("store", "export-service", "part")
MAX_LIFETIME_S = 31 * 24 * 3600
_TEXT = "text/plain; charset=utf-8"
_MAX_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where the arbiter stands.

    `pairs`: callers are known by the pair they come through, and must own the key they show; only
    a development box has none. `manager`: the record whose key opens `/cm/`, and its pair's name.
    """

    pairs: bool = True
    manager: str = "manager"


class _Answer(Exception):
    """Ends a request with this answer. `ask`: the token that was wanted, if that is known."""

    def __init__(self, status: int, text: str, ask: Ask | None = None) -> None:
        super().__init__(text)
        self.response = Response(status, text.encode(), _TEXT)
        self.ask = ask


def _answers(handler: Callable[..., Response]) -> Callable[..., Response]:
    @wraps(handler)
    def answer(self: "Launch", request: Request) -> Response:
        try:
            return handler(self, request)
        except _Answer as answer:
            if answer.response.status == 401:
                self.note(request, str(answer), answer.ask)
            return answer.response
        except BadRequest as error:
            return Response(400, str(error).encode(), _TEXT)

    return answer


class Launch:
    """Handlers of the interface of 2017."""

    def __init__(  # noqa: PLR0913 - the pieces of one interface meet here
        self,
        *,
        state: State,
        changes: Changes,
        mint: Mint,
        refusals: Refusals,
        clock: Clock,
        setting: Setting,
    ) -> None:
        self._state = state
        self._changes = changes
        self._mint = mint
        self._refusals = refusals
        self._clock = clock
        self._setting = setting

    def serve(self, router: Router) -> None:
        """Add every endpoint; fixed segments match in upper and lower case, as they did."""
        for method, path, handler in (
            ("GET", "/status", self.status),
            ("GET", "/ui", self.ui),
            ("GET", "/cat", self.cat),
            ("GET", "/store/secret", self.secret),
            ("POST", "/token", self.token),
            ("POST", "/cm/upsert-container-info", self.upsert),
            ("POST", "/cm/delete-container-info", self.delete),
            ("POST", "/cm/grant-container-permissions", self.grant),
            ("POST", "/cm/revoke-container-permissions", self.revoke),
        ):
            router.add(method, path, handler, max_body=64 * 1024, any_case=True)

    def status(self, request: Request) -> Response:
        """`active`, for anybody."""
        return Response(200, b"active", _TEXT)

    @_answers
    def ui(self, request: Request) -> Response:
        """The page of routes and caveats: for the manager and the gateway alone."""
        if self._setting.pairs and request.caller not in (self._setting.manager, "gateway"):
            raise _Answer(401, "Unauthorized")
        names = (record.name for record in self._state.records.all())
        text = page(names, self._state.grants.all(ended=False))
        return Response(200, text.encode(), "text/html; charset=utf-8")

    @_answers
    def cat(self, request: Request) -> Response:
        """The root catalogue: the stores whose catalogue the caller may read, searched."""
        _credential(request)
        caller = self._caller(request)
        items = [
            _item(store) for store in self._state.records.stores() if self._shows(caller, store)
        ]
        found = catalogue.search([item for item in items if item], request.parameters)
        return Response(200, catalogue.encode(catalogue.root(found)))

    @_answers
    def secret(self, request: Request) -> Response:
        """The secret with which the calling store checks tokens; the same at each call."""
        caller = self._known(request)
        if caller.type is None:
            raise _Answer(500, "Container type unknown by arbiter")
        if caller.type not in MINTING_TYPES:
            raise _Answer(
                403,
                f'Container type "{caller.type}" cannot use arbiter token minting capabilities'
                " as it is not a store type",
            )
        with self._state.transaction():
            return Response(200, self._state.records.secret_of(caller.name).encode(), _TEXT)

    @_answers
    def token(self, request: Request) -> Response:
        """Mint a token: caller, then parameters, then target, then its secret, then permission.

        Beyond 2017, `grant` may name the grant to use, and `lifetime` ask for an end, in seconds.
        """
        caller = self._known(request)
        fields = _fields(request)
        ask = _ask(fields)
        target = self._state.records.find(ask.target)
        if target is None:
            raise _Answer(400, f"Target {ask.target} has not been approved for arbitering")
        if target.secret is None:
            raise _Answer(400, f"Target {ask.target} has not registered itself for arbitering")
        token = self._mint.for_component(caller.name, ask)
        if token is None:
            raise _Answer(401, "Insufficient route permissions", ask)
        return Response(200, token.encode(), _TEXT)

    @_answers
    def upsert(self, request: Request) -> Response:
        """Make or change a record; answers all that was ever posted of it."""
        fields = self._managed(request)
        name = _name(fields)
        if "catItem" in fields:
            catalogue.decode_item(msgspec.json.encode(fields["catItem"]))
        with self._state.transaction():
            return _json(self._state.records.merge(name, fields).fields)

    @_answers
    def delete(self, request: Request) -> Response:
        """Forget a record and end its grants; also when there is none."""
        name = _name(self._managed(request))
        with self._state.transaction():
            self._changes.end_all(self._state.grants.held(name), "by the manager")
            self._state.records.remove(name)
        return Response(200, b"", _TEXT)

    @_answers
    def grant(self, request: Request) -> Response:
        """Grant a route, or add caveats to it; answers the route's caveats."""
        fields = self._managed(request)
        client, target, route = _route(fields)
        return _json(self._changes.add_route(client, target, route, _caveats(fields) or ()))

    @_answers
    def revoke(self, request: Request) -> Response:
        """Revoke routes (answers null), or with caveats, lift those (answers what stays)."""
        fields = self._managed(request)
        client, target, route = _route(fields)
        caveats = _caveats(fields)
        if caveats is None:
            self._changes.revoke(client, target, route)
            return _json(None)
        return _json(self._changes.lift(client, target, route, caveats))

    @_answers
    def epoch(self, request: Request) -> Response:
        """Where there are no pairs: which grants on the holder of the key have ended."""
        target = self._known(request).name
        return _json(self._state.grants.epoch(target, self._clock.now()))

    def note(self, request: Request, why: str, ask: Ask | None = None) -> None:
        """Write down that this request was refused, or rather what the token was wanted for."""
        caller = request.caller
        if not self._setting.pairs:
            record = self._caller(request)
            caller = record.name if record else "unknown"
        if ask:
            self._refusals.note(caller, ask.target, ask.method, ask.path, why)
        else:
            self._refusals.note(caller, "arbiter", request.method, request.path, why)

    def _caller(self, request: Request) -> Record | None:
        """Whose key was shown; where there are pairs, only if the key is the caller's own."""
        name = request.caller if self._setting.pairs else None
        return self._state.records.holder(credential(request.headers), name)

    def _known(self, request: Request) -> Record:
        _credential(request)
        record = self._caller(request)
        if record is None:
            raise _Answer(401, "Invalid API key")
        return record

    def _managed(self, request: Request) -> form.Fields:
        """The body of a request that only the manager may send."""
        _credential(request)
        record = self._caller(request)
        if record is None or record.name != self._setting.manager:
            raise _Answer(401, "Unauthorized: Arbiter key invalid")
        return _fields(request)

    def _shows(self, caller: Record | None, store: Record) -> bool:
        if caller is None:
            return False
        if caller.name == self._setting.manager:
            return True
        held = self._state.grants.held(caller.name, store.name)
        return may_see(store.name, held, self._clock.now())


def _credential(request: Request) -> str:
    shown = credential(request.headers)
    if not shown:
        raise _Answer(401, "Missing API key")
    return shown


def _fields(request: Request) -> form.Fields:
    return form.read(request.headers.get("content-type", ""), request.body)


def _ask(fields: form.Fields) -> Ask:
    target, path, method = (_text(fields.get(key)) for key in ("target", "path", "method"))
    if not (target and path and method):
        raise _Answer(400, "Missing parameters")
    _check_route(target, path, method)
    return Ask(
        target=target,
        path=path,
        method=method,
        grant=_text(fields.get("grant")),
        lifetime=_lifetime(fields.get("lifetime")),
    )


def _route(fields: form.Fields) -> tuple[str, str, api.Route]:
    route = fields.get("route")
    if not fields.get("name") or not isinstance(route, dict):
        raise _Answer(400, "Missing parameters")
    target, path, method = (_text(route.get(key)) for key in ("target", "path", "method"))
    if not (target and path and method):
        raise _Answer(400, "Missing parameters")
    _check_route(target, path, method)
    _check_name(target)
    return _name(fields), target, api.Route(method=method, path=path)


def _check_route(target: str, path: str, method: str) -> None:
    if len(target) > _MAX_NAME or not target.isprintable():
        raise BadRequest("the target is no name", field="target", found=ascii(target[:80]))
    if not (method.isascii() and method.isalpha() and len(method) <= 16):
        raise BadRequest("the method is no method", field="method", found=ascii(method[:40]))
    try:
        compile_pattern(path)
    except BadPattern as error:
        raise BadRequest(error.message, field="path", found=error.found) from error


def _name(fields: form.Fields) -> str:
    if not fields.get("name"):
        raise _Answer(400, "Missing parameters")
    name = _text(fields["name"])
    _check_name(name)
    return name


def _check_name(name: str) -> None:
    """Launch-era names may be host names or addresses; a colon would end the name in a token."""
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    if len(name) > _MAX_NAME or not (plain.isascii() and plain.isalnum()):
        raise BadRequest("this is not a usable name", field="name", found=ascii(name[:80]))


def _caveats(fields: form.Fields) -> tuple[str, ...] | None:
    caveats = fields.get("caveats")
    if caveats is None or caveats == "":
        return None
    if isinstance(caveats, str):
        return (caveats,)
    if not isinstance(caveats, list) or not all(isinstance(each, str) for each in caveats):
        raise BadRequest("caveats is not a list of texts", field="caveats")
    return tuple(caveats)


def _lifetime(value: Any) -> int | None:
    """Seconds, as a number or a form's text, to ms."""
    if value is None:
        return None
    text = str(value)
    digits = text.isascii() and text.isdecimal() and len(text) <= 9
    if not (digits and 1 <= int(text) <= MAX_LIFETIME_S):
        raise BadRequest("lifetime is no number of seconds", field="lifetime", found=text[:20])
    return int(text) * 1000


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _item(store: Record) -> catalogue.Item | None:
    try:
        return catalogue.decode_item(msgspec.json.encode(store.fields.get("catItem")))
    except BadRequest:
        return None


def _json(value: Any) -> Response:
    return Response(200, msgspec.json.encode(value), "application/json; charset=utf-8")
