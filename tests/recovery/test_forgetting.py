"""A source that is forgotten cannot be read again, not even from a copy of its file made before."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import PASSPHRASE, RunningBox
from tests.recovery.speaking import Spoken, install
from tests.recovery.test_canaries import catalogue_item, where

from databox.box.keys import Keyring
from databox.store.file import StoreFile
from databox.wire.errors import DataboxError

DRIVER, STORE = "diary", "diary-store"
COUNT = 1000
READINGS, COLUMNS, TAGS, VALUES, KEYS, OBJECTS = 200, 400, 100, 100, 100, 100
assert READINGS + COLUMNS + TAGS + VALUES + KEYS + OBJECTS == COUNT


@dataclass
class Forgotten:
    """What is left of a box after one of its sources was forgotten.

    `stem`: what every canary begins with; `told`: the canaries that the store gave out before.
    `copy`: of the store's folder, made before. `could`: whether the key opened such a copy then.
    """

    home: Path
    copy: Path
    stem: str
    told: set[bytes] = field(default_factory=set)
    could: bool = False


def plant(driver: Spoken, stem: str) -> None:
    """A thousand canaries, in everything that a store takes."""
    words = iter([f"{stem}-{n:04}" for n in range(COUNT)])
    token = driver.token_for(STORE, "POST", "/*")

    def put(path: str, body: object) -> None:
        status, answer = driver.ask(STORE, "POST", path, json.dumps(body).encode(), token)
        assert status in (200, 201), (path, answer)

    put("/cat", catalogue_item(STORE, "days", "days"))
    for n in range(READINGS):
        put("/days/ts", {"data": {"text": next(words)}, "timestamp": COLUMNS + 1 + n})
    for first in (0, COLUMNS // 2):
        data = [{"text": next(words)} for _ in range(COLUMNS // 2)]
        times = list(range(first + 1, first + 1 + len(data)))
        put("/days/ts/columns", {"timestamps": times, "data": data})
    for n in range(TAGS):
        put("/tagged/ts/columns", {"timestamps": [n], "data": [n], "tags": {"who": next(words)}})
    for n in range(VALUES):
        put(f"/value-{n}/kv", {"text": next(words)})
    for _ in range(KEYS):
        put(f"/{next(words)}/kv", {"n": 1})
    for n in range(OBJECTS):
        put(f"/album/objects/{n}", {"picture": next(words) * 40})


def told(driver: Spoken, stem: str) -> set[bytes]:
    """The canaries that the store gives out."""
    paths = [
        "/days/ts/since?startTimestamp=0",
        "/tagged/ts/series",
        "/kv?limit=1000",
        *(f"/value-{n}/kv" for n in range(VALUES)),
        *(f"/album/objects/{n}" for n in range(OBJECTS)),
    ]
    bodies = []
    token = driver.token_for(STORE, "GET", "/*")
    for path in paths:
        status, body = driver.ask(STORE, "GET", path, b"", token)
        assert status == 200, (path, body)
        bodies.append(body)
    return set(re.findall(rb"%b-[0-9]{4}" % stem.encode(), b"".join(bodies)))


def opens(copy: Path, keys: Keyring, name: str) -> bool:
    """Whether a key opens a copy of the store's file; of which another copy is made for it."""
    tried = shutil.copytree(copy, copy.with_name(f"tried-{name}"))
    try:
        StoreFile(tried / "store.db", keys.key(name)).close()
    except (DataboxError, ValueError):
        return False
    return True


@pytest.fixture(
    scope="module",
    params=["after its driver", pytest.param("with its driver", marks=pytest.mark.slow)],
)
def forgotten(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Forgotten]:
    for home in make_home():
        copy = tmp_path_factory.mktemp("copy") / STORE
        found = Forgotten(home, copy, f"canary-{secrets.token_hex(8)}")
        with RunningBox(home) as box:
            box.set_up()
            driver = install(box, DRIVER, **{"databox-type": "driver"})
            plant(driver, found.stem)
            found.told = told(driver, found.stem)
            shutil.copytree(home / "stores" / STORE, copy)
            keys = Keyring(home / "keys")
            keys.open_by_passphrase(PASSPHRASE)
            found.could = opens(copy, keys, f"{STORE}.database")
            keep = request.param == "after its driver"
            box.call("POST", f"/api/components/{DRIVER}/uninstall", {"keep": keep})
            if keep:
                assert box.get("/api/left") == {"sources": [{"name": DRIVER, "store": STORE}]}
                status, answer = box.call("POST", f"/api/left/{DRIVER}/forget", {})
                assert status == 200, answer
            assert box.get("/api/left") == {"sources": []}
            assert box.stop() == 0
        yield found


def test_the_control_every_canary_was_there(forgotten: Forgotten) -> None:
    assert len(forgotten.told) == COUNT


def test_no_canary_is_readable_afterwards(forgotten: Forgotten) -> None:
    assert where(forgotten.stem.encode(), forgotten.home) == set()


def test_nothing_of_the_store_is_left(forgotten: Forgotten) -> None:
    assert not (forgotten.home / "stores" / STORE).exists()
    assert not list((forgotten.home / "keys").glob(f"{STORE}*"))


def test_who_has_the_passphrase_and_a_copy_cannot_read_it_either(forgotten: Forgotten) -> None:
    keys = Keyring(forgotten.home / "keys")
    keys.open_by_passphrase(PASSPHRASE)
    names = [path.name for path in (forgotten.home / "keys").iterdir() if "." in path.name]
    assert forgotten.could, "the control: its key opened it"
    assert names, "the control: there are keys to try"
    assert not [name for name in names if opens(forgotten.copy, keys, name)]


def test_what_nobody_left_cannot_be_forgotten(home: Path) -> None:
    with RunningBox(home) as box:
        box.set_up()
        box.install("os-monitor")
        for name in ("os-monitor", "nobody"):
            status, answer = box.call("POST", f"/api/left/{name}/forget", {})
            assert (status, answer["error"]["code"]) == (404, "not-found")
