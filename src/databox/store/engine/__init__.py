"""Everything about points: how they are written, packed, summed up and found again.

Speaks to nobody: bytes and a database connection in, points out. Numbers are packed by libraries
that take a while to load, so nothing here imports them before a block is written or read.
"""
