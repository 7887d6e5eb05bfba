"""The arbiter put together: its router, its endpoints about components and grants."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable

from databox.arbiter.accounts import Accounts
from databox.arbiter.changes import Changes, Record
from databox.arbiter.launch import Launch, Setting
from databox.arbiter.minting import Mint
from databox.arbiter.passes import Passes
from databox.arbiter.passphrase import Passphrases
from databox.arbiter.state import State
from databox.kit import log
from databox.kit.clock import Clock
from databox.kit.http.message import Answer, Handler, Request
from databox.kit.http.router import Router
from databox.kit.refusals import Refusals
from databox.kit.table import Call, Table
from databox.wire import api
from databox.wire.errors import BadRequest, DataboxError, Denied, NotFound, Unauthenticated
from databox.wire.names import any_name
from databox.wire.tokens import BadToken

LOCATION = "https://arbiter:443"
TEND_SECONDS = 10.0
_OWNED_BY_MANAGER = ("app", "driver")

logger = logging.getLogger(__name__)


class Arbiter:
    """The whole arbiter over one state.

    Args:
        state: What is remembered, over the authority's database.
        record: Writes a ledger entry within the transaction that is open on that database.
        clock: `state.steady(...)`.
        setting: Whether callers come through pairs, and who the manager is.
        location: What tokens name as their origin.
        passphrases: Hashes and checks; cheaper ones in tests.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands in all that is outside
        self,
        state: State,
        record: Record,
        clock: Clock,
        *,
        setting: Setting | None = None,
        location: str = LOCATION,
        passphrases: Passphrases | None = None,
    ) -> None:
        self._state = state
        self._clock = clock
        setting = setting or Setting()
        self._refusals = Refusals(clock, record)
        self._changes = Changes(state, record, clock)
        self._passes = Passes(clock, record)
        mint = Mint(state, self._passes, clock, location=location)
        self.router: Router = _Watched(self._refusals)
        launch = Launch(
            state=state,
            changes=self._changes,
            mint=mint,
            refusals=self._refusals,
            clock=clock,
            setting=setting,
        )
        launch.serve(self.router)
        if not setting.pairs:
            self.router.add("GET", "/epoch", launch.epoch)
            return
        table = Table(self.router, state.guard("arbiter", clock))
        accounts = Accounts(
            state, mint, passphrases=passphrases or Passphrases(), record=record, clock=clock
        )
        accounts.serve(table)
        Components(state, self._changes, clock).serve(table)

    def tend(self) -> None:
        """End grants and forget sessions whose time is over, and write what was counted."""
        self._changes.end_expired()
        with self._state.transaction():
            self._state.people.forget_expired(self._clock.now())
            self._refusals.flush()
            self._passes.flush()

    async def tend_always(self) -> None:
        """Tend until cancelled; a full disk only delays it."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                self.tend()
            except DataboxError as error:
                log.event(logger, logging.WARNING, "tending-failed", error=str(error))

    def finish(self) -> None:
        """Write what was only counted, before the process ends."""
        with self._state.transaction():
            self._refusals.finish()
            self._passes.finish()


class Components:
    """Endpoints about components, grants and epochs."""

    def __init__(self, state: State, changes: Changes, clock: Clock) -> None:
        self._state = state
        self._changes = changes
        self._clock = clock

    def serve(self, table: Table) -> None:
        """Put every endpoint about components and grants into the table."""
        table.serve("component.make", self.make)
        table.serve("component.remove", self.remove)
        table.serve("grant.make", self.grant)
        table.serve("grant.end", self.end)
        table.serve("grant.list", self.grants_in_force)
        table.serve("grants", self.grants)
        table.serve("epoch", self.epoch)

    def make(self, call: Call) -> None:
        """Make a component known, or change its key.

        Raises:
            Denied: the manager names anything but an app or driver.
            Conflict: the name belongs to a component of another type.
        """
        request: api.ComponentRequest = call.message
        if call.request.caller != "box" and request.type not in _OWNED_BY_MANAGER:
            raise Denied("only the box makes such a component", field="type", found=request.type)
        name = any_name(request.name)
        with self._state.transaction():
            self._state.records.put(name, request.type, _checked_key(request.key))

    def remove(self, call: Call) -> None:
        """Forget a component, and end its grants and those that others have on it.

        Raises:
            Denied: it is a part of the box.
        """
        name = call.args["name"]
        record = self._state.records.find(name)
        if record and record.type not in (*_OWNED_BY_MANAGER, "store", None):
            raise Denied("a part of the box stays", field="name", found=name)
        with self._state.transaction():
            grants = self._state.grants
            self._changes.end_all((*grants.held(name), *grants.on(name)), "uninstall")
            self._state.records.remove(name)

    def grant(self, call: Call) -> api.Grant:
        """Make a grant."""
        return self._changes.grant(call.message)

    def end(self, call: Call) -> api.Grant:
        """End a grant."""
        return self._changes.end(call.args["id"])

    def grants_in_force(self, call: Call) -> api.Grants:
        """Every grant that holds now."""
        return self._listed(ended=False)

    def grants(self, call: Call) -> api.Grants:
        """For the owner's page; with `ended=1` also what was once allowed."""
        return self._listed(ended=call.request.parameters.get("ended") == "1")

    def epoch(self, call: Call) -> api.Epoch:
        """Which grants on the caller have ended.

        Raises:
            NotFound: the caller is no component.
        """
        caller = call.request.caller
        if not self._state.records.find(caller):
            raise NotFound("this caller is not known", found=caller)
        return self._state.grants.epoch(caller, self._clock.now())

    def _listed(self, *, ended: bool) -> api.Grants:
        now = self._clock.now()
        found = self._state.grants.all(ended=ended)
        return api.Grants(grants=tuple(p.grant for p in found if ended or p.in_force(now)))


class _Watched(Router):
    """A router that writes down who was denied what."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals

    def add(  # noqa: PLR0913 - as the router's own
        self,
        method: str,
        pattern: str,
        handler: Handler,
        *,
        max_body: int | None = None,
        any_case: bool = False,
        streamed: bool = False,
    ) -> None:
        """Serve `pattern` by `handler`, watched."""

        def watched(request: Request) -> Answer | Awaitable[Answer]:
            try:
                return handler(request)
            except Denied as error:
                # An ended session or a wrong passphrase is no attempt at something forbidden.
                if isinstance(error, BadToken) or not isinstance(error, Unauthenticated):
                    self._refusals.note(
                        request.caller, "arbiter", request.method, request.path, error.message
                    )
                raise

        super().add(
            method, pattern, watched, max_body=max_body, any_case=any_case, streamed=streamed
        )


def _checked_key(key: str) -> str:
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("the key is not base64", field="key") from error
    if len(raw) != 32:
        raise BadRequest("the key is not 32 bytes", field="key", found=f"{len(raw)} bytes")
    return key
