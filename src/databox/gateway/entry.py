"""First run, unlocking, signing in and recovery."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from databox.gateway.people import People
from databox.gateway.proof import thumbprint
from databox.kit.control import Control
from databox.kit.dialer import Dialer
from databox.kit.table import Call
from databox.wire import api, control
from databox.wire.errors import BadRequest, Conflict, NotFound, Unauthenticated, Unavailable

MIN_PASSPHRASE = 10
MAX_PASSPHRASE = 1000
_PATIENCE_S = 20.0

T = TypeVar("T")


class Entry:
    """The way in. Passphrases pass through here to the box and the arbiter, and are not kept."""

    def __init__(self, box: Control, dialer: Dialer, people: People) -> None:
        self._box = box
        self._dialer = dialer
        self._people = people
        self._turn = asyncio.Lock()

    async def status(self, call: Call) -> api.Status:
        """In which state the box is; the owner's name only while it runs."""
        state = await self._state()
        owner = ""
        if state.state == "running":
            try:
                owner = (await self._owner()).user
            except NotFound:
                # A first run was cut between keys and account: the passphrase finishes it.
                return api.Status(state="locked", version=self._version)
            except Unavailable:
                return api.Status(state="starting", version=self._version)
        return api.Status(
            state=state.state, owner=owner, version=self._version, detail=state.detail
        )

    async def setup(self, call: Call) -> api.SetupReply:
        """Make the owner's keys and account, and sign this browser in.

        Raises:
            Denied: the one-time code is wrong or used.
            Conflict: the box has an owner.
            BadRequest: no name, or a passphrase that is too short.
        """
        request: api.SetupRequest = call.message
        _check_name(request.name)
        _check_passphrase(request.passphrase)
        key = thumbprint(request.key)
        async with self._turn:
            if (await self._state()).state != "new":
                raise Conflict("this box has an owner already", remedy="Sign in")
            raw = await self._box.ask(
                control.Setup(
                    id=0, code=request.code, passphrase=request.passphrase, mode=request.mode
                )
            )
            code = msgspec.json.decode(raw, type=control.SetupDone).recovery_code
            owner = api.OwnerRequest(
                name=request.name.strip(),
                passphrase=request.passphrase,
                recovery_part=code.split("-")[-1],
            )
            await _patiently(lambda: self._dialer.call("owner.make", owner))
        session = await self._session(request.passphrase, key)
        return api.SetupReply(session=session.session, recovery_code=code)

    async def login(self, call: Call) -> api.Session:
        """Sign in, after unlocking the box if it is locked.

        Raises:
            Unauthenticated: the passphrase is wrong.
            Conflict: the box has no owner yet.
        """
        request: api.LoginRequest = call.message
        if len(request.passphrase) > MAX_PASSPHRASE:
            raise BadRequest(
                "the passphrase is too long",
                field="passphrase",
                found=f"{len(request.passphrase)} characters",
                remedy=f"No passphrase of a box has more than {MAX_PASSPHRASE}",
            )
        key = thumbprint(request.key)
        async with self._turn:
            state = await self._state()
            if state.state == "new":
                raise Conflict("this box has no owner yet", remedy="Set it up first")
            if state.state == "locked" or not await self._has_owner():
                await self._open(control.Unlock(id=0, passphrase=request.passphrase), _PASSPHRASE)
                await self._ensure_owner(request.passphrase)
        return await self._session(request.passphrase, key)

    async def recover(self, call: Call) -> api.Session:
        """Open the box by the recovery code, and set a new passphrase.

        Raises:
            Unauthenticated: the code does not open the box.
        """
        request: api.RecoverRequest = call.message
        _check_passphrase(request.passphrase)
        key = thumbprint(request.key)
        async with self._turn:
            await self._open(
                control.Recover(
                    id=0, recovery_code=request.recovery_code, passphrase=request.passphrase
                ),
                _RECOVERY,
            )
            await self._ensure_owner(request.passphrase)
        return await self._session(request.passphrase, key)

    async def logout(self, call: Call) -> None:
        """End this session."""
        await self._people.end(await self._people.caller(call.request))

    async def whoami(self, call: Call) -> api.SessionOwner:
        """Who is signed in, and whether the recovery code was proven."""
        person = await self._people.caller(call.request)
        return api.SessionOwner(
            user=person.user,
            role=person.role,
            thumbprint=person.thumbprint,
            expires=person.expires,
            proven=(await self._owner()).proven,
        )

    async def recovery_proof(self, call: Call) -> None:
        """Check the typed part of the recovery code.

        Raises:
            BadRequest: it is not that part.
        """
        await self._people.caller(call.request)
        await self._dialer.call("owner.proof", call.message)

    async def recovery_code(self, call: Call) -> api.NewRecoveryReply:
        """Make a new recovery code for who knows the passphrase.

        Raises:
            BadRequest: the passphrase is wrong.
        """
        await self._people.caller(call.request)
        request: api.NewRecoveryRequest = call.message
        try:
            raw = await self._box.ask(
                control.NewRecovery(id=0, passphrase=request.passphrase[:MAX_PASSPHRASE])
            )
        except Unauthenticated as error:
            # Not 401: the session is good, and the browser must not forget its key.
            told = _PASSPHRASE.said(error)
            raise BadRequest(
                told.message, code=told.code, field="passphrase", remedy=told.remedy
            ) from error
        code = msgspec.json.decode(raw, type=control.SetupDone).recovery_code
        return api.NewRecoveryReply(recovery_code=code)

    async def _has_owner(self) -> bool:
        try:
            await _patiently(self._owner)
        except NotFound:
            return False
        return True

    async def _ensure_owner(self, passphrase: str) -> None:
        """Finish a first run that was cut between making the keys and the account."""
        if not await self._has_owner():
            request = api.OwnerRequest(name="Owner", passphrase=passphrase, recovery_part="")
            await self._dialer.call("owner.make", request)

    async def _open(self, message: control.Unlock | control.Recover, wrong: "_Wrong") -> None:
        try:
            await self._box.ask(message)
        except Unauthenticated as error:
            raise wrong.said(error) from error

    async def _session(self, passphrase: str, key: str) -> api.Session:
        request = api.SessionRequest(passphrase=passphrase, thumbprint=key)
        try:
            return await _patiently(lambda: self._ask_session(request))
        except Unauthenticated as error:
            raise _PASSPHRASE.said(error) from error

    async def _ask_session(self, request: api.SessionRequest) -> api.Session:
        session: api.Session = await self._dialer.call("session.make", request)
        return session

    async def _owner(self) -> api.SessionOwner:
        owner: api.SessionOwner = await self._dialer.call("owner")
        return owner

    async def _state(self) -> control.BoxState:
        raw = await self._box.ask(control.BoxStatus(id=0))
        return msgspec.json.decode(raw, type=control.BoxState)

    @property
    def _version(self) -> str:
        return self._box.config.get("version", "")


@dataclass(frozen=True, slots=True)
class _Wrong:
    """How it is said that what was typed opens nothing."""

    message: str
    code: str
    field: str
    remedy: str

    def said(self, error: Unauthenticated) -> Unauthenticated:
        """The box speaks of keys, the arbiter of accounts; too many tries stay what they are."""
        if error.code not in ("wrong-key", "wrong-passphrase"):
            return error
        return Unauthenticated(self.message, code=self.code, field=self.field, remedy=self.remedy)


_PASSPHRASE = _Wrong(
    "that is not the passphrase",
    "wrong-passphrase",
    "passphrase",
    "Capital letters and spaces count; if it is lost, use your recovery code",
)
_RECOVERY = _Wrong(
    "that is not the recovery code",
    "wrong-recovery-code",
    "recovery_code",
    "Compare it with your recovery sheet; capital letters and dashes do not matter",
)


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= 60:
        raise BadRequest(
            "the name must have 1 to 60 characters", field="name", remedy="Type your name"
        )


def _check_passphrase(passphrase: str) -> None:
    if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
        raise BadRequest(
            f"the passphrase must have {MIN_PASSPHRASE} to {MAX_PASSPHRASE} characters",
            field="passphrase",
            found=f"{len(passphrase)} characters",
            remedy="Four or five words make a good one",
        )


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the part that answers has started."""
    end = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            return await ask()
        except (Unavailable, OSError):
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.05)
