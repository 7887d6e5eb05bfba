"""The arbiter's decisions."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.arbiter import policy
from databox.arbiter.policy import Ask, Permission, decide
from databox.wire import api
from databox.wire.caveats import compile_caveats
from databox.wire.errors import BadRequest

NOW = 1_500_000_000_000
PATHS = ["/*", "/load/*", "/load/ts", "/:source/ts", "/(load|memory)/ts", "/load/", "/memory/kv"]
DEEPER = ["/load/x/ts", "/a/b/ts", "/load", "/memory/x/kv", "//ts"]
ASKED = [
    *PATHS,
    "/load/ts/",
    "/LOAD/ts",
    "/(.*)",
    "/(.*)/ts",
    "/:any*",
    "/load/:what",
    "/memory/ts",
    "/x",
]


def permission(
    number: int,
    *paths: str,
    caveats: tuple[str, ...] = (),
    until: int | None = None,
    ended: int | None = None,
) -> Permission:
    grant = api.Grant(
        id=f"g{number}",
        client="graph",
        target="os-store",
        kind="source",
        caveats=caveats,
        until=until,
        ended=ended,
        made=NOW,
    )
    return Permission(grant, tuple(api.Route(method="GET", path=path) for path in paths))


def ask(path: str, *, grant: str = "", lifetime: int | None = None) -> Ask:
    return Ask(target="os-store", path=path, method="GET", grant=grant, lifetime=lifetime)


def chosen(path: str, *held: Permission, grant: str = "") -> str | None:
    minting = decide(ask(path, grant=grant), held, NOW)
    return minting.grant if minting else None


CAVEATS = st.sampled_from(
    [
        "granularity >= PT1M",
        "granularity >= PT1H",
        "precision >= 1 km",
        'fields = ["lat","lon"]',
        "rate <= 60/PT1M",
        "startTimestamp >= 5",
        f"time < {NOW + 9}",
    ]
)
PERMISSIONS = st.lists(
    st.builds(
        lambda paths, caveats: (tuple(paths), tuple(caveats)),
        st.lists(st.sampled_from(PATHS), min_size=1, max_size=3),
        st.lists(CAVEATS, max_size=2, unique=True),
    ),
    min_size=1,
    max_size=5,
).map(lambda each: [permission(n, *p, caveats=c) for n, (p, c) in enumerate(each, start=1)])


# Which grant.


def test_exactly_the_asked_path_goes_before_a_wildcard() -> None:
    wide = permission(1, "/load/*")
    exact = permission(2, "/load/ts", caveats=("granularity >= PT1H",))
    assert chosen("/load/ts", wide, exact) == "g2"


def test_among_wildcards_the_least_restrictive_is_taken() -> None:
    hourly = permission(1, "/load/*", caveats=("granularity >= PT1H",))
    by_minute = permission(2, "/load/*", caveats=("granularity >= PT1M", "startTimestamp >= 5"))
    raw = permission(3, "/*", caveats=("startTimestamp >= 5",))
    assert chosen("/load/ts", hourly, by_minute, raw) == "g3"
    assert chosen("/load/ts", hourly, by_minute) == "g2"


def test_a_grant_with_a_caveat_nobody_keeps_is_taken_last() -> None:
    strange = permission(1, "/load/*", caveats=("colour = blue",))
    hourly = permission(2, "/load/*", caveats=("granularity >= PT1H",))
    assert chosen("/load/ts", strange, hourly) == "g2"


def test_the_newest_is_taken_among_equals() -> None:
    old, new = permission(1, "/load/*"), permission(2, "/load/*")
    assert chosen("/load/ts", old, new) == "g2"


def test_the_named_grant_is_taken() -> None:
    assert chosen("/load/ts", permission(1, "/*"), permission(2, "/load/*"), grant="g1") == "g1"
    assert chosen("/load/ts", permission(1, "/*"), grant="g7") is None


@pytest.mark.parametrize(("ended", "until"), [(NOW - 1, None), (None, NOW), (None, NOW - 1)])
def test_a_grant_that_is_over_mints_nothing(ended: int | None, until: int | None) -> None:
    assert chosen("/load/ts", permission(1, "/load/*", ended=ended, until=until)) is None


def test_a_grants_end_is_the_tokens_end() -> None:
    minting = decide(ask("/load/ts"), [permission(1, "/load/*", until=NOW + 5)], NOW)
    assert minting is not None
    assert minting.caveats[-1] == f"time < {NOW + 5}"


def test_the_earlier_of_two_ends_counts() -> None:
    held = [permission(1, "/load/*", until=NOW + 5)]
    minting = decide(ask("/load/ts", lifetime=60_000), held, NOW)
    assert minting is not None
    assert compile_caveats(minting.caveats).expires == NOW + 5


# Properties.


@given(PERMISSIONS, st.text("/lo:*", max_size=6))
def test_a_token_opens_no_path_that_its_grant_does_not(held: list[Permission], free: str) -> None:
    for asked in ASKED:
        minting = decide(ask(asked), held, NOW)
        if minting is None:
            continue
        grant = next(each for each in held if each.grant.id == minting.grant)
        caveats = compile_caveats(minting.caveats)
        for path in (*PATHS, *ASKED, *DEEPER, "/" + free):
            if caveats.permits_path(path):
                assert grant.route_for("GET", path) is not None, (asked, path)


@given(PERMISSIONS, st.sampled_from(ASKED))
def test_a_token_carries_every_caveat_of_its_grant(held: list[Permission], asked: str) -> None:
    minting = decide(ask(asked), held, NOW)
    if minting is not None:
        grant = next(each.grant for each in held if each.grant.id == minting.grant)
        assert set(grant.caveats) <= set(minting.caveats)


@given(PERMISSIONS, st.sampled_from(ASKED), st.data())
def test_revoking_a_grant_never_widens_what_remains(
    held: list[Permission], asked: str, data: st.DataObject
) -> None:
    """Whatever can be minted after one grant ended could be minted before, under the same grant."""
    ended = data.draw(st.sampled_from(held)).grant.id
    left = [each for each in held if each.grant.id != ended]
    for name in ["", *(each.grant.id for each in held)]:
        after = decide(ask(asked, grant=name), left, NOW)
        assert after is None or after == decide(ask(asked, grant=after.grant), held, NOW)
        assert after is None or after.grant != ended


@given(PERMISSIONS, st.sampled_from(ASKED), CAVEATS)
def test_adding_a_caveat_to_every_grant_never_allows_more(
    held: list[Permission], asked: str, caveat: str
) -> None:
    narrowed = [
        Permission(
            msgspec.structs.replace(each.grant, caveats=(*each.grant.caveats, caveat)), each.routes
        )
        for each in held
    ]
    after = decide(ask(asked), narrowed, NOW)
    assert (after is None) == (decide(ask(asked), held, NOW) is None)
    assert after is None or caveat in after.caveats


@given(st.integers(0, 10_000))
def test_the_wait_after_wrong_tries_only_grows(wrong: int) -> None:
    assert 0 <= policy.wait_after(wrong) <= policy.wait_after(wrong + 1)
    assert policy.wait_after(wrong) <= policy.LONGEST_WAIT_MS


def test_the_wait_begins_after_the_free_tries() -> None:
    waits = [policy.wait_after(wrong) for wrong in range(policy.FREE_TRIES + 4)]
    assert waits == [0] * (policy.FREE_TRIES + 1) + [1000, 2000, 4000]
    assert all(a <= b for a, b in pairwise(waits))


# People.


@pytest.mark.parametrize(
    ("target", "method", "path"),
    [
        ("manager", "GET", "/api/components"),
        ("manager", "POST", "/api/components/graph/restart"),
        ("ledger", "GET", "/api/history"),
        ("arbiter", "GET", "/api/grants"),
        ("os-store", "GET", "/load/ts/latest"),
        ("os-store", "GET", "/ws"),
        ("os-store", "GET", "/sub/load/ts"),
        ("os-store", "GET", "/unsub/load/ts"),
        ("manager", "GET", "/api/packages/sha256:00ff"),
    ],
)
def test_a_person_may_do_what_is_public(target: str, method: str, path: str) -> None:
    caveats = policy.user_caveats(Ask(target=target, path=path, method=method), "Ada", "owner", NOW)
    read = compile_caveats(caveats)
    assert read.permits_path(path)
    assert (read.target, read.method, read.user, read.role) == (target, method, "Ada", "owner")
    assert read.expires == NOW + 5 * 60_000


@pytest.mark.parametrize(
    ("target", "method", "path"),
    [
        ("os-store", "POST", "/load/ts"),
        ("os-store", "POST", "/cat"),
        ("os-store", "POST", "/epoch"),
        ("os-store", "GET", "/load/../cat"),
        ("os-store", "GET", "/load/../../cat"),
        ("os-store", "GET", "/*"),
        ("os-store", "GET", "/../ts/latest"),
        ("os-store", "GET", "//ts/latest"),
        ("arbiter", "POST", "/token"),
        ("arbiter", "POST", "/sessions"),
        ("ledger", "POST", "/entries"),
        ("manager", "GET", "/api/nothing"),
        ("nobody", "GET", "/api/components"),
        ("manager", "POST", "/api/components/" + "x" * 300 + "/restart"),
    ],
)
def test_a_person_gets_no_token_for_anything_else(target: str, method: str, path: str) -> None:
    with pytest.raises(BadRequest):
        policy.user_caveats(Ask(target=target, path=path, method=method), "Ada", "owner", NOW)


def test_a_persons_path_is_taken_literally() -> None:
    asked = Ask(target="os-store", path="/:any/ts/latest", method="GET")
    read = compile_caveats(policy.user_caveats(asked, "Ada", "owner", NOW))
    assert read.permits_path("/:any/ts/latest")
    assert not read.permits_path("/load/ts/latest")


# Grants that can be kept.

SOURCE = api.GrantRequest(
    client="graph",
    target="os-store",
    kind="source",
    routes=(api.Route(method="GET", path="/load/*"),),
    caveats=(
        'datasources = ["load"]',
        "granularity >= PT1M",
        "startTimestamp >= 5",
        f"time < {NOW}",
    ),
    source="load",
    exact="PT1M",
    since=5,
    until=NOW,
)


def test_a_grant_whose_words_say_what_its_caveats_do_can_be_kept() -> None:
    policy.check_grant(SOURCE)


PLACE = api.GrantRequest(
    client="graph",
    target="walk-store",
    kind="source",
    routes=(api.Route(method="GET", path="/walk/*"),),
    caveats=('datasources = ["walk"]', "precision >= 1 km", 'fields = ["lat","lon"]'),
    source="walk",
    exact="1 km",
    fields=("lat", "lon"),
)


def test_a_grant_of_coarse_places_and_some_members_can_be_kept() -> None:
    policy.check_grant(PLACE)
    slow = (*PLACE.caveats, "rate <= 60/PT1M")
    policy.check_grant(msgspec.structs.replace(PLACE, caveats=slow))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exact", "100 m"),
        ("exact", "raw"),
        ("exact", "PT1M"),
        ("exact", "a little"),
        ("fields", ("lat",)),
        ("fields", None),
        ("fields", ()),
        ("fields", ("",)),
        ("caveats", PLACE.caveats[:2]),
        ("caveats", (*PLACE.caveats, "granularity >= PT1H")),
    ],
)
def test_words_about_places_and_members_are_held_against_the_caveats(
    field: str, value: object
) -> None:
    with pytest.raises(BadRequest):
        policy.check_grant(msgspec.structs.replace(PLACE, **{field: value}))


@pytest.mark.parametrize(
    ("finer", "coarser"),
    [
        ((), ("precision >= 100 m",)),
        (("precision >= 100 m",), ("precision >= 1 km",)),
        ((), ('fields = ["lat"]',)),
        (('fields = ["lat","lon"]',), ('fields = ["lat"]',)),
        ((), ("rate <= 60/PT1M",)),
        (("rate <= 60/PT1M",), ("rate <= 60/PT1H",)),
        (("granularity >= PT15M",), ("granularity >= P1D",)),
    ],
)
def test_the_less_restrictive_of_two_caveats_is_taken(
    finer: tuple[str, ...], coarser: tuple[str, ...]
) -> None:
    narrow = permission(2, "/load/*", caveats=coarser)
    assert chosen("/load/ts", permission(1, "/load/*", caveats=finer), narrow) == "g1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("since", 6),
        ("since", None),
        ("until", NOW + 1),
        ("until", None),
        ("exact", "PT1H"),
        ("exact", "raw"),
        ("source", "memory"),
        ("destinations", ("https://a.example",)),
        ("caveats", ()),
        ("caveats", (*SOURCE.caveats, "colour = blue")),
        ("caveats", (*SOURCE.caveats, "role = owner")),
        ("caveats", (*SOURCE.caveats, "path = /memory/*")),
        ("caveats", ("x" * 7000,)),
        ("routes", ()),
        ("routes", (api.Route(method="GET", path="/(.{3})"),)),
        ("routes", SOURCE.routes * 65),
    ],
)
def test_a_grant_whose_words_differ_from_its_caveats_is_refused(field: str, value: object) -> None:
    with pytest.raises(BadRequest):
        policy.check_grant(msgspec.structs.replace(SOURCE, **{field: value}))
