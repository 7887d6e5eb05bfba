"""An app with its own pages that try to get out. It also runs outside a box, as the control.

`/leave`: a redirect out; `/headers`: a page whose headers lead out; `/ran`: remembers which
attempts its page made; `/log`: those.
"""

import http.server
import json
import os
import socketserver
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parent
TYPES = {".html": "text/html", ".js": "text/javascript"}
RAN: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the docstring of this file says."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        out = parse_qs(address.query).get("to", [""])[0]
        if address.path == "/leave":
            self.answer(302, {"Location": out})
        elif address.path == "/headers":
            leading_out = {
                "Content-Type": "text/html",
                "Link": f"<{out}&by=link>; rel=preload; as=image",
                "Refresh": f"0; url={out}&by=refresh",
                "Content-Security-Policy-Report-Only": f"img-src 'none'; report-uri {out}&by=csp",
            }
            self.answer(200, leading_out, b"<!doctype html><title>x</title><img src=/dot>")
        elif address.path == "/ran":
            RAN.append(address.query)
            self.answer(204, {})
        elif address.path == "/log":
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(RAN).encode())
        else:
            self.file(address.path.lstrip("/") or "index.html")

    def file(self, name: str) -> None:
        path = FOLDER / name
        if path.parent != FOLDER or path.suffix not in TYPES:
            self.answer(404, {})
        else:
            self.answer(200, {"Content-Type": TYPES[path.suffix]}, path.read_bytes())

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
