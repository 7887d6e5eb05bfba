"""The words that parts say to one another: messages, tokens, manifests, the table of endpoints.

Everything here is a value or a pure function: no file, no socket, no clock. Every other folder may
import `wire`; `wire` imports nobody.
"""
