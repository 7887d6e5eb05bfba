"""The gateway's process: one server for the dashboard, its API and the app screens."""

import inspect
import logging
import ssl
from functools import partial
from pathlib import Path

import msgspec

from databox.gateway import headers
from databox.gateway.canary import Canaries
from databox.gateway.entry import Entry
from databox.gateway.files import Files
from databox.gateway.forward import Forward
from databox.gateway.frames import Frames
from databox.gateway.hosts import Origins, check_api_call
from databox.gateway.live import Live
from databox.gateway.people import People
from databox.gateway.screens import Screens
from databox.gateway.told import told
from databox.kit.clock import SystemClock
from databox.kit.control import Control
from databox.kit.dialer import Dialer
from databox.kit.http.client import Connection
from databox.kit.http.limits import Limits
from databox.kit.http.message import Answer, Handler, Request, Response, Stream
from databox.kit.http.render import refusal
from databox.kit.http.router import Route, Router
from databox.kit.http.server import Server
from databox.kit.table import Call, Table
from databox.wire import api, control
from databox.wire.errors import DataboxError, NotFound
from databox.wire.names import component_name

log = logging.getLogger("databox.gateway")

WEB = Path(__file__).parent / "web"


async def serve(box: Control) -> None:
    """Run the gateway until the box says stop."""
    clock = SystemClock()
    origins = Origins(int(box.config["port"]))
    dialer = Dialer(box)
    people = People(dialer, origins, clock)
    service = Service(box, origins, people, dialer, clock)
    # Every program of this computer comes through the one outer port.
    server = Server(service, Limits(connections_per_caller=256))
    box.on_listener(lambda each, sock: server.serve_listener(sock, each.caller, each.kind))
    box.on_unlisten(lambda gone: server.close_caller(gone.caller))
    await box.ready()
    await box.run()
    await server.drain()


class Service:
    """Tells apart the dashboard, its API and the app screens, by `Host` first of all."""

    def __init__(
        self, box: Control, origins: Origins, people: People, dialer: Dialer, clock: SystemClock
    ) -> None:
        self._box = box
        self._origins = origins
        self._people = people
        self._dialer = dialer
        self._files = Files(WEB)
        self._frames = Frames(origins, clock, self._reach, people.still)
        self._canaries = Canaries(origins, clock, WEB)
        self._router = self._routes(Entry(box, dialer, people))

    def __contains__(self, label: object) -> bool:
        """Whether something is served under this label: an app's screen, or a test of the seal."""
        text = str(label)
        return text in self._frames or text in self._canaries or self._canaries.is_outside(text)

    def resolve(self, request: Request) -> Route:
        """Who answers, decided on the head alone: nobody sends a body to what refuses it."""
        try:
            label = self._origins.label_of(request.headers.get("host", ""), self)
            if label in self._frames:
                return Route(partial(self._frames.serve, label))
            if label:
                return Route(partial(self._canaries.serve, label))
            if not request.path.startswith("/api/"):
                return Route(self._page)
        except DataboxError as error:
            return _refusing(_plain(error))
        try:
            route = self._router.resolve(request)
            check_api_call(request.method, request.headers, self._origins, any_type=route.streamed)
        except DataboxError as error:
            return _refusing(_api_answer(refusal(told(error))))
        return Route(partial(self._api, route.handler), route.max_body, route.streamed)

    async def _api(self, handler: Handler, request: Request) -> Answer:
        try:
            answer = handler(request)
            if inspect.isawaitable(answer):
                answer = await answer
        except DataboxError as error:
            answer = refusal(told(error))
        return _api_answer(answer)

    def _page(self, request: Request) -> Answer:
        asked = request.parameters if request.path.endswith("/open") else {}
        frame, test = asked.get("frame", ""), asked.get("test", "")
        label = frame if frame in self._frames else test if test in self._canaries else ""
        try:
            return self._files.serve(request, self._origins, label)
        except DataboxError as error:
            return _plain(error)

    def _routes(self, entry: Entry) -> Router:
        router = Router()
        table = Table(router, None)
        screens = Screens(self._box, self._people)
        live = Live(self._people, self._dialer)
        table.serve("status", entry.status)
        table.serve("setup", entry.setup)
        table.serve("login", entry.login)
        table.serve("recover", entry.recover)
        table.serve("logout", entry.logout)
        table.serve("whoami", entry.whoami)
        table.serve("recovery-proof", entry.recovery_proof)
        table.serve("recovery-code", entry.recovery_code)
        table.serve("view", screens.view)
        table.serve("form", screens.form)
        table.serve("open", self.open)
        table.serve("canary", self.canary)
        table.serve("canary-verdict", self.canary_verdict)
        table.serve("live", lambda call: live.upgrade(call.request))
        Forward(self._people, self._dialer).mount(router)
        return router

    async def open(self, call: Call) -> api.OpenReply:
        """Open an app's screen: say how it is shown, and make an origin for its own pages.

        Raises:
            NotFound: nothing with this name is installed.
        """
        person = await self._people.caller(call.request)
        name = component_name(call.args["name"])
        path = f"/api/components/{name}"
        token = await self._people.token(person, "manager", "GET", path)
        response = await self._dialer.fetch("manager", "GET", path, headers={"x-api-key": token})
        if response.status != 200:
            raise NotFound("nothing with this name is installed", field="name", found=name)
        component = msgspec.json.decode(response.body, type=api.Component)
        if component.screen != "pages":
            return api.OpenReply(screen="views" if component.screen == "views" else "none")
        label, ticket = self._frames.open(component, person)
        return api.OpenReply(screen="pages", origin=self._origins.frame(label), ticket=ticket)

    async def canary(self, call: Call) -> api.CanaryReply:
        """Begin a test of the browser."""
        return self._canaries.begin(await self._people.caller(call.request))

    async def canary_verdict(self, call: Call) -> api.CanaryVerdict:
        """How a test of the browser came out."""
        person = await self._people.caller(call.request)
        return self._canaries.verdict(call.args["id"], person)

    async def _reach(self, app: str, scheme: str) -> Connection:
        """A connection to an app's own web port, by TLS if it serves that."""
        sock = await self._box.ask_socket(control.Dial(id=0, instance=app))
        if scheme == "http":
            return Connection(sock, host=app)
        # An unmodified server shows the leaf it found in its secrets, which our CA signed.
        context = ssl.create_default_context(cadata=self._box.config["ca"])
        return Connection(sock, host=app, ssl_context=context, server_hostname=app)


def _refusing(answer: Answer) -> Route:
    return Route(lambda request: answer, max_body=64 * 1024)


def _api_answer(answer: Answer) -> Answer:
    """Put our headers on an answer of the API."""
    if not isinstance(answer, Response | Stream):
        return answer
    extra = (*headers.api(), *answer.headers)
    if isinstance(answer, Stream):
        return Stream(answer.status, answer.content_type, answer.chunks, extra, answer.length)
    return Response(answer.status, answer.body, answer.content_type, extra)


def _plain(error: DataboxError) -> Response:
    """A refusal for people: one plain page, no script."""
    text = f"{error}\n".encode()
    return Response(error.status, text, "text/plain; charset=utf-8", headers.shell())
