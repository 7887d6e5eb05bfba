"""The ledger: everything that happened to the owner's data, append-only, under one signed root.

Parts write to it over their pair, each only the kinds that are its own (`permitted.py`); the
owner reads it as sentences (`sentences.py`) and can take it away and have it checked without the
box (`bundle.py`, which needs no database). It lives in the arbiter's process and database, so a
grant and its entry are one transaction. It must never be skipped, and never change or drop a line.
"""
