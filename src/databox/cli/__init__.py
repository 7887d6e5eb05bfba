"""The command line: sets the box up, starts it, and speaks to it through the public API.

Whatever the dashboard can do, it can; it must never open a file of a running part. The modules
`start`, `runtime`, `home` and `packages` run before anything is installed: they import the
standard library alone.
"""
