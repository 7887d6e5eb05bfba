"""What is wrong is refused by a whole box with field, finding and remedy, and changes nothing."""

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymacaroons import Macaroon  # type: ignore[import-untyped]
from tests.recovery.running import RunningBox, soon
from tests.recovery.speaking import MAIN, RUN, Spoken, install, upload

PLACE = "https://sum.test.example/in"
STORE, SOURCE = "os-monitor-store", "cpu-load"
ASKS = [
    {"type": "cpu-load", "clientid": "LOAD", "exact": ["PT1M", "PT1H"]},
    {"type": "memory-used", "clientid": "MEMORY"},
]
SOUND: dict[str, Any] = {
    "name": "sound",
    "run": RUN,
    "datasources": ASKS,
    "export-whitelist": [{"url": PLACE}],
}


@pytest.fixture(scope="module")
def box(shared_home: Path) -> Iterator[RunningBox]:
    with RunningBox(shared_home) as box:
        box.set_up()
        box.install("os-monitor")
        install(box, "present", datasources=ASKS)
        soon(lambda: (STORE, SOURCE) in sources(box), within=20)
        yield box


@pytest.fixture
def unchanged(box: RunningBox) -> Iterator[None]:
    """After the test the box is as it was before."""
    before = everything(box)
    yield
    assert everything(box) == before


pytestmark = pytest.mark.usefixtures("unchanged")


def sources(box: RunningBox) -> set[tuple[str, str]]:
    return {(row["store"], row["id"]) for row in box.get("/api/sources")["sources"]}


def everything(box: RunningBox) -> dict[str, object]:
    """Components with their choices, grants, sources, exports, entries of change, and files."""
    components = box.get("/api/components")["components"]
    grants = box.get("/api/grants?ended=1")["grants"]
    kinds = ("installed", "uninstalled", "consent", "granted", "revoked", "export-intent")
    rows = [row for kind in kinds for row in box.get(f"/api/history?kind={kind}&limit=500")["rows"]]
    return {
        "components": sorted((each["name"], each["package"]) for each in components),
        "choices": {
            each["name"]: box.get(f"/api/components/{each['name']}/consent")["asks"]
            for each in components
        },
        "grants": [{**each, "last_used": None} for each in grants],
        "sources": sources(box),
        "exports": box.get("/api/exports"),
        "entries": [row["entry"] for row in rows],
        "files": sorted(files(box.home)),
    }


def files(home: Path) -> Iterator[str]:
    for folder in ("packages", "instances", "stores", "keys", "run/peers", "parts/manager/inbox"):
        for path in (home / folder).rglob("*"):
            # A store writes readings all the while; what an app does in /var is its own.
            if not path.name.endswith(("-wal", "-shm")) and "var" not in path.parts:
                yield str(path.relative_to(home))


def refusal(answer: tuple[int, Any], status: int = 400) -> dict[str, str]:
    """The error, which must say where, what was found and what to do."""
    assert answer[0] == status, answer
    error: dict[str, str] = answer[1]["error"]
    for part in ("code", "message", "field", "found", "remedy"):
        assert error.get(part), (part, error)
    return error


# Manifests.


def offered(box: RunningBox, manifest: object) -> tuple[int, Any]:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    return upload(box, {"databox-manifest.json": text, "main.py": MAIN})


@pytest.mark.parametrize(
    ("manifest", "field", "found"),
    [
        ({**SOUND, "colour": "red"}, "manifest", "colour"),
        ({**SOUND, "run": {**RUN, "shell": True}}, "run", "shell"),
        ({**SOUND, "version": 1}, "version", "int"),
        ({**SOUND, "datasources": "all"}, "datasources", "str"),
        ({**SOUND, "run": {**RUN, "port": 80}}, "run.port", "1024"),
        ({"run": RUN}, "manifest", "name"),
        ({**SOUND, "run": {"port": 8080}}, "run", "command"),
        ({**SOUND, "datasources": [{"clientid": "A"}]}, "datasources[0]", "type"),
        ({**SOUND, "datasources": [ASKS[0], ASKS[0]]}, "datasources", "LOAD"),
        ({**SOUND, "export-whitelist": [{"url": PLACE}] * 2}, "export-whitelist", PLACE),
        ({**SOUND, "name": "Sound"}, "name", "Sound"),
        ({**SOUND, "name": "arbiter"}, "name", "arbiter"),
        ({**SOUND, "name": "my-store"}, "name", "my-store"),
        ({**SOUND, "name": "a" * 35}, "name", "a" * 35),
        (
            {**SOUND, "export-whitelist": [{"url": "http://a.test/"}]},
            "export-whitelist.url",
            "http://a.test/",
        ),
        (
            {**SOUND, "external-whitelist": [{"urls": ["https://a.test"]}]},
            "external-whitelist",
            "https://a.test",
        ),
        ("{", "manifest", "truncated"),
        ("[" * 100_000, "manifest", "array"),
        ("null", "manifest", "null"),
        (json.dumps({**SOUND, "description": "x" * 300_000}), "manifest", "bytes"),
        ({**SOUND, "run": None}, "run", "no run"),
    ],
    ids=str,
)
def test_a_manifest_that_is_wrong_is_refused(
    box: RunningBox, manifest: object, field: str, found: str
) -> None:
    error = refusal(offered(box, manifest))
    assert error["field"] == field
    assert found in error["found"]


def test_an_upload_without_a_manifest_is_refused(box: RunningBox) -> None:
    assert refusal(upload(box, {"main.py": MAIN}))["field"] == "files"


def test_an_app_file_that_cannot_describe_itself_leaves_nothing(box: RunningBox) -> None:
    error = refusal(upload(box, {"main.py": "raise SystemExit('no')"}, describe="main.py"))
    assert (error["field"], error["found"]) == ("describe", "no")


def test_an_app_file_that_describes_nonsense_leaves_nothing(box: RunningBox) -> None:
    text = 'print(\'{"name": "sound", "colour": 1}\')'
    error = refusal(upload(box, {"main.py": text}, describe="main.py"))
    assert "colour" in error["found"]


@pytest.mark.parametrize("path", ["../main.py", "/etc/main.py", "a//b", ".hidden", "a/../b"])
def test_a_path_that_leads_elsewhere_is_refused(box: RunningBox, path: str) -> None:
    error = refusal(upload(box, {"databox-manifest.json": json.dumps(SOUND), path: "x"}))
    assert (error["field"], error["found"]) == ("files", repr(path))


def test_a_file_that_is_no_base64_is_refused(box: RunningBox) -> None:
    error = refusal(box.call("POST", "/api/packages", {"files": {"main.py": "é"}}))
    assert error["field"] == "files.main.py"


# What the owner chose.


@pytest.fixture(scope="module")
def sound(box: RunningBox) -> dict[str, Any]:
    """A package that could be installed."""
    status, package = offered(box, SOUND)
    assert status == 200, package
    found: dict[str, Any] = package
    return found


def load(**changes: object) -> dict[str, object]:
    """The owner's answer to the first ask."""
    return {"clientid": "LOAD", "store": STORE, "source": SOURCE, "exact": "PT1M", **changes}


CHOICES: list[tuple[dict[str, Any], str, str]] = [
    ({"sources": [load(exact="raw")]}, "choices.sources.LOAD.exact", "raw"),
    ({"sources": [load(source="memory-used")]}, "choices.sources.LOAD", "memory-used"),
    ({"sources": [load(source="none")]}, "choices.sources.LOAD", f"{STORE}/none"),
    ({"sources": [load(store="none-store")]}, "choices.sources.LOAD", "none-store"),
    ({"sources": [load(act=True)]}, "choices.sources.LOAD.act", "true"),
    ({"sources": [load(clientid="OTHER")]}, "choices.sources", "OTHER"),
    ({"sources": [load(), load(exact="PT1H")]}, "choices.sources", "LOAD"),
    ({"sources": [load(until=1)]}, "choices.sources.LOAD.until", "1"),
    ({"sources": [load(exact="PT1S")]}, "choices.sources[0].exact", "PT1S"),
    ({"sources": [load(more=1)]}, "choices.sources[0]", "more"),
    ({"exports": [{"url": PLACE + "/x", "allowed": True}]}, "choices.exports", PLACE + "/x"),
    ({"exports": [{"url": PLACE, "allowed": True, "until": 1}]}, "choices.exports.until", "1"),
    ({"exports": [{"url": PLACE}] * 2}, "choices.exports", PLACE),
    ({"everything": True}, "choices", "everything"),
]


@pytest.mark.parametrize(("choices", "field", "found"), CHOICES, ids=str)
def test_choices_that_grant_more_than_was_asked_install_nothing(
    box: RunningBox, sound: dict[str, Any], choices: object, field: str, found: str
) -> None:
    request = {**sound, "choices": choices, "text": "agreed"}
    error = refusal(box.call("POST", "/api/install", request))
    assert error["field"] == field
    assert found in error["found"]


@pytest.mark.parametrize(
    ("choices", "field", "found"), [row for row in CHOICES if "exports" not in row[0]], ids=str
)
def test_choices_that_grant_more_than_was_asked_change_nothing(
    box: RunningBox, choices: object, field: str, found: str
) -> None:
    request = {"component": "present", "choices": choices, "text": "agreed"}
    error = refusal(box.call("POST", "/api/components/present/choices", request))
    assert error["field"] == field
    assert found in error["found"]


def test_a_released_package_with_choices_too_wide_is_not_even_unpacked(box: RunningBox) -> None:
    package = box.get("/api/offers/computer-graph")["package"]
    choices = {"sources": [load(clientid="NOBODY")]}
    request = {"name": "computer-graph", "package": package, "choices": choices, "text": "x"}
    refusal(box.call("POST", "/api/install", request))


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": "other"}, 400, "name"),
        ({"package": "0" * 64}, 404, "package"),
        ({"package": "../../etc"}, 404, "package"),
        ({"name": "present"}, 400, "name"),
    ],
    ids=str,
)
def test_another_package_than_was_shown_is_refused(
    box: RunningBox, sound: dict[str, Any], change: dict[str, str], status: int, field: str
) -> None:
    request = {**sound, "choices": {}, "text": "agreed", **change}
    assert refusal(box.call("POST", "/api/install", request), status)["field"] == field


@pytest.fixture(scope="module")
def taken(box: RunningBox) -> dict[str, Any]:
    """A package of the name of something installed."""
    status, package = offered(box, {**SOUND, "name": "present", "version": "2"})
    assert status == 200, package
    found: dict[str, Any] = package
    return found


def test_a_name_that_is_taken_is_refused(box: RunningBox, taken: dict[str, Any]) -> None:
    request = {**taken, "choices": {}, "text": "agreed"}
    error = refusal(box.call("POST", "/api/install", request), 409)
    assert (error["field"], error["found"]) == ("name", "present")


# Tokens.


@pytest.fixture(scope="module")
def app(box: RunningBox) -> Spoken:
    """An app that may see the processor's load by the minute."""
    choices = {"sources": [load()]}
    return install(box, "reader", datasources=ASKS, choices=choices)


@pytest.fixture(scope="module")
def other(box: RunningBox) -> Spoken:
    """Another one that may see the same."""
    return install(box, "other", datasources=ASKS, choices={"sources": [load()]})


PATH = f"/{SOURCE}/ts/latest"


def narrowed(token: str, caveat: str) -> str:
    """The token with one more caveat, as any holder can make it."""
    macaroon = Macaroon.deserialize(token)
    macaroon.add_first_party_caveat(caveat)
    return str(macaroon.serialize())


def test_the_control_a_good_token_opens(app: Spoken) -> None:
    token = app.token_for(STORE, "GET", PATH)
    assert app.ask(STORE, "GET", PATH, b"", token)[0] == 200
    assert app.ask(STORE, "GET", PATH, b"", narrowed(token, f"time < {2**50}"))[0] == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: narrowed(token, "colour = red"),
        lambda token: narrowed(token, "time < soon"),
        lambda token: narrowed(token, "method = POST"),
        lambda token: narrowed(token, "path = /memory-used/ts/latest"),
        lambda token: narrowed(token, "time < 1"),
        lambda token: token[:-4],
        lambda token: token[: len(token) // 2],
        lambda token: token[:-6] + "AAAAA=",
        lambda token: "x",
        lambda token: token * 500,
    ],
    ids=[
        "unknown caveat",
        "malformed caveat",
        "wrong method",
        "wrong path",
        "expired",
        "cut short",
        "half",
        "other signature",
        "no token",
        "too long",
    ],
)
def test_a_bad_token_is_refused_and_the_refusal_is_on_the_record(
    box: RunningBox, app: Spoken, spoil: Callable[[str], str]
) -> None:
    token = spoil(app.token_for(STORE, "GET", PATH))
    status, text = app.ask(STORE, "GET", PATH, b"", token)
    assert (status, text) == (401, b"Invalid API key/token") or status == 431
    assert "reading" not in text.decode()


def test_a_token_of_a_megabyte_is_refused(app: Spoken) -> None:
    status, text = app.ask(STORE, "GET", PATH, b"", "A" * 1_000_000)
    assert (status, json.loads(text)["error"]["code"]) == (431, "headers-too-large")


def test_a_token_of_another_caller_is_refused(app: Spoken, other: Spoken) -> None:
    stolen = app.token_for(STORE, "GET", PATH)
    assert other.ask(STORE, "GET", PATH, b"", stolen) == (401, b"Invalid API key/token")


def test_a_token_for_another_path_is_refused(app: Spoken) -> None:
    token = app.token_for(STORE, "GET", PATH)
    wrong = app.ask(STORE, "GET", f"/{SOURCE}/ts/since", b'{"startTimestamp": 0}', token)
    assert wrong == (401, b"Invalid API key/token")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"/{SOURCE}/ts"), ("GET", "/memory-used/ts/latest"), ("GET", "/x/kv")],
)
def test_a_token_for_what_was_not_granted_is_not_made(app: Spoken, method: str, path: str) -> None:
    ask = json.dumps({"target": STORE, "path": path, "method": method}).encode()
    refused = app.ask("arbiter", "POST", "/token", ask, app.key)
    assert refused == (401, b"Insufficient route permissions")


@pytest.mark.parametrize("key", ["", "x", base64.b64encode(bytes(32)).decode()])
def test_a_wrong_arbiter_key_gets_no_token(app: Spoken, key: str) -> None:
    ask = json.dumps({"target": STORE, "path": PATH, "method": "GET"}).encode()
    assert app.ask("arbiter", "POST", "/token", ask, key)[0] == 401


# Bodies.


def raw(
    box: RunningBox, path: str, body: bytes, content_type: str = "application/json"
) -> tuple[int, Any]:
    """A call of the signed-in owner with these very bytes."""
    address = box.address.removeprefix("http://")
    connection = http.client.HTTPConnection("127.0.0.1", int(address.rpartition(":")[2]))
    headers = {"Host": address, **box.proof("POST", path)}
    if content_type:
        headers["Content-Type"] = content_type
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"nothing", b"{'a': 1}", b"[" * 50_000])
def test_a_body_that_is_no_json_is_refused(box: RunningBox, body: bytes) -> None:
    assert refusal(raw(box, "/api/install", body))["field"] == "body"


def test_a_body_without_anything_is_refused(box: RunningBox) -> None:
    assert refusal(raw(box, "/api/install", b""))["field"] == "body"


@pytest.mark.parametrize("path", ["/api/install", "/api/stop-access"])
def test_a_body_that_is_too_large_is_refused(box: RunningBox, path: str) -> None:
    body = json.dumps({"text": "x" * 2 * 1024 * 1024}).encode()
    error = refusal(raw(box, path, body), 413)
    assert (error["code"], error["field"]) == ("too-large", "body")


def test_an_upload_that_is_too_large_is_refused(box: RunningBox) -> None:
    content = base64.b64encode(bytes(30_000_000)).decode()
    error = refusal(box.call("POST", "/api/packages", {"files": {"main.py": content}}), 413)
    assert error["field"] == "body"


def test_an_upload_of_too_many_files_is_refused(box: RunningBox) -> None:
    files = {"databox-manifest.json": json.dumps(SOUND)} | {f"{n}.py": "" for n in range(8000)}
    error = refusal(upload(box, files), 413)
    assert error["field"] == "files"
    assert error["found"].startswith("8001 files")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_type_is_refused(box: RunningBox, content_type: str) -> None:
    request = json.dumps({"component": "present"}).encode()
    error = refusal(raw(box, "/api/stop-access", request, content_type))
    assert (error["field"], error["code"]) == ("content-type", "content-type")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"grant": 1}, "grant"),
        ({"everything": True}, "body"),
        ({}, "grant"),
        ([], "body"),
        (None, "body"),
    ],
    ids=str,
)
def test_a_body_of_another_shape_is_refused(box: RunningBox, body: object, field: str) -> None:
    assert refusal(raw(box, "/api/stop-access", json.dumps(body).encode()))["field"] == field


@pytest.fixture(scope="module")
def driver(box: RunningBox) -> Spoken:
    """A driver that the test speaks for, with one reading in its store."""
    driver = install(box, "diary", **{"databox-type": "driver"})
    assert driver.call("diary-store", "POST", "/day/ts", {"data": 1})[0] == 200
    return driver


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/day/ts", b"{", 400),
        ("/day/ts", b"\xff", 400),
        ("/day/ts", b"", 400),
        ("/day/ts", b"[" * 50_000, 400),
        ("/day/ts", b'{"data": "' + b"x" * 2_000_000 + b'"}', 413),
        ("/day/kv", b"{", 400),
        ("/day/kv", b'"' + b"x" * 2_000_000 + b'"', 413),
        ("/cat", b"{}", 400),
        ("/cat", b"[]", 400),
    ],
)
def test_what_is_no_reading_is_refused_and_not_written(
    driver: Spoken, path: str, body: bytes, status: int
) -> None:
    store = "diary-store"
    token = driver.token_for(store, "POST", path)
    found, text = driver.ask(store, "POST", path, body, token)
    assert found == status
    assert text
    kept = json.loads(driver.call(store, "GET", "/day/ts/since?startTimestamp=0")[1])
    assert [each["data"] for each in kept] == [1]
    assert json.loads(driver.call(store, "GET", "/cat")[1])["items"] == []
