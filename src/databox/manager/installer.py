"""Installs, changes and removes components, in an order that a crash at any point can not spoil.

Order of an installation: the choices are checked; the consent is written to the ledger; the
component is remembered as not whole; keys, store, grants and pairs are made; it is started; it is
remembered as whole. What is found not whole at the next start is taken back.
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from databox.kit.clock import Clock
from databox.kit.control import Control
from databox.manager import flows, plan
from databox.manager.environment import environment, timezone_of
from databox.manager.peers import Peers, end_all
from databox.manager.sources import SourceBook
from databox.manager.state import Installed, State
from databox.manager.stops import Permission, Stops, covers, without
from databox.wire import api, control, ledger
from databox.wire.errors import BadRequest, Conflict, NotFound
from databox.wire.manifest import Manifest, Package
from databox.wire.names import ComponentName, store_of
from databox.wire.sla import Sla

LOCALTIME = Path("/etc/localtime")


Unpack = Callable[[Package], Awaitable[None]]
"""Sees that a package lies where instances can read it."""

_Shape = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]


class Installer:
    """Carries out what the plan decides. One change at a time; only stopping waits for none."""

    def __init__(
        self, state: State, box: Control, peers: Peers, sources: SourceBook, clock: Clock
    ) -> None:
        self._state = state
        self._box = box
        self._peers = peers
        self._sources = sources
        self._clock = clock
        self._timezone = timezone_of(LOCALTIME.read_bytes() if LOCALTIME.exists() else b"")
        self._turn = asyncio.Lock()
        self._stops = Stops()

    async def install(
        self, package: Package, request: api.InstallRequest, user: str, unpack: Unpack
    ) -> Installed:
        """Install a package under the owner's choices.

        Raises:
            Conflict: something with this name is installed, or left data for its like alone.
            BadRequest: the choices do not fit the manifest.
        """
        async with self._in_turn():
            manifest = package.manifest
            if self._state.find(manifest.name):
                raise Conflict(
                    "something with this name is installed already",
                    code="installed-already",
                    field="name",
                    found=manifest.name,
                    remedy="Uninstall it first, or change its choices",
                )
            _runnable(manifest)
            self._check_heir(package)
            now = self._clock.now()
            wanted = plan.grants(manifest, request.choices, await self._sources.rows(), now)
            sla = Sla(
                manifest=manifest,
                package=package.digest,
                choices=request.choices,
                agreed=now,
                text=request.text,
            )
            await unpack(package)
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            installed = Installed(sla=sla, arbiter_key=key, whole=False)
            await self._peers.record(_entry(package), _consent(sla, user))
            self._state.put(installed)
            try:
                await self._set_up(installed, wanted)
            except BaseException:
                await asyncio.shield(self._take_back(installed))
                raise
            whole = replace(installed, whole=True)
            self._state.put(whole)
            return whole

    async def change(self, name: str, request: api.GrantMoreRequest, user: str) -> Installed:
        """Put new choices in force: only the difference is granted or ended, then it restarts.

        Raises:
            NotFound: nothing with this name is installed.
            BadRequest: the choices do not fit the manifest.
        """
        async with self._in_turn():
            installed = self._state.get(name)
            now = self._clock.now()
            rows = await self._sources.rows()
            wanted = plan.grants(
                installed.manifest, request.choices, rows, now, held=installed.choices
            )
            sla = msgspec.structs.replace(
                installed.sla, choices=request.choices, agreed=now, text=request.text
            )
            changed = replace(installed, sla=sla)
            await self._peers.record(_consent(sla, user))
            present = [g for g in await self._peers.grants() if g.client == name]
            kept, over = _difference(present, wanted)
            await self._end(over)
            self._state.put(changed)
            held = tuple([each for each in wanted if await self._hold(each, kept)])
            await self._pairs(name, held)
            await self._start(changed, held)
            return changed

    async def stop_access(self, request: api.StopAccessRequest) -> api.StopAccessReply:
        """End the named grants, and take them out of the SLAs so that no restart brings them back.

        Raises:
            BadRequest: nothing was named.
        """
        if not (request.grant or request.component or request.store):
            raise BadRequest(
                "this names no permission to end",
                field="grant",
                found="nothing",
                remedy="Name a grant, a component or a source",
            )
        # First: from now on no change makes such a grant.
        self._stops.ask(request)
        over = [g for g in await self._peers.grants() if covers(request, g)]
        self._stops.ended(over)
        took = await self._end(over)
        for grant in over:
            self._without(grant)
        return api.StopAccessReply(ended=len(over), took_ms=took)

    async def uninstall(self, name: str, *, keep: bool, readers: bool = False) -> None:
        """Remove a component: its access first, then the process, then what it stored.

        `readers`: with `keep`, who sees what is kept goes on seeing it.

        Raises:
            NotFound: nothing with this name is installed.
        """
        async with self._in_turn():
            installed = self._state.get(name)
            await self._peers.record(ledger.Uninstalled(component=name, kept=keep))
            if keep and installed.manifest.databox_type == "driver":
                self._state.keep(installed)
            await self._remove(installed, keep=keep, readers=readers)

    async def forget(self, name: str) -> None:
        """Destroy the key of what a removed driver left, then the rest of it.

        Raises:
            NotFound: no removed driver of this name left anything.
        """
        async with self._in_turn():
            if self._state.find(name) is not None or self._state.kept(name) is None:
                raise NotFound(
                    "no removed source of this name left its values here",
                    field="name",
                    found=name[:80],
                    remedy="Remove what is installed with its values instead",
                )
            store = store_of(ComponentName(name))
            await self._peers.record(ledger.Uninstalled(component=name, kept=False))
            await self._end([g for g in await self._peers.grants() if g.target == store])
            # After a start the box has not looked at what nobody installed needs.
            await self._box.ask(control.EnsureStore(id=0, store=store))
            await self._forget_store(name, store)

    async def restart(self, name: str) -> None:
        """Start a component anew with its present choices.

        Raises:
            NotFound: nothing with this name is installed.
        """
        async with self._in_turn():
            installed = self._state.get(name)
            # The box leaves alone what runs just so already, for a manager that itself restarts.
            await self._box.ask(control.StopInstance(id=0, name=name))
            await self._start(installed, await self._wanted(installed))

    async def reconcile(self) -> None:
        """After a start: take back what is half installed, and run everything else."""
        async with self._in_turn():
            for installed in self._state.all():
                if not installed.whole:
                    await self._take_back(installed)
            for installed in self._state.all():
                await self._resume(installed)

    async def _resume(self, installed: Installed) -> None:
        wanted = await self._wanted(installed)
        if installed.manifest.databox_type == "driver":
            await self._store(installed.name)
        await self._pairs(installed.name, wanted)
        await self._start(installed, wanted)

    async def _wanted(self, installed: Installed) -> tuple[api.GrantRequest, ...]:
        """The grants that are in force now, as requests: the SLA is only what was agreed."""
        present = await self._peers.grants()
        return tuple(_as_request(g) for g in present if g.client == installed.name)

    async def _set_up(self, installed: Installed, wanted: Sequence[api.GrantRequest]) -> None:
        manifest = installed.manifest
        await self._peers.know(manifest.name, manifest.databox_type, installed.arbiter_key)
        if manifest.databox_type == "driver":
            await self._store(manifest.name)
        held = tuple([each for each in wanted if await self._hold(each)])
        await self._pairs(manifest.name, held)
        await self._start(installed, held)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """One change at a time. What the owner stops meanwhile is out of the agreement after it."""
        async with self._turn:
            self._stops.begin()
            try:
                yield
            finally:
                for each in self._stops.over:
                    self._without(each)

    async def _hold(self, wanted: api.GrantRequest, kept: Set[_Shape] = frozenset()) -> bool:
        """Make a grant that is not there yet, unless the owner has stopped just that meanwhile.

        Whether it holds. `kept`: the shapes of those that are there.
        """
        if self._stops.forbids(wanted):
            return False
        if _shape(wanted) in kept:
            return True
        grant = await self._peers.grant(wanted)
        if self._stops.forbids(grant):
            await self._end([grant])
            return False
        return True

    async def _store(self, driver: str) -> None:
        """Make a driver's store, and let the manager see its catalogue and the owner its data."""
        store = store_of(ComponentName(driver))
        await self._box.ask(control.EnsureStore(id=0, store=store))
        known = {(g.client, g.target) for g in await self._peers.grants()}
        if ("manager", store) not in known:
            await self._peers.grant(plan.manager_grant(store))
        for caller in ("manager", "gateway"):
            await self._box.ask(control.EnsurePair(id=0, caller=caller, callee=store))

    async def _pairs(self, name: str, wanted: Sequence[api.GrantRequest]) -> None:
        await self._exports_allowed()
        for peer in plan.peers(name, wanted):
            await self._box.ask(control.EnsurePair(id=0, caller=name, callee=peer))

    async def _exports_allowed(self) -> tuple[api.Grant, ...]:
        """Have the switchboard let exports through to what is granted now; gives all grants."""
        grants = await self._peers.grants()
        places = {flows.place_of(url) for grant in grants for url in grant.destinations}
        await self._box.ask(control.AllowExports(id=0, places=tuple(sorted(places))))
        return grants

    async def _start(self, installed: Installed, wanted: Sequence[api.GrantRequest]) -> None:
        manifest = installed.manifest
        assert manifest.run is not None, "checked before anything was installed"
        rows = await self._sources.rows()
        variables = environment(manifest, installed.choices, rows, wanted, timezone=self._timezone)
        await self._box.ask(
            control.StartInstance(
                id=0,
                name=manifest.name,
                kind=manifest.databox_type,
                package=installed.sla.package,
                command=manifest.run.command,
                environment=variables,
                arbiter_key=installed.arbiter_key,
                peers=plan.peers(manifest.name, wanted),
                outside=tuple(url for ask in manifest.external_whitelist for url in ask.urls),
                web=manifest.run.web(),
                proc=manifest.run.proc,
                limits=manifest.run.limits,
                once=manifest.run.schedule == "once",
            )
        )

    async def _end(self, grants: Sequence[api.Grant]) -> int:
        """End grants everywhere; pairs that no grant needs any more go too."""
        silent, took = await end_all(self._peers, grants)
        # At once: whoever hangs could wake with an answer half sent.
        restarts = [self._box.ask(control.RestartTarget(id=0, target=each)) for each in silent]
        await asyncio.gather(self._drop_pairs(grants), *restarts)
        return took

    async def _drop_pairs(self, ended: Sequence[api.Grant]) -> None:
        left = {(g.client, g.target) for g in await self._exports_allowed()}
        for client, target in {(g.client, g.target) for g in ended} - left:
            await self._box.ask(control.DropPair(id=0, caller=client, callee=target))

    def _without(self, over: Permission) -> None:
        """Take an ended permission out of the component's choices."""
        installed = self._state.find(over.client)
        if installed is not None:
            choices = without(installed.choices, over)
            sla = msgspec.structs.replace(installed.sla, choices=choices)
            self._state.put(replace(installed, sla=sla))

    async def _take_back(self, installed: Installed) -> None:
        # What an earlier driver left is not this one's to delete.
        keep = self._state.kept(installed.name) is not None
        await self._remove(installed, keep=keep, readers=True)
        await self._peers.record(ledger.Uninstalled(component=installed.name, kept=keep))

    def _check_heir(self, package: Package) -> None:
        """A driver gets what one of its name left, but an upload can have any name.

        Raises:
            Conflict: what was left is of a driver that came another way.
        """
        name = package.manifest.name
        uploaded = self._state.kept(name)
        if uploaded is not None and uploaded != self._state.is_upload(package.digest):
            raise Conflict(
                "another driver of this name has left its data here",
                code="kept-data",
                field="name",
                found=name,
                remedy="Install that one again and remove it with its data, or rename this one",
            )

    async def _remove(self, installed: Installed, *, keep: bool, readers: bool) -> None:
        name = installed.name
        store = store_of(ComponentName(name))
        over = [g for g in await self._peers.grants() if name == g.client or store == g.target]
        # Our own parts go on with a store that stays.
        stay = [g for g in over if keep and g.client != name and (readers or g.kind == "part")]
        over = [g for g in over if g not in stay]
        await self._end(over)
        for grant in over:
            if grant.client != name:
                self._without(grant)
        await self._box.ask(control.RemoveInstance(id=0, name=name))
        await self._box.ask(control.DropPair(id=0, caller=name, callee="arbiter"))
        await self._peers.forget(name)
        if installed.manifest.databox_type == "driver" and not keep:
            await self._forget_store(name, store)
        self._state.remove(name)

    async def _forget_store(self, name: str, store: str) -> None:
        for caller in ("manager", "gateway"):
            await self._box.ask(control.DropPair(id=0, caller=caller, callee=store))
        await self._box.ask(control.ForgetStore(id=0, store=store))
        self._sources.drop(store)
        self._state.forget_kept(name)


def _runnable(manifest: Manifest) -> None:
    if manifest.run is None:
        raise BadRequest(
            "the manifest does not say how to run it",
            code="no-run",
            field="run",
            remedy='Add "run": {"command": ["python3", "main.py"]}, or a Dockerfile',
        )


def _entry(package: Package) -> ledger.Installed:
    manifest = package.manifest
    return ledger.Installed(
        component=manifest.name,
        kind=manifest.databox_type,
        title=manifest.display,
        version=manifest.version,
        package=package.digest,
        signer=package.signer,
    )


def _consent(sla: Sla, user: str) -> ledger.Consent:
    return ledger.Consent(
        component=sla.manifest.name,
        text=sla.text,
        choices=msgspec.json.encode(sla.choices).decode(),
        user=user,
    )


def _shape(grant: api.Grant | api.GrantRequest) -> _Shape:
    """What makes two grants the same."""
    return (grant.target, grant.kind, grant.source, grant.caveats, grant.destinations)


def _difference(
    present: Sequence[api.Grant], wanted: Sequence[api.GrantRequest]
) -> tuple[set[_Shape], list[api.Grant]]:
    """The shapes that stay, and the grants that end."""
    shapes = {_shape(request) for request in wanted}
    over = [grant for grant in present if _shape(grant) not in shapes]
    return {_shape(grant) for grant in present} & shapes, over


def _as_request(grant: api.Grant) -> api.GrantRequest:
    return api.GrantRequest(
        client=grant.client,
        target=grant.target,
        kind=grant.kind,
        routes=(),
        caveats=grant.caveats,
        source=grant.source,
        exact=grant.exact,
        since=grant.since,
        until=grant.until,
        destinations=grant.destinations,
        label=grant.label,
    )
