"""What the data folder gives away to whoever copies it while the box is off, found by grep.

Unique words are planted through the box's own interfaces. Each is looked for in every file of a
copy and in its names of files and folders, as it is, in base64, in hexadecimal and in wide
characters. What may be found, because it is meant to lie in the open, stands in `IN_THE_OPEN`.
"""

import base64
import binascii
import json
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.export.world import GOOD, World, world
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, soon
from tests.recovery.speaking import MAIN, RUN, Spoken, install, upload

SECRETS = (
    "reading",
    "value",
    "key of a value",
    "source",
    "description of a source",
    "text of a consent",
    "name of the owner",
    "passphrase",
    "wrong passphrase",
    "recovery code",
    "session",
    "operator session",
    "token",
    "arbiter key of a driver",
    "arbiter key of an app",
    "export",
    "address that was refused",
    "path that nothing serves",
    "body that is refused",
)
NAMES = ("names", "uids", "logs", "packages")
IN_THE_OPEN = {
    "name of an app": {*NAMES},
    "name of a driver": {*NAMES},
    "title of an app": {"packages"},
    "code of an app": {"packages"},
    "what an app prints": {"logs", "packages"},
    "what an app keeps": {"instances", "packages"},
}
"""Which apps there are, their packages, and what they do with their own folder and output.

The values are folders of the home, and `names` for the names of files and folders themselves.
"""


def canary(kind: str) -> str:
    return f"canary-{kind}-{secrets.token_hex(8)}"


@dataclass
class Planted:
    """A copy of the home folder of a box that was stopped, and the words planted before."""

    home: Path
    words: dict[str, bytes] = field(default_factory=dict)

    def plant(self, kind: str) -> str:
        """A new word."""
        word = canary(kind.rpartition(" ")[2])
        self.words[kind] = word.encode()
        return word


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    copy = Planted(tmp_path_factory.mktemp("copy") / "home")
    passphrase, owner = copy.plant("passphrase"), copy.plant("name of the owner")
    for home in make_home():
        with world(home, mode="locked", name=owner, passphrase=passphrase) as outside:
            copy.words["recovery code"] = outside.recovery_code.encode()
            driver = plant_readings(copy, outside.box)
            plant_app(copy, outside.box, driver)
            plant_refused(copy, outside.box)
            plant_export(copy, outside)
            plant_sessions(copy, outside.box)
            assert outside.box.stop() == 0
        shutil.copytree(home, copy.home, symlinks=True)
        yield copy


def plant_readings(copy: Planted, box: RunningBox) -> str:
    """A driver whose readings, values and catalogue hold canaries; gives its name."""
    name = copy.plant("name of a driver")
    driver = install(box, name, **{"databox-type": "driver"})
    store, source = f"{name}-store", copy.plant("source")
    item = catalogue_item(store, source, copy.plant("description of a source"))
    told = (
        ("/cat", item),
        (f"/{source}/ts", {"data": {"text": copy.plant("reading")}}),
        ("/diary/kv", {"text": copy.plant("value")}),
        (f"/{copy.plant('key of a value')}/kv", {"n": 1}),
    )
    for path, body in told:
        assert driver.call(store, "POST", path, body)[0] in (200, 201)
    copy.words["token"] = driver.token_for(store, "GET", f"/{source}/ts/latest").encode()
    copy.words["arbiter key of a driver"] = base64.b64decode(driver.key)
    answer = driver.call(store, "GET", f"/{source}/ts/latest")[1]
    assert copy.words["reading"] in answer, "the control: it was written"
    return name


def catalogue_item(store: str, source: str, description: str) -> dict[str, Any]:
    pairs = {
        "urn:X-hypercat:rels:hasDescription:en": description,
        "urn:X-hypercat:rels:isContentType": "application/json",
        "urn:X-databox:rels:hasVendor": "Test",
        "urn:X-databox:rels:hasType": "diary",
        "urn:X-databox:rels:hasDatasourceid": source,
        "urn:X-databox:rels:hasStoreType": "store-json",
    }
    return {
        "item-metadata": [{"rel": rel, "val": val} for rel, val in pairs.items()],
        "href": f"https://{store}:443/{source}",
    }


def plant_app(copy: Planted, box: RunningBox, driver: str) -> None:
    """An app that was allowed the driver's source, and that keeps and prints things."""
    code = (
        f"# {copy.plant('code of an app')}\n"
        f"print({copy.plant('what an app prints')!r}, flush=True)\n"
        f"open('/var/kept', 'w').write({copy.plant('what an app keeps')!r})\n{MAIN}"
    )
    manifest = {
        "name": copy.plant("name of an app"),
        "title": copy.plant("title of an app"),
        "run": RUN,
        "datasources": [{"type": "diary", "clientid": "DIARY"}],
    }
    files = {"databox-manifest.json": json.dumps(manifest), "main.py": code}
    status, package = upload(box, files)
    assert status == 200, package
    source = copy.words["source"].decode()
    choice = {"clientid": "DIARY", "store": f"{driver}-store", "source": source}
    consent = {"choices": {"sources": [choice]}, "text": copy.plant("text of a consent")}
    status, answer = box.call("POST", "/api/install", package | consent)
    assert status == 200, answer
    app = Spoken(box, package["name"])
    copy.words["arbiter key of an app"] = base64.b64decode(app.key)
    history = json.dumps(box.get("/api/history?limit=500")).encode()
    assert copy.words["text of a consent"] in history, "the control: it was written"


def plant_refused(copy: Planted, box: RunningBox) -> None:
    """What is refused may end up in logs."""
    wrong = {"passphrase": copy.plant("wrong passphrase")}
    box.call("POST", "/api/recover", {"recovery_code": "x", "key": {}, **wrong})
    box.call("POST", "/api/login", {"key": {}, **wrong})
    assert box.call("GET", f"/api/{copy.plant('path that nothing serves')}")[0] == 404
    assert box.call("POST", "/api/install", {copy.plant("body that is refused"): 1})[0] == 400


def plant_export(copy: Planted, outside: World) -> None:
    app = outside.app("Sender", (GOOD,))
    outside.until(app.send(GOOD, json.dumps(copy.plant("export"))), "sent")
    assert copy.words["export"] in outside.peers[GOOD].came[-1].body
    address = f"https://a.test/{copy.plant('address that was refused')}"
    assert app.post("/export", {"id": "", "uri": address, "data": "1"})[0] == 401


def plant_sessions(copy: Planted, box: RunningBox) -> None:
    copy.words["session"] = box.session.encode()
    operator = box.home / "run" / "operator.json"
    soon(operator.exists)
    copy.words["operator session"] = json.loads(operator.read_text())["session"].encode()


def forms(word: bytes) -> set[bytes]:
    """How a word may be written. Of base64 the part that does not depend on what is around it."""
    plain = {word, word.replace(b"-", b""), word.lower(), word.upper()}
    found = plain | {binascii.hexlify(word), binascii.hexlify(word).upper()}
    found |= {b"\0".join(bytes([each]) for each in word)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            found.add(encode(bytes(before) + word)[4:-4])
    return found


def where(word: bytes, home: Path) -> set[str]:
    """The folders at the top of `home` in which a word is readable; `names`: in a name."""
    found = set()
    for path in home.rglob("*"):
        inside = path.relative_to(home)
        if any(form in str(inside).encode() for form in forms(word)):
            found.add("names")
        if path.is_file() and any(form in path.read_bytes() for form in forms(word)):
            found.add(inside.parts[0])
    return found


@pytest.mark.parametrize("kind", SECRETS)
def test_no_canary_is_readable_in_a_copy(planted: Planted, kind: str) -> None:
    assert where(planted.words[kind], planted.home) == set()


@pytest.mark.parametrize("kind", IN_THE_OPEN)
def test_what_lies_in_the_open_lies_where_it_is_said(planted: Planted, kind: str) -> None:
    assert where(planted.words[kind], planted.home) <= IN_THE_OPEN[kind]


@pytest.mark.parametrize("kind", ["what an app keeps", "what an app prints"])
def test_an_apps_own_folder_and_output_are_still_in_the_open(planted: Planted, kind: str) -> None:
    """Once this fails, the box protects more than SECURITY.md says."""
    assert where(planted.words[kind], planted.home) == IN_THE_OPEN[kind]


def test_every_word_that_was_planted_is_looked_for(planted: Planted) -> None:
    assert set(planted.words) == {*SECRETS, *IN_THE_OPEN}


def test_no_private_key_is_readable_in_a_copy(planted: Planted) -> None:
    assert where(b"PRIVATE KEY", planted.home) == set()


@pytest.mark.parametrize("kind", SECRETS)
def test_the_same_grep_finds_them_in_an_ordinary_database(
    planted: Planted, kind: str, tmp_path: Path
) -> None:
    database = sqlite3.connect(tmp_path / "plain.db")
    database.execute("CREATE TABLE reading (body BLOB)")
    database.execute("INSERT INTO reading VALUES (?)", (b"before" + planted.words[kind],))
    database.commit()
    database.close()
    assert where(planted.words[kind], tmp_path) == {"plain.db"}


@pytest.mark.parametrize("around", [b"", b"a", b"ab", b"abc"])
def test_the_same_grep_finds_them_in_other_writings(
    planted: Planted, around: bytes, tmp_path: Path
) -> None:
    word = planted.words["reading"]
    (tmp_path / "base64").write_bytes(base64.b64encode(around + word + b" and more"))
    (tmp_path / "hex").write_bytes(binascii.hexlify(around + word))
    (tmp_path / "wide").write_text(word.decode(), encoding="utf-16")
    assert where(word, tmp_path) == {"base64", "hex", "wide"}
