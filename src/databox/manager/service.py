"""The manager's process: wires its pieces together and answers the owner's calls."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from databox.kit.clock import Clock, SystemClock
from databox.kit.control import Control
from databox.kit.database import keep_room, open_database
from databox.kit.dialer import Dialer
from databox.kit.guard import Guard, fetch_guard
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.table import Call, Table
from databox.manager import consent, flows
from databox.manager.chronicle import Chronicle
from databox.manager.condition import Conditions
from databox.manager.installer import Installer
from databox.manager.peers import Peers
from databox.manager.shelf import Bundle, Shelf
from databox.manager.sources import SourceBook
from databox.manager.state import Installed, State
from databox.wire import api, control
from databox.wire.errors import Unavailable
from databox.wire.manifest import Manifest, Package
from databox.wire.names import ComponentName, store_of

log = logging.getLogger("databox.manager")


async def serve(box: Control, bundle: Bundle) -> None:
    """Run the manager until the box says stop."""
    clock = SystemClock()
    connection = open_database(box.directory / "manager.db", box.secrets["database"].reveal())
    state = State(connection)
    with suppress(Unavailable):
        keep_room(connection)
    key = box.secrets["arbiter-key"].reveal().decode()
    dialer = Dialer(box)
    peers = Peers(dialer, key)
    condition = Conditions(clock)
    sources = SourceBook(
        peers,
        lambda: [i.name for i in state.all() if i.manifest.databox_type == "driver"],
        condition.mark,
    )
    shelf = Shelf(bundle, state, box, box.directory / "inbox")
    installer = Installer(state, box, peers, sources, clock)
    guard = await fetch_guard("manager", dialer, key, clock)
    service = Service(
        state=state,
        shelf=shelf,
        installer=installer,
        sources=sources,
        peers=peers,
        box=box,
        clock=clock,
        condition=condition,
    )
    server = Server(service.router(guard))
    box.on_listener(lambda listener, sock: server.serve_listener(sock, listener.caller, "plain"))
    box.on_unlisten(lambda gone: server.close_caller(gone.caller))
    chronicle = Chronicle(peers.record, clock)
    writing = asyncio.create_task(chronicle.run())

    def heard(event: object) -> None:
        if isinstance(event, control.InstanceState):
            service.heard(event)
            chronicle.heard(event)

    box.on_event(heard)
    await installer.reconcile()
    await shelf.tidy(state.in_use())
    await box.ready()
    await box.run()
    await server.drain()
    writing.cancel()
    connection.close()


class Service:
    """The manager's endpoints."""

    def __init__(  # noqa: PLR0913 - the pieces of one process meet here
        self,
        *,
        state: State,
        shelf: Shelf,
        installer: Installer,
        sources: SourceBook,
        peers: Peers,
        box: Control,
        clock: Clock,
        condition: Conditions,
    ) -> None:
        self._state = state
        self._shelf = shelf
        self._installer = installer
        self._sources = sources
        self._peers = peers
        self._box = box
        self._clock = clock
        self._condition = condition
        self._heard: dict[str, control.InstanceState] = {}

    def router(self, guard: Guard) -> Router:
        """Every endpoint of the manager, with its rights."""
        router = Router()
        table = Table(router, guard)
        for name, handler in (
            ("offers", self.offers),
            ("offer", self.offer),
            ("upload", self.upload),
            ("package", self.package),
            ("install", self.install),
            ("components", self.components),
            ("component", self.component),
            ("component-consent", self.present),
            ("choices", self.choices),
            ("restart", self.restart),
            ("uninstall", self.uninstall),
            ("log", self.tail),
            ("sources", self.sources),
            ("left", self.left),
            ("forget", self.forget),
            ("stop-access", self.stop_access),
            ("parts", self.parts),
        ):
            table.serve(name, handler)
        return router

    def heard(self, event: control.InstanceState) -> None:
        """The box tells how an instance fares."""
        self._heard[event.name] = event
        self._condition.heard(event)
        told = (event.name, event.state, event.reason)
        log.info("instance-state name=%s state=%s reason=%s", *told)

    async def offers(self, call: Call) -> api.Offers:
        """The app store page."""
        installed = {each.name for each in self._state.all()}
        return api.Offers(
            offers=tuple(
                consent.offer(package, installed=package.manifest.name in installed)
                for package in self._shelf.offers()
            )
        )

    async def offer(self, call: Call) -> api.ConsentScreen:
        """The consent screen of an offer."""
        return await self._screen(self._shelf.offer(call.args["name"]))

    async def package(self, call: Call) -> api.ConsentScreen:
        """The consent screen of an upload."""
        return await self._screen(self._state.package(call.args["digest"]))

    async def present(self, call: Call) -> api.ConsentScreen:
        """The consent screen of something installed, with the present choices."""
        installed = self._state.get(call.args["name"])
        digest = installed.sla.package
        return await self._screen(
            Package(
                digest=digest,
                manifest=installed.manifest,
                signer="Installed",
                icon=self._state.icon(digest),
            )
        )

    async def upload(self, call: Call) -> api.UploadReply:
        """Unpack an uploaded folder."""
        package = await self._shelf.upload(call.message)
        return api.UploadReply(package=package.digest, name=package.manifest.name)

    async def install(self, call: Call) -> api.Component:
        """Install with the owner's choices."""
        request: api.InstallRequest = call.message
        package = self._shelf.find(request.name, request.package)
        installed = await self._installer.install(package, request, call.user, self._shelf.unpack)
        return await self._row(installed)

    async def choices(self, call: Call) -> api.Component:
        """Change the choices of something installed."""
        installed = await self._installer.change(call.args["name"], call.message, call.user)
        return await self._row(installed)

    async def components(self, call: Call) -> api.Components:
        """Everything installed."""
        stats = await self._stats()
        grants = await self._peers.grants()
        return api.Components(
            components=tuple(self._component(each, grants, stats) for each in self._state.all())
        )

    async def component(self, call: Call) -> api.Component:
        """One installed component."""
        return await self._row(self._state.get(call.args["name"]))

    async def restart(self, call: Call) -> api.Component:
        """Restart it."""
        await self._installer.restart(call.args["name"])
        return await self._row(self._state.get(call.args["name"]))

    async def uninstall(self, call: Call) -> None:
        """Remove it, and its upload unless its data waits for the next one."""
        name, keep = call.args["name"], call.message.keep
        digest = self._state.get(name).sla.package
        await self._installer.uninstall(name, keep=keep, readers=call.message.readers)
        self._heard.pop(name, None)
        if not keep:
            await self._shelf.tidy(self._state.in_use(), digest)

    async def tail(self, call: Call) -> api.LogReply:
        """The end of its own output."""
        name = self._state.get(call.args["name"]).name
        raw = await self._box.ask(control.Tail(id=0, name=name))
        return api.LogReply(text=json.loads(raw))

    async def sources(self, call: Call) -> api.Sources:
        """Every data source."""
        rows = await self._sources.rows()
        return api.Sources(sources=rows, troubles=self._condition.troubles())

    async def left(self, _: Call) -> api.LeftSources:
        """What removed drivers left; what one that is installed again goes on with is not that."""
        names = [name for name in self._state.all_kept() if self._state.find(name) is None]
        left = [api.LeftSource(name=each, store=store_of(ComponentName(each))) for each in names]
        return api.LeftSources(sources=tuple(left))

    async def forget(self, call: Call) -> None:
        """Destroy what a removed driver left."""
        await self._installer.forget(call.args["name"])

    async def stop_access(self, call: Call) -> api.StopAccessReply:
        """End grants at once."""
        return await self._installer.stop_access(call.message)

    async def parts(self, call: Call) -> api.BoxReport:
        """What runs and what it uses."""
        rows = tuple(
            api.PartRow(
                name=stat.name,
                state=stat.state,
                memory=stat.memory,
                cpu=stat.cpu,
                restarts=stat.restarts,
                since=stat.since,
                level=stat.level,
                trouble=stat.trouble,
                remedy=stat.remedy,
                trouble_since=stat.trouble_since,
            )
            for stat in (await self._stats()).values()
        )
        return api.BoxReport(version=self._box.config.get("version", ""), parts=rows)

    async def _screen(self, package: Package) -> api.ConsentScreen:
        installed = self._state.all()
        known = consent.Known(
            sources=await self._sources.rows(),
            offers=[
                (consent.offer(each, installed=False), each.manifest)
                for each in self._shelf.offers()
            ],
            manifests={each.name: each.manifest for each in installed},
            choices={each.name: each.choices for each in installed},
            now=self._clock.now(),
        )
        return consent.screen(package, known)

    async def _stats(self) -> dict[str, control.Stat]:
        raw = await self._box.ask(control.InstanceStats(id=0))
        return {stat.name: stat for stat in msgspec.json.decode(raw, type=list[control.Stat])}

    async def _row(self, installed: Installed) -> api.Component:
        return self._component(installed, await self._peers.grants(), await self._stats())

    def _component(
        self,
        installed: Installed,
        grants: tuple[api.Grant, ...],
        stats: Mapping[str, control.Stat],
    ) -> api.Component:
        manifest = installed.manifest
        stat = stats.get(manifest.name)
        heard = self._heard.get(manifest.name)
        manifests = {each.name: each.manifest for each in self._state.all()}
        return api.Component(
            name=manifest.name,
            title=manifest.display,
            kind=manifest.databox_type,
            version=manifest.version,
            maker=consent.maker(manifest),
            state=stat.state if stat else (heard.state if heard else "stopped"),
            detail=heard.reason if heard else "",
            screen=_screen_kind(manifest),
            leaves=bool(flows.reaches(manifest.name, grants, manifests)),
            invented=_invented(installed, grants),
            restarts=stat.restarts if stat else 0,
            package=installed.sla.package,
            installed=installed.sla.agreed,
            description=manifest.description,
            level=stat.level if stat else "",
            memory=stat.memory if stat else 0,
            scheme=manifest.run.scheme if manifest.run else "http",
            inline=manifest.run is not None and manifest.run.scripts == "inline",
            icon=self._state.icon(installed.sla.package),
        )


def _screen_kind(manifest: Manifest) -> str:
    if manifest.run is None or manifest.run.web() is None:
        return "none"
    return manifest.run.screen


def _invented(installed: Installed, grants: tuple[api.Grant, ...]) -> bool:
    """It asks for sources and may see none of them."""
    sees = any(g.client == installed.name and g.kind == "source" for g in grants)
    return bool(installed.manifest.datasources) and not sees
