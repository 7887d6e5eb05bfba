"""Arbiters in memory."""

import apsw
import pytest
from tests.unit.arbiter.world import NOW, MakeWorld, World, key

from databox.arbiter.launch import Setting
from databox.kit.clock import FixedClock


@pytest.fixture
def make_world() -> MakeWorld:
    """Make an arbiter; again on the same connection is a restart."""

    def make(
        connection: apsw.Connection | None = None,
        setting: Setting | None = None,
        clock: FixedClock | None = None,
    ) -> World:
        world = World(
            connection or apsw.Connection(":memory:"),
            setting or Setting(),
            clock or FixedClock(NOW),
        )
        with world.state.transaction():
            for name, kind in (
                ("manager", "part"),
                ("os-store", "store"),
                ("export-service", "export-service"),
                ("graph", "app"),
                ("hello", "app"),
            ):
                world.state.records.put(name, kind, key(name))
        return world

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """An arbiter that knows a store, the export service and two apps."""
    return make_world()
