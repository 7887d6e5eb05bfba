"""The container manager: installs, makes the SLA from manifest and choices, decides what runs.

Speaks: gateway (the owner's calls), arbiter and ledger, stores (their catalogues only), and `box`
by a closed list of messages. It must never be privileged, and never read stored data.
"""
