"""App screens drawn by the dashboard: an app gives views, this checks them, the browser draws."""

import hashlib

import msgspec

from databox.gateway.headers import person
from databox.gateway.people import People
from databox.kit.control import Control
from databox.kit.http.client import Connection
from databox.kit.http.message import Response
from databox.kit.table import Call
from databox.wire import control
from databox.wire.errors import Unavailable
from databox.wire.names import component_name
from databox.wire.views import MAX_SCREEN, Screen

VIEW_PATH = "/databox/view"
FORM_PATH = "/databox/form"
_PATIENCE_S = 20.0


class Screens:
    """Asks an app for its views; whatever does not fit the schema never reaches the browser."""

    def __init__(self, box: Control, people: People) -> None:
        self._box = box
        self._people = people

    async def view(self, call: Call) -> Response:
        """The views an app shows now; 304 when they are the ones the browser has."""
        caller = await self._people.caller(call.request)
        name = component_name(call.args["name"])
        screen = await self._ask(name, "GET", VIEW_PATH, b"", caller.user)
        body = msgspec.json.encode(screen)
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        if call.request.headers.get("if-none-match") == etag:
            return Response(304, headers=(("ETag", etag),))
        return Response(200, body, headers=(("ETag", etag),))

    async def form(self, call: Call) -> Response:
        """Post a form to its app; the answer is the screen after it."""
        caller = await self._people.caller(call.request)
        name = component_name(call.args["name"])
        body = msgspec.json.encode(call.message)
        screen = await self._ask(name, "POST", FORM_PATH, body, caller.user)
        return Response(200, msgspec.json.encode(screen))

    async def _ask(self, name: str, method: str, path: str, body: bytes, user: str) -> Screen:
        connection = Connection(await self._box.ask_socket(control.Dial(id=0, instance=name)))
        try:
            response = await connection.request(
                method,
                path,
                headers={"content-type": "application/json", **person(user)},
                body=body,
                timeout=_PATIENCE_S,
                max_body=MAX_SCREEN,
            )
        finally:
            connection.close()
        if response.status != 200:
            raise Unavailable(
                "the app did not give its screen",
                code="screen",
                found=f"status {response.status}, {len(response.body)} bytes",
                remedy="Look at the app's own messages, or restart it",
            )
        try:
            return msgspec.json.decode(response.body, type=Screen)
        except msgspec.MsgspecError as error:
            raise Unavailable(
                "the app gave a screen that the box cannot show", code="screen", found=str(error)
            ) from error
