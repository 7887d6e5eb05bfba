"""Who gets the data that a removed driver left."""

import asyncio
from pathlib import Path

import pytest

from databox.kit.clock import FixedClock
from databox.kit.database import open_database
from databox.manager.installer import Installer
from databox.manager.state import State
from databox.wire import api, control
from databox.wire.errors import Conflict, Unavailable
from databox.wire.manifest import Manifest, Package, Run
from databox.wire.sla import Choices

HUE = Manifest(name="hue", databox_type="driver", run=Run(command=("python3", "main.py")))
RELEASED = Package(digest="a" * 64, manifest=HUE, signer="Comes with Databox")
UPLOADED = Package(digest="b" * 64, manifest=HUE, signer="Built on this box")


class FakePeers:
    def __init__(self, *grants):
        self.held = list(grants)

    async def grants(self):
        return tuple(self.held)

    async def end(self, grant):
        self.held = [each for each in self.held if each.id != grant.id]

    async def confirm(self, target, epoch):
        return True

    async def record(self, *events):
        pass

    async def know(self, name, kind, key):
        pass

    async def grant(self, request):
        pass

    async def forget(self, name):
        pass


class FakeSources:
    async def rows(self):
        return ()

    def drop(self, store):
        pass


class FakeBox:
    """Does what it is asked; `fails`: a kind of message that it does not."""

    def __init__(self):
        self.asked = []
        self.fails = ()

    async def ask(self, message):
        self.asked.append(message)
        if isinstance(message, self.fails):
            raise Unavailable("not now")
        return b"null"

    @property
    def forgot_the_store(self):
        return any(isinstance(each, control.ForgetStore) for each in self.asked)


@pytest.fixture
def state(tmp_path: Path):
    state = State(open_database(tmp_path / "manager.db", bytes(32)))
    state.put_package(UPLOADED)
    return state


def installer(state, box=None, peers=None):
    return Installer(state, box or FakeBox(), peers or FakePeers(), FakeSources(), FixedClock())


async def unpack(package):
    pass


def install(state, package, box=None):
    request = api.InstallRequest(name="hue", package=package.digest, choices=Choices(), text="")
    asyncio.run(installer(state, box).install(package, request, "Ana", unpack))


def uninstall(state, *, keep, box=None):
    asyncio.run(installer(state, box).uninstall("hue", keep=keep))


@pytest.mark.parametrize(("first", "then"), [(RELEASED, UPLOADED), (UPLOADED, RELEASED)])
def test_a_stranger_of_the_same_name_does_not_get_it(state, first, then):
    install(state, first)
    uninstall(state, keep=True)
    with pytest.raises(Conflict, match="left its data"):
        install(state, then)
    install(state, first)


@pytest.mark.parametrize("readers", [False, True])
def test_who_reads_it_goes_on_only_where_that_was_asked_for(state, readers):
    install(state, RELEASED)
    peers = FakePeers(
        api.Grant(id="1", client="hue", target="hue-store", kind="own"),
        api.Grant(id="2", client="lamps", target="hue-store", kind="source", source="light"),
        api.Grant(id="3", client="lamps", target="other-store", kind="source", source="door"),
        api.Grant(id="4", client="manager", target="hue-store", kind="part"),
    )
    asyncio.run(installer(state, peers=peers).uninstall("hue", keep=True, readers=readers))
    assert [grant.id for grant in peers.held] == (["2", "3", "4"] if readers else ["3", "4"])


def test_whoever_comes_after_all_was_deleted_may_have_the_name(state):
    install(state, RELEASED)
    uninstall(state, keep=True)
    install(state, RELEASED)
    box = FakeBox()
    uninstall(state, keep=False, box=box)
    assert box.forgot_the_store
    install(state, UPLOADED)


def test_an_installation_that_fails_does_not_delete_it(state):
    install(state, RELEASED)
    uninstall(state, keep=True)
    box = FakeBox()
    box.fails = control.StartInstance
    with pytest.raises(Unavailable):
        install(state, RELEASED, box)
    assert not box.forgot_the_store


def test_an_installation_that_fails_leaves_nothing_of_its_own(state):
    box = FakeBox()
    box.fails = control.StartInstance
    with pytest.raises(Unavailable):
        install(state, RELEASED, box)
    assert box.forgot_the_store
