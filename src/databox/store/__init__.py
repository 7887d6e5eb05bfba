"""A store: keeps and serves one source, checks every token, records every access.

One process, one encrypted file, and beside it a folder of large objects, each a file with a key of
its own. Drivers write through their pair, apps read through theirs, the owner through the gateway;
each shows a token, and each access, allowed or refused, is durable in the store's own chain before
its answer leaves. A store must never open a file outside its folder or make a socket, and never
serves before it knows from the arbiter which grants have ended.
"""
