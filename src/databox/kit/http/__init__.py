"""HTTP/1.1 and WebSocket for our own services, on sockets that are handed over.

`Server` answers what a `Router` finds, within `Limits`. The client's side is in `client`, which
few parts need. Nothing here makes a socket, knows a service, or checks a right.
"""

from databox.kit.http.limits import Limits
from databox.kit.http.message import Answer, Handler, Kind, Request, Response, Stream, Upgrade
from databox.kit.http.router import Resolver, Route, Router
from databox.kit.http.server import Server
from databox.kit.http.websocket import WebSocket, frame_binary, frame_text

__all__ = [
    "Answer",
    "Handler",
    "Kind",
    "Limits",
    "Request",
    "Resolver",
    "Response",
    "Route",
    "Router",
    "Server",
    "Stream",
    "Upgrade",
    "WebSocket",
    "frame_binary",
    "frame_text",
]
