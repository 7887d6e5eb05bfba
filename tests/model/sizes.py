"""The store's own bounds made small, so that a few points are many blocks."""

import pytest

from databox.store.engine import blocks, hot, ingest, runs, seal, weave

SMALL = (
    (blocks, "MOST_POINTS", 16),
    (blocks, "MOST_BYTES", 2048),
    (hot, "MOST_POINTS", 64),
    (hot, "MOST_BYTES", 16_384),
    (hot, "SEAL_POINTS", 8),
    (hot, "SEAL_BYTES", 4096),
    (seal, "STEP", 6),
    (seal, "_STEP_BYTES", 4096),
    (ingest, "_STRAIGHT", 30),
    (runs, "GATHER_POINTS", 64),
    (runs, "GATHER_BYTES", 8192),
    (runs, "RUN_POINTS", 32),
    (weave, "RUN_POINTS", 32),
)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Make all of them small."""
    for module, name, value in SMALL:
        patch.setattr(module, name, value)
