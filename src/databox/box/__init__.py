"""The supervisor and only composition root: makes every wall, socket, key and process there is.

Started by the command line in the foreground. Spoken to by our own parts alone, each over its own
control channel and by the few messages it may send (`permitted.py`). It must never have a listener
of its own, nor parse anything that comes from an app, a browser or the outside.
"""
