"""The export service: the one way out for apps.

Speaks: apps with a grant, the owner (what waits, what left), the ledger before anything leaves, and
the outside through the switchboard alone. It must never send what was not granted.
"""
