"""An app: what it asks for, what it shows, and what it does, in one object."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from databox.sdk import screen as screens
from databox.sdk.export import Destination, Outbox
from databox.sdk.http.server import Answer, Server
from databox.sdk.peers import Peers
from databox.sdk.sandbox import PEERS, Outside, Sandbox, arbiter_key
from databox.sdk.schedule import Schedule
from databox.sdk.source import Reader, Source
from databox.sdk.source import ask as make_ask
from databox.sdk.surroundings import read
from databox.wire import views
from databox.wire.errors import BadRequest

F = TypeVar("F", bound=Callable[..., Any])
FormHandler = Callable[[dict[str, str]], screens.Shown]

PORT = 8080
LAST_SECONDS = 1.0
"""How long a job that runs at the end is waited for."""
LONGEST_KEPT = 60.0
"""Seconds that a screen is shown again at most, however long it took to draw."""


class App:
    """One app.

    Args:
        title: Its name for people.
        purpose: One sentence for the owner.
        name: Its component name; made from the title if not given.
        version: Of the app.
        author: Who made it.
        refresh: Seconds after which the shell asks for the screen again, 0.5 to 3600.

    Raises:
        BadRequest: `refresh` is out of its bounds.
    """

    # All but the title have defaults and none depends on another.
    def __init__(  # noqa: PLR0913 - what an app says of itself
        self,
        title: str,
        *,
        purpose: str = "",
        name: str = "",
        version: str = "0.1.0",
        author: str = "",
        refresh: float = 2.0,
    ) -> None:
        if not 0.5 <= refresh <= 3600:
            raise BadRequest(
                "a screen is asked for again after 0.5 to 3600 seconds",
                field="refresh",
                found=str(refresh),
            )
        self.title = title
        self.purpose = purpose
        self.name = name
        self.version = version
        self.author = author
        self.refresh = refresh
        self.sources: list[Source] = []
        self.destinations: list[Destination] = []
        self._schedule = Schedule()
        self._screen: Callable[[], screens.Shown] | None = None
        self._forms: dict[str, FormHandler] = {}
        self._outside: Outside | None = None
        # One function of the author's at a time: they need not be safe for threads.
        self._turn = threading.RLock()
        self._kept = (0.0, b"")

    # Each argument is a part of the question that the owner is asked.
    def ask(  # noqa: PLR0913 - what an ask says
        self,
        type: str,
        *,
        why: str = "",
        exact: str = "raw",
        days: int | None = None,
        required: bool = True,
        name: str = "",
    ) -> Source:
        """Ask the owner for a source of a type.

        `exact`: the finest that is of use: `raw`, `minute`, `15 minutes`, `hour`, `day`, or for
        places `100 m`, `1 km`, `10 km`, `100 km`. `days`: how much history.
        `name`: tells two asks of one type apart.

        Raises:
            BadRequest: an unknown word, or two asks of one name.
        """
        asked = make_ask(type, exact=exact, why=why, required=required, days=days, name=name)
        if any(source.ask.clientid == asked.clientid for source in self.sources):
            raise BadRequest(
                "two asks have one name",
                field=asked.clientid,
                remedy="Tell them apart: app.ask(…, name=…)",
            )

        def reader() -> Reader:
            return self._found().reader(asked)

        source = Source(asked, reader, now=lambda: self._found().now())
        self.sources.append(source)
        return source

    def export(self, url: str, *, why: str, what: str, reply: bool = False) -> Destination:
        """Ask the owner to let the app send something to one exact address.

        `reply`: also ask to see the destination's answer.
        """

        def outbox() -> Outbox | None:
            return self._found().outbox()

        destination = Destination(url, why=why, what=what, reply=reply, outbox=outbox)
        self.destinations.append(destination)
        return destination

    def screen(self, function: F) -> F:
        """Decorate the function that gives what the app shows: a view, a text, a list of them."""
        self._screen = function
        return function

    def form(self, name: str) -> Callable[[F], F]:
        """Decorate the function that takes the values of `view.form(name, …)`.

        What it gives is shown above the screen.
        """

        def add(function: F) -> F:
            self._forms[name] = function
            return function

        return add

    def every(self, **period: float) -> Callable[[F], F]:
        """Decorate a function to run `every(minutes=…)`, `hours` or `days`, at full ones.

        It takes turns with the screen.

        Raises:
            BadRequest: another word, or not above zero.
        """

        def add(function: F) -> F:
            def in_turn() -> None:
                with self._turn:
                    function()

            self._schedule.every(**period)(in_turn)
            return function

        return add

    def run(self) -> None:
        """Run until told to stop; in describe mode, print the manifest and return."""
        surroundings = read(os.environ)
        if surroundings.describe:
            sys.stdout.write(self.manifest(sys.argv) + "\n")
            return
        if self._outside is None:
            self.connect(Sandbox(surroundings, Peers(PEERS, arbiter_key())))
        listener = socket.create_server(("127.0.0.1", PORT), backlog=16)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        jobs = threading.Thread(target=self._schedule.run, daemon=True, name="schedule")
        jobs.start()
        try:
            Server(listener, self.answer).serve()
        finally:
            # A job that prints just when the interpreter ends makes it abort.
            self._schedule.stop()
            jobs.join(LAST_SECONDS)

    def connect(self, outside: Outside) -> None:
        """Meet the box, or a test's pretended one."""
        self._outside = outside

    def show(self) -> views.Screen:
        """What the app shows now."""
        return self._shown(self._screen or (lambda: self.purpose))

    def submit(self, name: str, values: dict[str, str]) -> views.Screen:
        """Give a form's values to the app: its answer, and the screen below it.

        Raises:
            BadRequest: the app has no such form.
        """
        handler = self._forms.get(name)
        if handler is None:
            raise BadRequest("the app has no such form", field="form", found=repr(name[:80]))
        below = self._screen or (lambda: None)

        def give() -> screens.Shown:
            return [*screens.render(lambda: handler(values)), *screens.render(below)]

        return self._shown(give)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request of the box."""
        match method, path:
            case "GET", "/":
                return Answer(200, b"The box draws the screen of this app.", "text/plain")
            case "GET", "/databox/view":
                return Answer(200, self._view())
            case "POST", "/databox/form":
                return self._posted(body)
            case _, "/" | "/databox/view" | "/databox/form":
                return Answer(405, b'{"error": {"code": "method", "message": "not this method"}}')
            case _:
                return Answer(404, b'{"error": {"code": "not-found", "message": "not here"}}')

    def manifest(self, arguments: list[str]) -> str:
        """The app's manifest as JSON. `arguments`: how the program was started.

        Raises:
            BadRequest: a part of it is not allowed in a manifest.
        """
        from databox.sdk import describe
        from databox.wire.manifest import Manifest, Run

        return describe.text(
            Manifest(
                name=self.name or describe.component_name(self.title),
                title=self.title,
                description=self.purpose,
                version=self.version,
                author=self.author,
                run=Run(command=describe.command(arguments), screen="views"),
                datasources=describe.source_asks(source.ask for source in self.sources),
                export_whitelist=describe.export_asks(self.destinations),
            )
        )

    def _view(self) -> bytes:
        """The screen as JSON, drawn anew unless that was costly a moment ago.

        An app spends at most a tenth of the time on its screen, however often it is asked and by
        how many browsers, and so do the stores it reads from.
        """
        with self._turn:
            began = time.monotonic()
            fresh_until, text = self._kept
            if began >= fresh_until:
                text = screens.encode(self.show())
                ended = time.monotonic()
                self._kept = (ended + min(9 * (ended - began), LONGEST_KEPT), text)
            return text

    def _posted(self, body: bytes) -> Answer:
        try:
            post = msgspec.json.decode(body, type=views.FormPost)
            text = screens.encode(self.submit(post.form, post.values))
            self._kept = (0.0, b"")
            return Answer(200, text)
        except msgspec.DecodeError as error:
            refused = BadRequest("this is not a form", code="schema", found=str(error))
        except BadRequest as error:
            refused = error
        return Answer(400, msgspec.json.encode(refused.as_json()))

    def _shown(self, give: Callable[[], screens.Shown]) -> views.Screen:
        with self._turn:
            before = [source.invented_reads for source in self.sources]
            found = screens.render(give)
            after = [source.invented_reads for source in self.sources]
        return views.Screen(
            title=self.title[:120], views=found, invented=before != after, refresh=self.refresh
        )

    def _found(self) -> Outside:
        if self._outside is None:
            self.connect(Sandbox(read(os.environ), Peers(PEERS, arbiter_key())))
        assert self._outside is not None
        return self._outside
