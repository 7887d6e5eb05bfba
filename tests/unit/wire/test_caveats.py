"""Caveats: what they mean, that all count, and that none is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.wire.caveats import Duty, compile_caveats, exact_caveat, list_caveat
from databox.wire.tokens import BadToken


def test_all_known_caveats_are_read() -> None:
    caveats = compile_caveats(
        [
            "target = os-monitor-store",
            "path = /load/*",
            "method = GET",
            "time < 2000",
            "startTimestamp >= 10",
            "endTimestamp <= 20",
            "granularity >= PT1M",
            'destination = ["https://a.example/x","https://b.example"]',
            'datasources = ["load"]',
            "user = Ada",
            "role = owner",
        ]
    )
    assert caveats.target == "os-monitor-store"
    assert caveats.method == "GET"
    assert caveats.permits_path("/load/ts")
    assert (caveats.expires, caveats.since, caveats.until) == (2000, 10, 20)
    assert caveats.exact == 60_000
    assert caveats.destinations == frozenset({"https://a.example/x", "https://b.example"})
    assert caveats.datasources == frozenset({"load"})
    assert (caveats.user, caveats.role) == ("Ada", "owner")
    assert caveats.duties == set(Duty)
    assert not caveats.never


@pytest.mark.parametrize(
    "text",
    [
        "",
        "colour = blue",
        "precision >= 1km",
        'fields = ["a"]',
        "rate <= 5",
        "target=x",
        "target =",
        "time > 5",
        "time < soon",
        "time < -5",
        "time < ٣",
        "startTimestamp >= 1.5",
        "granularity >= PT7M",
        "granularity >= raw",
        "datasources = load",
        "datasources = [1]",
        "destination = [",
        "path = /([z-a])",
        " target = x",
        "TARGET = x",
    ],
)
def test_an_unknown_or_malformed_caveat_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        compile_caveats([text])
    assert caught.value.found == text


@pytest.mark.parametrize("key", ["target", "method", "user", "role"])
def test_two_values_that_contradict_can_never_be_satisfied(key: str) -> None:
    assert compile_caveats([f"{key} = a", f"{key} = b"]).never
    assert not compile_caveats([f"{key} = a", f"{key} = a"]).never


def test_a_destination_may_be_one_bare_url() -> None:
    caveats = compile_caveats(["destination = https://a.example"])
    assert caveats.destinations == frozenset({"https://a.example"})


def test_lists_and_windows_are_written_as_they_are_read() -> None:
    text = list_caveat(Duty.DESTINATIONS, ["https://a.example", "b"])
    assert text == 'destination = ["https://a.example","b"]'
    assert compile_caveats([text]).destinations == frozenset({"https://a.example", "b"})
    assert compile_caveats(exact_caveat("PT1H")).exact == 3_600_000
    assert exact_caveat("raw") == ()


CAVEATS = st.sampled_from(
    [
        "path = /a/*",
        "path = /:x/ts",
        "path = /a/ts",
        "time < 1000",
        "time < 2000",
        "method = GET",
        "startTimestamp >= 5",
        "startTimestamp >= 50",
        "endTimestamp <= 70",
        "endTimestamp <= 7",
        "granularity >= PT1M",
        "granularity >= PT1H",
        'destination = ["a","b"]',
        "destination = b",
        'datasources = ["s","t"]',
        'datasources = ["t"]',
    ]
)


@given(
    st.lists(CAVEATS, max_size=5),
    CAVEATS,
    st.sampled_from(["/a/ts", "/b/ts", "/a/x", "/c"]),
    st.integers(0, 3000),
)
def test_adding_a_caveat_never_allows_more(
    texts: list[str], added: str, path: str, moment: int
) -> None:
    before, after = compile_caveats(texts), compile_caveats([*texts, added])
    assert before.permits_path(path) >= after.permits_path(path)
    assert before.permits_time(moment) >= after.permits_time(moment)
    assert (after.since or 0) >= (before.since or 0)
    assert before.until is None or (after.until is not None and after.until <= before.until)
    assert after.exact >= before.exact
    assert after.duties >= before.duties
    for field in ("destinations", "datasources"):
        old, new = getattr(before, field), getattr(after, field)
        assert old is None or (new is not None and new <= old)


def test_at_most_eight_paths_are_stacked() -> None:
    with pytest.raises(BadToken):
        compile_caveats(["path = /a"] * 9)
