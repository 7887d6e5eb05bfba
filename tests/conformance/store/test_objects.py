"""Large objects over HTTP: in and out as they are, on the record, under the token's caveats."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.store.running import APP, DRIVER, KEY, Running, answer, running, token

from databox.kit.http.message import Response, Stream
from databox.kit.http.wire import Body
from databox.store import audit
from databox.store.file import StoreFile
from databox.store.objects.files import PART
from databox.store.objects.stored import CHUNK
from databox.wire.errors import Unavailable
from databox.wire.ledger import Access

PHOTO = hashlib.shake_128(b"photo").digest(3 * PART + 12_345)


def run(folder: Path, story: Any) -> Any:
    async def whole() -> Any:
        async with running(folder) as store:
            return await story(store)

    return asyncio.run(whole())


def path_of(key: str) -> str:
    source, slash, name = key.partition("/")
    return f"/{source}/objects/{name}" if slash else f"/{source}/object"


async def put(
    store: Running,
    key: str,
    content: bytes,
    *,
    kind: str | None = "image/jpeg",
    caller: str = DRIVER,
    caveats: tuple[str, ...] = (),
) -> Response:
    path = path_of(key)
    headers = {"x-api-key": token(caller, "POST", path, *caveats, grant="own")}
    if kind is not None:
        headers["content-type"] = kind
    connection = store.connect(caller)
    try:
        return await connection.request("POST", path, headers, content)
    finally:
        connection.close()


async def get(
    store: Running, key: str, *caveats: str, method: str = "GET", **headers: str
) -> Response:
    path = path_of(key)
    shown = token(APP, method, path, *caveats)
    sent = {"x-api-key": shown, **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection = store.connect(APP)
    try:
        return await connection.request(method, path, sent)
    finally:
        connection.close()


def files(store: Running) -> list[str]:
    folder = store.folder / "objects"
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


async def settled(store: Running, count: int) -> None:
    """Wait until so many files are there: what nobody needs is removed after the answer."""
    async with asyncio.timeout(5):
        while len(files(store)) != count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, PART, len(PHOTO)])
def test_what_was_written_is_read_with_its_type(tmp_path: Path, size: int) -> None:
    async def story(store: Running) -> None:
        content = PHOTO[:size]
        told = answer(await put(store, "photo-1", content))
        assert told == {"digest": hashlib.sha512(content).hexdigest(), "size": size}
        found = await get(store, "photo-1")
        assert found.status == 200
        assert found.body == content
        assert found.content_type == "image/jpeg"
        assert found.header("content-length") == str(size)
        assert found.header("accept-ranges") == "bytes"
        assert found.header("x-content-type-options") == "nosniff"

    run(tmp_path, story)


def test_without_a_type_it_is_only_bytes(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", b"x", kind=None)
        assert (await get(store, "photo-1")).content_type == "application/octet-stream"
        refused = await put(store, "photo-1", b"x", kind="not a type")
        assert refused.status == 400
        assert json.loads(refused.body)["error"]["field"] == "content-type"

    run(tmp_path, story)


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    run(tmp_path, lambda store: put(store, "photo-1", PHOTO))

    async def story(store: Running) -> bytes:
        return (await get(store, "photo-1")).body

    assert run(tmp_path, story) == PHOTO


def test_a_new_object_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        await put(store, "photo-1", b"another", kind="text/plain")
        found = await get(store, "photo-1")
        assert (found.body, found.content_type) == (b"another", "text/plain")
        await settled(store, 1)

    run(tmp_path, story)


def test_a_range_is_answered_as_such(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        for first, last in ((0, 0), (5, 9), (CHUNK - 1, CHUNK), (PART - 3, 2 * PART + 3)):
            found = await get(store, "photo-1", range=f"bytes={first}-{last}")
            assert found.status == 206
            assert found.body == PHOTO[first : last + 1]
            assert found.header("content-range") == f"bytes {first}-{last}/{len(PHOTO)}"
            assert found.header("content-length") == str(last + 1 - first)
        end = await get(store, "photo-1", range="bytes=-7")
        assert (end.status, end.body) == (206, PHOTO[-7:])
        beyond = await get(store, "photo-1", range=f"bytes={len(PHOTO)}-")
        assert beyond.status == 416
        assert beyond.header("content-range") == f"bytes */{len(PHOTO)}"

    run(tmp_path, story)


def test_a_tag_tells_whether_it_is_still_the_same(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        tag = (await get(store, "photo-1")).header("etag")
        assert tag is not None
        same = await get(store, "photo-1", if_none_match=tag)
        assert (same.status, same.body, same.header("etag")) == (304, b"", tag)
        part = await get(store, "photo-1", if_range=tag, range="bytes=1-2")
        assert (part.status, part.body) == (206, PHOTO[1:3])
        await put(store, "photo-1", b"another")
        assert (await get(store, "photo-1", if_none_match=tag)).status == 200
        whole = await get(store, "photo-1", if_range=tag, range="bytes=1-2")
        assert (whole.status, whole.body) == (200, b"another")

    run(tmp_path, story)


def test_the_head_tells_size_and_type_alone(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        found = await get(store, "photo-1", method="HEAD")
        assert (found.status, found.body) == (200, b"")
        assert found.header("content-length") == str(len(PHOTO))
        assert found.content_type == "image/jpeg"

    run(tmp_path, story)


def test_the_same_content_is_there_once(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        first = await put(store, "photo-1", PHOTO)
        second = await put(store, "photo-2", PHOTO, kind="image/png")
        assert first.body == second.body
        await settled(store, 1)
        assert (await get(store, "photo-1")).content_type == "image/jpeg"
        found = await get(store, "photo-2")
        assert (found.content_type, found.body) == ("image/png", PHOTO)
        assert answer(await delete(store, "photo-1")) == {"deleted": True}
        assert (await get(store, "photo-1")).status == 404
        assert (await get(store, "photo-2")).body == PHOTO
        await delete(store, "photo-2")
        await settled(store, 0)

    run(tmp_path, story)


async def delete(store: Running, key: str) -> Response:
    return await store.ask("POST", f"{path_of(key)}/delete", caller=DRIVER)


def test_what_is_deleted_is_gone_with_its_key(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        rows = store.file._connection.execute("SELECT count(*) FROM object").fetchall()
        assert rows == [(1,)]
        assert answer(await delete(store, "photo-1")) == {"deleted": True}
        assert store.file._connection.execute("SELECT count(*) FROM object").fetchall() == [(0,)]
        assert files(store) == []
        assert answer(await delete(store, "photo-1")) == {"deleted": False}
        missing = await get(store, "photo-1")
        assert missing.status == 404
        assert json.loads(missing.body)["error"]["found"] == "photo-1"

    run(tmp_path, story)


def test_the_list_has_each_key_in_order(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for key in ("b-2", "a-1", "b-1", "c-1"):
            await put(store, key, key.encode(), kind="text/plain")
        told = answer(await store.ask("GET", "/objects?prefix=b-&limit=1"))
        assert told["next"] == "b-1"
        assert told["objects"][0] == {
            "key": "b-1",
            "type": "text/plain",
            "size": 3,
            "digest": hashlib.sha512(b"b-1").hexdigest(),
            "timestamp": told["objects"][0]["timestamp"],
        }
        rest = answer(await store.ask("GET", "/objects?prefix=b-&limit=9&after=b-1"))
        assert [each["key"] for each in rest["objects"]] == ["b-2"]
        assert rest["next"] is None
        seen = 'datasources = ["c-1", "a-1", "z"]'
        some = answer(await store.ask("GET", "/objects", caveats=[seen]))
        assert [each["key"] for each in some["objects"]] == ["a-1", "c-1"]

    run(tmp_path, story)


def test_a_source_has_many_objects_under_names_of_their_own(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for name in ("2", "1", "delete", "forget"):
            assert (await put(store, f"photos/{name}", name.encode())).status == 200
        await put(store, "photos", b"of the source itself")
        await put(store, "photos-old/1", b"another source")
        assert (await get(store, "photos/2")).body == b"2"
        assert (await get(store, "photos")).body == b"of the source itself"
        told = answer(await store.ask("GET", "/photos/objects?limit=3"))
        assert [each["key"] for each in told["objects"]] == [
            "photos/1",
            "photos/2",
            "photos/delete",
        ]
        assert told["next"] == "photos/delete"
        rest = answer(await store.ask("GET", "/photos/objects?after=photos/delete"))
        assert [each["key"] for each in rest["objects"]] == ["photos/forget"]
        assert answer(await delete(store, "photos/delete")) == {"deleted": True}
        assert answer(await store.ask("GET", "/photos/objects?prefix=photos/d"))["objects"] == []
        assert (await get(store, "photos/delete")).status == 404
        assert (await put(store, "photos/a%20%0a", b"x")).status == 400

    run(tmp_path, story)


def test_a_token_for_a_source_is_for_its_objects_and_no_others(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for key in ("photos", "photos/1", "photos-old/1", "photo/1", "videos/1"):
            await put(store, key, b"x")
        seen = 'datasources = ["photos", "videos"]'
        for key, status in {"photos/1": 200, "videos/1": 200, "photo/1": 401}.items():
            assert (await get(store, key, seen)).status == status
            listed = await store.ask("GET", f"/{key.partition('/')[0]}/objects", caveats=[seen])
            assert listed.status == status
        some = answer(await store.ask("GET", "/objects?limit=2", caveats=[seen]))
        assert [each["key"] for each in some["objects"]] == ["photos", "photos/1"]
        rest = answer(await store.ask("GET", "/objects?after=photos/1", caveats=[seen]))
        assert [each["key"] for each in rest["objects"]] == ["videos/1"]
        few = answer(await store.ask("GET", "/objects?prefix=photos/", caveats=[seen]))
        assert [each["key"] for each in few["objects"]] == ["photos/1"]

    run(tmp_path, story)


def test_a_forgotten_source_leaves_no_object_and_others_theirs(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for key in ("photos", "photos/1", "photos/2", "photos-old/1", "photos_"):
            await put(store, key, key.encode())
        await put(store, "kept/1", b"photos/2")
        path = "/photos/object/forget"
        assert answer(await store.ask("POST", path, caller=DRIVER)) == {"deleted": True}
        assert answer(await store.ask("POST", path, caller=DRIVER)) == {"deleted": False}
        told = answer(await store.ask("GET", "/objects"))
        assert [each["key"] for each in told["objects"]] == ["kept/1", "photos-old/1", "photos_"]
        assert (await get(store, "kept/1")).body == b"photos/2"
        await settled(store, 3)

    run(tmp_path, story)


# Tokens.


@pytest.mark.parametrize(
    "caveat",
    [
        "granularity >= PT1M",
        "startTimestamp >= 0",
        "endTimestamp <= 99999999999999",
        "precision >= 100 m",
        'fields = ["a"]',
        "destination = https://a.example",
    ],
)
def test_a_token_for_parts_of_data_gives_no_object(tmp_path: Path, caveat: str) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", b"x")
        assert (await get(store, "photo-1", caveat)).status == 401
        assert (await get(store, "photo-1", caveat, method="HEAD")).status == 401
        assert (await store.ask("GET", "/objects", caveats=[caveat])).status == 401
        assert (await put(store, "photo-2", b"x", caveats=(caveat,))).status == 401
        path = "/photo-1/object/delete"
        assert (await store.ask("POST", path, caller=DRIVER, caveats=[caveat])).status == 401
        assert (await get(store, "photo-1")).body == b"x"

    run(tmp_path, story)


def test_a_token_that_may_be_used_so_often_gives_so_many_objects(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", b"x")
        seen = [(await get(store, "photo-1", "rate <= 2/P1D")).status for _ in range(4)]
        assert seen == [200, 200, 429, 429]

    run(tmp_path, story)


def test_a_token_for_one_key_gives_no_other(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for key in ("photo-1", "photo-2"):
            await put(store, key, b"x")
        seen = 'datasources = ["photo-1"]'
        assert (await get(store, "photo-1", seen)).status == 200
        assert (await get(store, "photo-2", seen)).status == 401
        assert (await put(store, "photo-2", b"y", caveats=(seen,))).status == 401

    run(tmp_path, story)


def test_an_upload_without_a_good_token_is_refused_before_its_body(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)
            await asyncio.sleep(0)

    async def story(store: Running) -> None:
        shown = token(DRIVER, "GET", "/photo-1/object")
        connection = store.connect(DRIVER)
        found = await connection.stream(
            "POST", "/photo-1/object", {"x-api-key": shown}, Body(endless())
        )
        assert found.status == 401
        await found.chunks.aclose()
        assert files(store) == []

    run(tmp_path, story)


def test_a_download_stops_when_its_grant_ends(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        content = os.urandom(20 * PART)
        await put(store, "video-1", content)
        found = await begin(store, "video-1")
        first = await anext(found.chunks)
        store.ended.apply(1, ["g1"])
        got = bytearray(first)
        with pytest.raises(Unavailable):
            async for part in found.chunks:
                got += part
        assert len(got) < len(content)
        assert content.startswith(bytes(got))

    run(tmp_path, story)


def test_a_download_stops_when_its_object_is_deleted(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        content = os.urandom(20 * PART)
        await put(store, "video-1", content)
        found = await begin(store, "video-1")
        await anext(found.chunks)
        assert answer(await delete(store, "video-1")) == {"deleted": True}
        with pytest.raises(Unavailable):
            async for _ in found.chunks:
                pass
        assert files(store) == []

    run(tmp_path, story)


async def begin(store: Running, key: str) -> Stream:
    headers = {"x-api-key": token(APP, "GET", f"/{key}/object")}
    return await store.connect(APP).stream("GET", f"/{key}/object", headers)


# On the record.


def reads(store: Running, operation: str) -> list[tuple[str, int, int, int]]:
    return [
        (each.source, each.count, each.items, each.size)
        for each in store.ledger
        if isinstance(each, Access) and each.operation == operation
    ]


def test_each_part_is_on_the_record_with_its_size(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        await get(store, "photo-1")
        await get(store, "photo-1", range="bytes=0-9")
        await get(store, "photo-1", method="HEAD")
        await get(store, "none")
        await delete(store, "photo-1")
        await store.store.report()
        assert reads(store, "write") == [("photo-1", 1, 1, len(PHOTO))]
        assert reads(store, "read") == [
            ("photo-1", 4 + 1 + 1, 3, len(PHOTO) + 10),
            ("none", 1, 0, 0),
        ]
        assert [row[0] for row in reads(store, "delete")] == ["photo-1"]

    run(tmp_path, story)


def test_the_ledger_is_told_of_a_source_and_the_chain_of_each_object(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        for name in ("1", "2"):
            await put(store, f"photos/{name}", b"x" * 10)
        await store.store.report()
        assert reads(store, "write") == [("photos", 2, 2, 20)]

    run(tmp_path, story)
    file = StoreFile(tmp_path / "store.db", KEY)
    reader = file.reader()
    found = {record.source for row in reader.chain() for _, record in audit.unpack(row.blob)}
    assert found == {"photos/1", "photos/2"}
    reader.close()
    file.close()


def test_what_was_not_taken_is_not_on_the_record(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "video-1", os.urandom(40 * PART))
        found = await begin(store, "video-1")
        await anext(found.chunks)
        await asyncio.sleep(0.2)
        await store.store.report()
        (_, _, _, size) = reads(store, "read")[0]
        assert size < 10 * PART
        await found.chunks.aclose()

    run(tmp_path, story)


# Uploads that go wrong.


@pytest.mark.parametrize("known", [True, False])
def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path, known: bool) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PHOTO
        await asyncio.sleep(0.05)
        raise RuntimeError("the phone lost its network")

    async def story(store: Running) -> None:
        await put(store, "photo-1", b"before")
        path = "/photo-1/object"
        headers = {"x-api-key": token(DRIVER, "POST", path, grant="own")}
        body = Body(broken(), 2 * len(PHOTO) if known else None)
        with pytest.raises(RuntimeError):
            await store.connect(DRIVER).stream("POST", path, headers, body)
        await settled(store, 1)
        assert (await get(store, "photo-1")).body == b"before"

    run(tmp_path, story)


def test_an_upload_may_come_without_its_length(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(PHOTO), 70_000):
            yield PHOTO[start : start + 70_000]

    async def story(store: Running) -> None:
        path = "/photo-1/object"
        headers = {"x-api-key": token(DRIVER, "POST", path, grant="own")}
        told = await store.connect(DRIVER).stream("POST", path, headers, Body(parts()))
        assert told.status == 200
        await told.chunks.aclose()
        assert (await get(store, "photo-1")).body == PHOTO

    run(tmp_path, story)


def test_many_uploads_wait_for_their_turn_and_all_arrive(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        contents = {f"photo-{n}": os.urandom(300_000 + n) for n in range(12)}
        told = await asyncio.gather(*(put(store, key, each) for key, each in contents.items()))
        assert {each.status for each in told} == {200}
        for key, content in contents.items():
            assert (await get(store, key)).body == content

    run(tmp_path, story)


def test_memory_stays_bounded_while_a_large_object_comes_and_goes(tmp_path: Path) -> None:
    piece = os.urandom(1_000_000)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield piece

    def resident() -> int:
        line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
        return int(line.split()[1])

    async def story(store: Running) -> int:
        await put(store, "warm", piece)
        await get(store, "warm")
        before = resident()
        path = "/video-1/object"
        headers = {"x-api-key": token(DRIVER, "POST", path, grant="own")}
        told = await store.connect(DRIVER).stream("POST", path, headers, Body(parts(), 10**8))
        assert told.status == 200
        await told.chunks.aclose()
        found = await begin(store, "video-1")
        size = 0
        async for part in found.chunks:
            size += len(part)
        assert size == 10**8
        return resident() - before

    assert run(tmp_path, story) < 16_000


# Damage.


def spoil(store: Running, at: int) -> None:
    (name,) = files(store)
    path = store.folder / "objects" / name
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_beginning_is_told_by_name(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        spoil(store, 100)
        found = await get(store, "photo-1")
        error = json.loads(found.body)["error"]
        assert found.status == 500
        assert (error["code"], error["field"]) == ("object-damaged", "photo-1")
        assert [each.source for each in store.store._answers.damage()] == ["photo-1"]
        later = await get(store, "photo-1", range=f"bytes={PART}-")
        assert (later.status, later.body) == (206, PHOTO[PART:])

    run(tmp_path, story)


def test_a_damaged_object_is_well_again_when_it_is_brought_in_anew(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        await put(store, "photo-2", PHOTO)
        spoil(store, 100)
        assert (await get(store, "photo-1")).status == 500
        await put(store, "photo-1", PHOTO)
        assert store.store._answers.damage() == []
        assert (await get(store, "photo-1")).body == PHOTO
        assert (await get(store, "photo-2")).body == PHOTO
        await settled(store, 1)

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("path", "left"),
    [("/photos/objects/1/delete", ["photos/10"]),
     ("/photos/object/delete", ["photos/1", "photos/10"]), ("/photos/object/forget", [])],
)  # fmt: skip
def test_what_was_damaged_is_told_no_more_once_it_is_deleted(
    tmp_path: Path, path: str, left: list[str]
) -> None:
    async def story(store: Running) -> None:
        for name in ("1", "10"):
            await put(store, f"photos/{name}", PHOTO)
        spoil(store, 100)
        for name in ("1", "10"):
            assert (await get(store, f"photos/{name}")).status == 500
        await store.ask("POST", path, caller=DRIVER)
        assert [each.source for each in store.store._answers.damage()] == left

    run(tmp_path, story)


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("member", 401)])
@pytest.mark.parametrize("path", ["object", "object/delete", "objects/1", "objects/1/delete",
                                  "object/forget"])  # fmt: skip
def test_of_people_only_the_owner_changes_objects(
    tmp_path: Path, path: str, role: str, status: int
) -> None:
    async def story(store: Running) -> None:
        response = await store.ask(
            "POST", f"/photos/{path}", {}, caller="gateway", grant="user",
            caveats=["user = Ada", f"role = {role}", 'datasources = ["photos"]'],
        )  # fmt: skip
        assert response.status == status

    run(tmp_path, story)


def test_a_download_goes_on_while_its_key_gets_another_object(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        content = os.urandom(20 * PART)
        await put(store, "video-1", content)
        found = await begin(store, "video-1")
        first = await anext(found.chunks)
        await put(store, "video-1", b"another")
        await settled(store, 1)
        assert first + b"".join([part async for part in found.chunks]) == content

    run(tmp_path, story)


def test_a_damaged_middle_cuts_the_answer_off_after_what_is_right(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        spoil(store, 2 * PART + 1000)
        found = await begin(store, "photo-1")
        got = bytearray()
        with pytest.raises(Unavailable):
            async for part in found.chunks:
                got += part
        assert bytes(got) == PHOTO[: 2 * PART]
        assert [each.source for each in store.store._answers.damage()] == ["photo-1"]

    run(tmp_path, story)


def test_a_missing_file_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "photo-1", PHOTO)
        (name,) = files(store)
        (store.folder / "objects" / name).unlink()
        found = await get(store, "photo-1")
        assert found.status == 500
        assert json.loads(found.body)["error"]["field"] == "photo-1"
        await put(store, "photo-2", b"fine")
        assert (await get(store, "photo-2")).body == b"fine"

    run(tmp_path, story)


# Starts.


def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    run(tmp_path, lambda store: put(store, "photo-1", PHOTO))
    (kept,) = (tmp_path / "objects").iterdir()
    for name in ("ab" * 16, "cd" * 16 + ".part", "else"):
        (tmp_path / "objects" / name).write_bytes(b"left over")

    async def story(store: Running) -> None:
        await settled(store, 1)
        assert files(store) == [kept.name]
        assert (await get(store, "photo-1")).body == PHOTO

    run(tmp_path, story)


def test_what_is_on_the_disk_tells_nothing_of_the_content(tmp_path: Path) -> None:
    content = b"a canary sings in the mine " * 40_000
    run(tmp_path, lambda store: put(store, "canary-key", content))
    digest = hashlib.sha512(content).hexdigest()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert b"canary" not in found
            assert digest[:32] not in path.name
            assert bytes.fromhex(digest)[:16] not in found
