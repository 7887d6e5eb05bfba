"""An app that says what it can reach, and keeps one connection open to see when it ends."""

import http.server
import json
import socket
import ssl
import urllib.request
from pathlib import Path

NAMES = [
    "arbiter",
    "os-monitor-store",
    "manager",
    "ledger",
    "gateway",
    "switchboard",
    "export-service",
]
PEERS = Path("/run/databox")
TRUST = ssl.create_default_context(cafile="/run/secrets/DATABOX_ROOT_CA")


def by_name(name):
    try:
        with urllib.request.urlopen(f"https://{name}:443/status", context=TRUST, timeout=5) as got:
            return got.read().decode()
    except OSError as error:
        return repr(error)


def by_socket(name):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(5)
        caller.connect(f"{PEERS}/{name}")
        caller.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        return caller.recv(300).decode()


def plant():
    try:
        (PEERS / "mine.sock").touch()
    except OSError as error:
        return str(error)
    return "planted"


def take():
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.2", 443))
        except OSError as error:
            return str(error)
    return "taken"


def is_open(kept):
    try:
        return "closed" if kept.recv(1, socket.MSG_DONTWAIT) == b"" else "data"
    except BlockingIOError:
        return "open"
    except OSError:
        return "closed"


def keep():
    kept = socket.socket(socket.AF_UNIX)
    kept.connect(f"{PEERS}/os-monitor-store.sock")
    return kept


KEPT = keep()


class Screen(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {
            "sockets": {path.name: by_socket(path.name) for path in PEERS.iterdir()},
            "names": {name: by_name(name) for name in NAMES},
            "plant": plant(),
            "take": take(),
            "kept": is_open(KEPT),
        }
        screen = {"title": "x", "views": [{"type": "text", "text": json.dumps(found)}]}
        body = json.dumps(screen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Screen).serve_forever()
