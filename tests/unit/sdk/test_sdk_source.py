import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.sdk import source as sources
from databox.sdk.peers import Peers
from databox.sdk.readings import Reading
from databox.sdk.source import Source
from databox.sdk.stored import StoredReader, bounds, readings
from databox.sdk.surroundings import Granted, read
from databox.wire import tokens
from databox.wire.errors import BadRequest, Denied, TooLarge, Unavailable

STORE = "os-monitor-store"
HOUR = 3_600_000


def reader(peers: Peers, exact: str = "raw") -> StoredReader:
    return StoredReader(peers, Granted(STORE, "cpu-load", exact, "%", ""))


def source(peers: Peers, now: float) -> Source:
    asked = sources.ask("cpu-load", exact="raw", why="", required=True, days=None, name="")
    return Source(asked, lambda: reader(peers), now=lambda: now)


def fill(fake: Any, *times: int) -> None:
    fake.records["cpu-load"] = [{"data": t / 10, "timestamp": t} for t in times]


def test_latest_is_the_newest_reading(fake: Any, peers: Peers) -> None:
    fill(fake, 10, 20)
    assert reader(peers).latest() == Reading(20, 2.0)


def test_latest_is_none_when_nothing_was_written(fake: Any, peers: Peers) -> None:
    assert reader(peers).latest() is None


def test_last_reads_up_to_now_and_no_further(fake: Any, peers: Peers) -> None:
    fill(fake, 1000, 61_000, 100_000)
    assert source(peers, now=61.0).last(minutes=1).times == [1000, 61_000]


def test_long_span_is_read_in_pieces_that_cover_it_once(fake: Any, peers: Peers) -> None:
    fill(fake, *range(0, 100 * HOUR, HOUR))
    found = list(reader(peers).between(0, 100 * HOUR - 1))
    assert [reading.t for reading in found] == list(range(0, 100 * HOUR, HOUR))
    starts = [start for start, _ in fake.asked]
    assert starts == [0, *(end + 1 for _, end in fake.asked[:-1])]


def test_piece_that_is_too_large_is_asked_for_in_parts(
    fake: Any, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(fake, *range(0, 6 * HOUR, 60_000))
    monkeypatch.setattr("databox.sdk.peers.MAX_REPLY", 5000)
    assert len(list(reader(peers).between(0, 6 * HOUR - 1))) == 360


def test_single_reading_over_the_bound_is_refused(
    fake: Any, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.records["cpu-load"] = [{"data": "x" * 9000, "timestamp": 5}]
    monkeypatch.setattr("databox.sdk.peers.MAX_REPLY", 5000)
    with pytest.raises(TooLarge):
        list(reader(peers).between(0, HOUR))


def test_reading_asks_only_for_what_the_token_allows(fake: Any, peers: Peers) -> None:
    token = tokens.mint(
        "a" * 43,
        location="https://arbiter:443",
        identifier="app:1:2",
        caveats=["target = x", "startTimestamp >= 5000", "startTimestamp >= 4000"],
    )
    fake.arbiter._answer = lambda *_: (200, token.encode())
    fake.valid = {token: ("GET", "/cpu-load/ts/range")}
    fill(fake, 4500, 5500)
    assert [each.t for each in reader(peers).between(0, 9000)] == [5500]
    assert fake.asked == [(5000, 9000)]


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_limits_of_a_token_are_read_from_it(since: int, until: int) -> None:
    caveats = [f"startTimestamp >= {since}", f"endTimestamp <= {until}"]
    token = tokens.mint("a" * 43, location="l", identifier="app:1:2", caveats=caveats)
    assert bounds(token) == (since, until)


def test_windows_keep_their_bounds_and_weight() -> None:
    body = b'[{"timestamp": 60000, "data": {"min": 1, "max": 9, "mean": 4, "count": 60}}]'
    assert readings(body, windows=True) == [Reading(60000, 4, weight=60, least=1, most=9)]


@given(st.binary(max_size=40) | st.just(b'[{"timestamp": 1, "data": 3}]'))
def test_answer_that_is_no_list_of_windows_is_refused(body: bytes) -> None:
    with pytest.raises(Unavailable):
        readings(b"{" + body, windows=True)


def test_refused_read_names_the_line_that_asks(fake: Any, peers: Peers) -> None:
    fake.denied = True
    with pytest.raises(Denied) as caught:
        source(peers, now=100).latest()
    assert 'app.ask("cpu-load", exact="raw", why="…")' in str(caught.value)


def test_refused_span_names_the_line_that_asks(fake: Any, peers: Peers) -> None:
    fake.denied = True
    with pytest.raises(Denied, match=r"app\.ask"):
        source(peers, now=100).last(hours=1)


def test_what_was_refused_is_not_allowed_any_more(fake: Any, peers: Peers) -> None:
    asked = source(peers, now=100)
    assert asked.allowed
    fake.denied = True
    with pytest.raises(Denied):
        asked.latest()
    assert not asked.allowed


def test_unknown_exactness_is_refused_when_the_app_asks() -> None:
    with pytest.raises(BadRequest, match="raw, minute, 15 minutes, hour"):
        sources.ask("x", exact="week", why="", required=True, days=None, name="")


def test_client_id_of_a_type_fits_an_environment_variable() -> None:
    assert sources.client_id("load-average 5.é") == "LOAD_AVERAGE_5__"


ITEM = {
    "item-metadata": [
        {"rel": "urn:X-hypercat:rels:hasDescription:en", "val": "Load"},
        {"rel": "urn:X-databox:rels:hasUnit", "val": "%"},
        {"rel": "urn:X-databox:rels:hasGranularity", "val": "PT1M"},
    ],
    "href": "https://os-monitor-store:443/cpu-load",
}


def test_grant_is_read_from_the_environment() -> None:
    found = read({"DATASOURCE_CPU": json.dumps(ITEM), "PATH": "/bin"})
    assert found.granted == {"CPU": Granted(STORE, "cpu-load", "PT1M", "%", "Load")}


def test_item_without_exactness_is_raw() -> None:
    item = {**ITEM, "item-metadata": []}
    assert read({"DATASOURCE_CPU": json.dumps(item)}).granted["CPU"].exact == "raw"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"href": 1}', json.dumps(ITEM).replace("PT1M", "PT9M")]
)
def test_grant_that_cannot_be_read_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(BadRequest, match="DATASOURCE_CPU"):
        read({"DATASOURCE_CPU": text})


def test_windows_of_fields_are_their_means() -> None:
    fields = {"a": {"mean": 1.5, "count": 60}, "count": {"mean": 3, "count": 50}}
    body = json.dumps([{"timestamp": 0, "data": fields}]).encode()
    assert readings(body, windows=True) == [Reading(0, {"a": 1.5, "count": 3}, weight=60)]


@pytest.mark.parametrize("exact", ["P1D", "PT15M", "1 km"])
def test_span_is_read_once_however_long_the_windows_are(
    fake: Any, peers: Peers, exact: str
) -> None:
    list(reader(peers, exact).between(HOUR // 2, 60 * HOUR))
    starts, ends = zip(*fake.asked, strict=True)
    assert starts == (HOUR // 2, *(end + 1 for end in ends[:-1]))
    assert ends[-1] == 60 * HOUR


def test_span_is_cut_between_windows_only(fake: Any, peers: Peers) -> None:
    list(reader(peers, "PT1H").between(HOUR // 2, 50 * HOUR))
    assert all((end + 1) % HOUR == 0 for _, end in fake.asked[:-1])
    assert all(start % HOUR == 0 for start, _ in fake.asked[1:])
