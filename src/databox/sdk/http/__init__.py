"""HTTP/1.1 for a sandbox: a client of unix sockets and a server of one small web port.

The standard library's `http.client` and `http.server` load a mail parser and cost 4 MB in each of
many small processes, and neither bounds what a peer may send. Heads are parsed in `head.py`
without I/O; `client.py` and `server.py` move the bytes.
"""
