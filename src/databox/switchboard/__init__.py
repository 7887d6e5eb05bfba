"""The switchboard: moves bytes between permitted pairs, and to permitted outside names.

It is the only part that can make a connection to the outside. TLS passes through it from end to
end, so it sees no plain text and no token. It must never decide who may reach whom: `box` hands it
each route, and takes it away.
"""
