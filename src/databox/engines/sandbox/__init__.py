"""The engine that needs no daemon and no root: one bubblewrap sandbox an instance.

`engine.py` is the door. Decisions are in `arguments.py`, `seccomp.py` and `limits.py`; effects in
`spawn.py` (processes), `namespaces.py` (sockets inside), `cgroups.py`, `watch.py` and `output.py`.
It must never hand an instance anything that its spec does not name.
"""
