"""The gateway: the only port that a browser can reach.

Speaks: browsers and the command line on the outside; the arbiter, manager, ledger, export and
stores as the signed-in person; apps' web ports through `box`. It holds sessions' checks, origins,
headers and the dashboard's files. It must never hold a store's key, decide a right, or act without
a user token.
"""
