"""Caveats: what they mean, that all count, and that none is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.wire.caveats import (
    Duty,
    Path,
    Rate,
    compile_caveats,
    exact_caveat,
    list_caveat,
)
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
            "precision >= 1 km",
            'fields = ["b.c","a"]',
            "rate <= 60/PT1M",
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
    assert (caveats.base, caveats.exact) == (60_000, 60_000)
    assert caveats.precision == 1000
    assert caveats.fields == (("a",), ("b", "c"))
    assert caveats.rates == (Rate(60_000, 60),)
    assert caveats.exactness == "PT1M, 1 km, some fields"
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
        "precision >= 0 m",
        "precision >= 1001 km",
        "precision >= 1.5 km",
        "precision >= 1 mile",
        "precision <= 1 km",
        "fields = a",
        'fields = [""]',
        'fields = ["a..b"]',
        'fields = ["a.b.c.d.e.f.g.h.i"]',
        f"fields = [{','.join(f'{chr(34)}a{i}{chr(34)}' for i in range(65))}]",
        "rate <= 5",
        "rate <= 0/PT1M",
        "rate <= 5/PT7M",
        "rate <= 2000000/PT1M",
        "rate <= 5/60",
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
    assert caught.value.found == text[:120]


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
    assert exact_caveat("10 km") == ("precision >= 10 km",)
    assert compile_caveats(exact_caveat("10 km")).exactness == "10 km"
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
        "granularity >= P1D",
        "precision >= 100 m",
        "precision >= 10 km",
        'fields = ["a","b"]',
        'fields = ["a.c","b"]',
        'fields = ["c"]',
        "rate <= 5/PT1M",
        "rate <= 7/PT1M",
        "rate <= 9/PT1H",
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
    assert before.base in (after.base, 0)
    assert after.precision >= before.precision
    assert _within(after.fields, before.fields)
    assert all(any(_stricter(new, old) for new in after.rates) for old in before.rates)
    assert after.duties >= before.duties
    for field in ("destinations", "datasources"):
        old, new = getattr(before, field), getattr(after, field)
        assert old is None or (new is not None and new <= old)


def _within(new: tuple[Path, ...] | None, old: tuple[Path, ...] | None) -> bool:
    """Whether each path of `new` is one of `old`, or leads into one."""
    if old is None:
        return True
    return new is not None and all(any(p[: len(o)] == o for o in old) for p in new)


def _stricter(new: Rate, old: Rate) -> bool:
    return new.window == old.window and new.most <= old.most


@given(st.permutations(["granularity >= PT1H", "granularity >= PT1M", "granularity >= P1D"]))
def test_windows_are_made_of_those_that_the_first_caveat_leaves(texts: list[str]) -> None:
    caveats = compile_caveats(texts)
    assert caveats.exact == 86_400_000
    assert caveats.base == compile_caveats(texts[:1]).exact


def test_lists_of_members_cannot_be_made_to_grow() -> None:
    deeper = [f"fields = [{','.join(f'{chr(34)}a.b{i}{chr(34)}' for i in range(64))}]"]
    assert len(compile_caveats(['fields = ["a"]', *deeper]).fields or ()) == 64


def test_at_most_eight_paths_are_stacked() -> None:
    with pytest.raises(BadToken):
        compile_caveats(["path = /a"] * 9)
