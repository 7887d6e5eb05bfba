"""The arbiter: who may do what. It keeps grants, mints tokens, ends grants, and knows the owner.

Speaks with: every component (tokens, the root catalogue), the manager (components and grants), the
gateway (signing in, tokens for the signed-in person), the box (keys of parts, the operator's
session). Every change and its ledger entry are one transaction.

Must never: touch data, or give a token that no single grant in force covers.
"""
