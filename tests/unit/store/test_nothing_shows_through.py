"""No sequence of allowed requests reveals what a caveat hides.

Each example makes two stores that differ only in what must not be seen, and asks both the same: a
random sequence of requests under the caveat, with more caveats added at will, as any holder of a
token may. Every answer and every event must be the same to the byte.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.store.worlds import Column, Socket, Worlds, worlds

from databox.store import grid
from databox.store.engine.hot import Hot
from databox.wire import catalogue
from databox.wire.exactness import WINDOWS_MS

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TAGS: tuple[dict[str, str], ...] = ({}, {"room": "hall"}, {"room": "attic"})
Side = dict[str, Column]
"""Readings of one world by the room that they are tagged with, empty for none."""


@dataclass
class Case:
    """One pair of worlds. `caveats`: the grant's; `first`, `last`: bounds of what was written.

    `before`: what is there; `live`: what is written while somebody follows, and how long it takes.
    `values`: what stands under the source's own key.
    """

    caveats: tuple[str, ...]
    first: int
    last: int
    before: tuple[Side, Side]
    live: list[tuple[tuple[Side, Side], int]] = field(default_factory=list)
    values: tuple[object, object] = (1, 2)
    others: tuple[Side, Side] | None = None


Maker = Callable[[random.Random, int], Case]


Pair = tuple[asyncio.Runner, Worlds]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Two stores that all examples of this file use, each with a source of its own."""
    with asyncio.Runner() as runner, worlds(runner) as both:
        yield runner, both


@pytest.fixture
def packed() -> Iterator[Pair]:
    """The same, where what is written is sealed and summed up at once, and not after a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hot, "is_full", property(lambda _: True))
        patch.setattr(Hot, "is_over", property(lambda _: True))
        with asyncio.Runner() as runner, worlds(runner) as both:
            yield runner, both


# What must not be seen, kind by kind.


def hidden_in_windows(chance: random.Random, start: int) -> Case:
    """Of a window only count, least, most and mean are seen, of one with few readings nothing."""
    name = chance.choice(("PT1M", "PT1M", "PT15M"))
    length = WINDOWS_MS[name]
    start = start // length * length
    windows = [_window(chance, start + n * length, length) for n in range(chance.randint(1, 5))]
    end = start + len(windows) * length
    # The last one is still open when it is asked for; if it never closes, it may have enough.
    closes = chance.random() < 0.5
    most = 4 if closes else 9
    windows.append((_few(chance, end, length, most), _few(chance, end, length, most)))
    sides = [_tagged(chance, [window[side] for window in windows]) for side in (0, 1)]
    coming = _window(chance, end + length, length)
    live: tuple[Side, Side] = (_tagged(chance, [coming[0]]), _tagged(chance, [coming[1]]))
    caveats = (f"granularity >= {name}",)
    later = [(live, 2 * length + 3_000)] if closes else []
    return Case(caveats, start, end + 500, (sides[0], sides[1]), later)


def hidden_places(chance: random.Random, start: int) -> Case:
    """Of a place only its cell is seen, and of what stands beside it nothing."""
    metres = chance.choice((100, 1_000, 10_000))
    level = grid.level_of(metres)
    one: Column = []
    other: Column = []
    for n in range(chance.randint(1, 25)):
        t = start + n * chance.choice((7_000, 11_000)) + n
        north, east = chance.uniform(-89, 89), chance.uniform(-179, 179)
        shape = chance.choice(SHAPES)
        near = chance.choice((grid.centre(north, east, level), (north, east)))
        one.append((t, _beside(chance) | shape(north, east)))
        other.append((t, _beside(chance) | shape(*near)))
    return _split(chance, (f"precision >= {metres} m",), start, one, other)


def hidden_members(chance: random.Random, start: int) -> Case:
    """Members that are not listed, and what is no document, are not seen."""
    one: Column = []
    other: Column = []
    for n in range(chance.randint(1, 25)):
        t = start + n * 7_000 + n
        shown: dict[str, object] = {}
        if chance.random() < 0.7:
            shown["a"] = chance.choice((1, 2.5, "text", [1, 2], {"x": 1}, None))
        inner = {"c": chance.randint(0, 9)} if chance.random() < 0.7 else {}
        for column in (one, other):
            document = _members(chance, shown, inner)
            bare = not shown and not inner and chance.random() < 0.5
            column.append((t, chance.choice((7, 1.5, "x", [1])) if bare else document))
    return _split(chance, ('fields = ["a","b.c"]',), start, one, other)


def hidden_times(chance: random.Random, start: int) -> Case:
    """Readings outside of the stretch, and that there are any, are not seen."""
    first, last = start + 2 * MINUTE, start + 5 * MINUTE
    inside: Column = [
        (t, chance.choice((t % 97, {"a": t % 89}, "text")))
        for t in sorted({chance.randint(first, last) for _ in range(chance.randint(0, 12))})
    ]
    sides: list[Side] = []
    for _ in range(2):
        ages = ((start - 9 * DAY, first - 1), (last + 1, last + 9 * DAY))
        outside = [
            (chance.randint(*chance.choice(ages)), chance.randint(0, 99))
            for _ in range(chance.randint(0, 9))
        ]
        hidden: Column = list(dict(outside).items())
        sides.append({"": inside, chance.choice(("hall", "attic", "")): hidden})
        if "" in sides[-1] and sides[-1][""] is hidden:
            sides[-1] = {"": [*hidden, *inside]}
    bounds = (f"startTimestamp >= {first}", f"endTimestamp <= {last}")
    late: tuple[Side, Side] = (
        {"": [(last + 60_000, 5)]},
        {"hall": [(first - 60_000, "late")]},
    )
    return Case(bounds, first, last, (sides[0], sides[1]), [(late, 1_000)])


def hidden_sources(chance: random.Random, start: int) -> Case:
    """Sources that are not listed, their values and that there are any, are not seen."""
    column: Column = [(start + n * 9_000, n) for n in range(chance.randint(0, 12))]
    case = Case(('datasources = ["{source}"]',), start, start + 9 * MINUTE, ({"": column},) * 2)
    case.values = (1, 1)
    case.others = ({"": _few(chance, start, HOUR, 9)}, {"hall": _few(chance, start, HOUR, 9)})
    return case


KINDS: tuple[Maker, ...] = (
    hidden_in_windows,
    hidden_places,
    hidden_members,
    hidden_times,
    hidden_sources,
)


each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
SEEDS = st.integers(0, 2**32)
OFTEN = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@each_kind
@settings(OFTEN, max_examples=50)
@given(seed=SEEDS)
def test_worlds_that_differ_in_what_is_hidden_answer_alike(
    kind: Maker, seed: int, pair: Pair
) -> None:
    pair[0].run(_play(pair[1], kind, random.Random(seed)))


@each_kind
@settings(OFTEN, max_examples=8)
@given(seed=SEEDS)
def test_packed_worlds_answer_alike(kind: Maker, seed: int, packed: Pair) -> None:
    packed[0].run(_play(packed[1], kind, random.Random(seed)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_kind
@settings(OFTEN, max_examples=1000)
@given(seed=SEEDS)
def test_worlds_that_differ_in_what_is_hidden_answer_alike_long(
    kind: Maker, seed: int, pair: Pair
) -> None:
    pair[0].run(_play(pair[1], kind, random.Random(seed)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_kind
@settings(OFTEN, max_examples=200)
@given(seed=SEEDS)
def test_packed_worlds_answer_alike_long(kind: Maker, seed: int, packed: Pair) -> None:
    packed[0].run(_play(packed[1], kind, random.Random(seed)))


async def _play(both: Worlds, kind: Maker, chance: random.Random) -> None:
    both.count += 1
    source = f"s{both.count}"
    start = (both.clock.time // DAY + 2) * DAY - 2 * MINUTE
    case = kind(chance, start)
    caveats = tuple(each.replace("{source}", source) for each in case.caveats)
    both.clock.time = case.last
    await _register(both, source, case)
    await _write(both, source, case.before)
    for world, value in zip(both.both, case.values, strict=True):
        await world.post(f"/{source}/kv", value)
    if case.others:
        await _write(both, f"other{both.count}", case.others)
    await _ask(both, source, case, caveats, chance)
    sockets = await _follow(both, source, caveats, chance)
    for written, later in case.live:
        both.clock.time = max(both.clock.time, case.last + later)
        await _write(both, source, written)
        if case.others:
            await _write(both, f"other{both.count}", case.others)
        for world in both.both:
            await world.turn()
    _compare(sockets, caveats)
    await _ask(both, source, case, caveats, chance)
    for world in both.both:
        await world.stop_following()


async def _register(both: Worlds, source: str, case: Case) -> None:
    """Put sources into the catalogues, in one world at another place than in the other."""
    for place, world in zip(("51.5,-0.1", "48.1,11.5"), both.both, strict=True):
        hidden = place if case.caveats[0].startswith("precision") else ""
        await world.post("/cat", _item(source, "own", hidden))
        other = f"at {place}" if case.others else "elsewhere"
        await world.post("/cat", _item(f"other{both.count}", "other", other))


def _item(source: str, name: str, place: str) -> dict[str, object]:
    relations = {
        catalogue.DESCRIPTION_EN: name,
        catalogue.IS_CONTENT_TYPE: "application/json",
        catalogue.VENDOR: "v",
        catalogue.TYPE: "location",
        catalogue.DATASOURCE_ID: source,
        catalogue.STORE_TYPE: "store-json",
        catalogue.LOCATION: place,
    }
    pairs = [{"rel": rel, "val": value} for rel, value in relations.items()]
    # Always the same two addresses, so that each example takes the place of the last.
    return {"item-metadata": pairs, "href": f"https://walk-store:443/{name}"}


async def _write(both: Worlds, source: str, sides: tuple[Side, Side]) -> None:
    for world, side in zip(both.both, sides, strict=True):
        for room, column in side.items():
            await world.write(source, column, {"room": room} if room else {})


async def _ask(
    both: Worlds, source: str, case: Case, caveats: tuple[str, ...], chance: random.Random
) -> None:
    for _ in range(14):
        added = chance.sample(_more(case, source), chance.choice((0, 0, 0, 1, 2)))
        path, headers = _question(source, case, chance)
        await both.differ(path, (*caveats, *added), **headers)


async def _follow(
    both: Worlds, source: str, caveats: tuple[str, ...], chance: random.Random
) -> list[list[Socket]]:
    """Subscribe as in 2017, and by a tail; in both worlds, with the same caveats."""
    added = chance.sample(
        ("granularity >= PT1M", "precision >= 1 km", 'fields = ["a"]'), chance.randint(0, 1)
    )
    narrowed = (*caveats, *added)
    sockets: list[list[Socket]] = []
    for paths in ((f"/{source}/ts/tail",), ("/ws", f"/sub/{source}/ts", f"/sub/{source}/kv")):
        told = [await world.follow(paths[0], narrowed) for world in both.both]
        for path in paths[1:]:
            await both.differ(path, narrowed)
        if all(isinstance(each, Socket) for each in told):
            sockets.append([each for each in told if isinstance(each, Socket)])
        else:
            assert told[0] == told[1], paths
    return sockets


def _compare(sockets: list[list[Socket]], caveats: Sequence[str]) -> None:
    for one, other in sockets:
        assert one.frames == other.frames, caveats


# What is asked.


def _more(case: Case, source: str) -> list[str]:
    """Caveats that a holder may add."""
    moments = (case.first + 60_000, case.first - 1, case.last)
    return [
        "granularity >= PT1M",
        "granularity >= PT15M",
        "granularity >= PT1H",
        "granularity >= P1D",
        "precision >= 1 km",
        "precision >= 100 km",
        'fields = ["a"]',
        'fields = ["lat","b","secret"]',
        "fields = []",
        f"startTimestamp >= {moments[0]}",
        f"endTimestamp <= {moments[2]}",
        f'datasources = ["{source}"]',
        "rate <= 1000000/PT1M",
    ]


def _question(source: str, case: Case, chance: random.Random) -> tuple[str, dict[str, str]]:
    """A request, in the hope that it shows what it must not."""

    def moment() -> int:
        near = chance.choice((case.first, case.last, chance.randint(case.first, case.last)))
        return near + chance.choice((0, 0, -1, 1, 999, -MINUTE, MINUTE, HOUR, -DAY, 2 * DAY))

    first, last = sorted((moment(), moment()))
    window = (f"from={first}&to={last}", f"from={first}", f"to={last}", "")
    tag = chance.choice(("", "", "&tag.room=hall"))
    every = chance.choice(("PT1M", "PT7M", "PT15M", "PT1H", "P1D", "PT30S"))
    of = chance.choice(("count,sum", "min,max,mean,count", "median", "sd", "p99", "min"))
    by = chance.choice(("", "", "&by=series", "&field=a", "&field=lat,lon"))
    points = chance.choice(
        (
            "",
            "&limit=1",
            "&limit=3&order=newest",
            "&fields=a,secret",
            "&fields=lat",
            "&order=newest",
        )
    )
    paths = (
        f"/{source}/ts/latest",
        f"/{source}/ts/since?startTimestamp={first}",
        f"/{source}/ts/range?startTimestamp={first}&endTimestamp={last}",
        f"/{source}/ts/points?{chance.choice(window)}{points}{tag}",
        f"/{source}/ts/at?t={first}{tag}",
        f"/{source}/ts/length?{chance.choice(window)}{tag}",
        f"/{source}/ts/series",
        f"/{source}/ts/windows?{chance.choice(window)}&every={every}&of={of}{by}{tag}",
        f"/{source}/ts/windows?every={every}",
        f"/{source}/kv",
        f"/{source}/object",
        "/kv",
        "/kv/count",
        "/objects",
        "/cat",
        "/cat?rel=urn:X-databox:rels:hasLocation",
    )
    headers = {"accept": "application/vnd.databox.columns"} if chance.random() < 0.1 else {}
    return chance.choice(paths).replace("?&", "?"), headers


# Parts of the worlds.

SHAPES: tuple[Callable[[float, float], dict[str, object]], ...] = (
    lambda lat, lon: {"lat": lat, "lon": lon},
    lambda lat, lon: {"latitude": lat, "longitude": lon},
    lambda lat, lon: {"type": "Point", "coordinates": [lon, lat]},
    lambda lat, lon: {"coords": {"latitude": lat, "longitude": lon}},
)


def _window(chance: random.Random, start: int, length: int) -> tuple[Column, Column]:
    """Two windows that look the same: alike in sum, or both with too few readings."""
    if chance.random() < 0.4:
        return _few(chance, start, length, 4), _few(chance, start, length, 4)
    values = [chance.randint(-50, 50) for _ in range(chance.randint(5, 9))]
    member = chance.choice(("", "a"))
    sides = []
    for _ in range(2):
        times = chance.sample(range(start, start + length), len(values))
        shuffled = chance.sample(values, len(values))
        side: Column = [
            (t, {member: value} if member else value)
            for t, value in zip(times, shuffled, strict=True)
        ]
        # Texts name anything and are never told, and neither is a field that few readings have.
        side += [(t, {"b": t}) for t in _others(chance, start, length, times, 4 if member else 0)]
        side += [(t, "words") for t in _others(chance, start, length, dict(side), 3)]
        sides.append(side)
    return sides[0], sides[1]


def _few(chance: random.Random, start: int, length: int, most: int) -> Column:
    """So few readings that a window of them is not shown."""
    times = chance.sample(range(start, start + length), chance.randint(0, most))
    return [(t, chance.choice((t % 1000, {"a": t % 7}, {"secret": t}))) for t in times]


def _others(
    chance: random.Random, start: int, length: int, taken: object, most: int
) -> Iterator[int]:
    for _ in range(chance.randint(0, most)):
        t = chance.randint(start, start + length - 1)
        if t not in taken:  # type: ignore[operator]
            yield t


def _tagged(chance: random.Random, columns: Sequence[Column]) -> Side:
    """The readings, each in any of the series: windows are of all together."""
    side: Side = {}
    for column in columns:
        for reading in column:
            side.setdefault(chance.choice(("", "", "hall", "attic")), []).append(reading)
    return side


def _beside(chance: random.Random) -> dict[str, object]:
    return {
        name: chance.choice((chance.random(), "text", None, [1]))
        for name in ("altitude", "speed", "address", "secret", "a")
        if chance.random() < 0.4
    }


def _members(
    chance: random.Random, shown: dict[str, object], inner: dict[str, int]
) -> dict[str, object]:
    document: dict[str, object] = {**shown, **_beside_members(chance)}
    if inner or chance.random() < 0.3:
        document["b"] = {**inner, **_beside_members(chance)}
    elif chance.random() < 0.3:
        document["b"] = 5
    names = list(document)
    chance.shuffle(names)
    return {name: document[name] for name in names}


def _beside_members(chance: random.Random) -> dict[str, object]:
    most = 80 if chance.random() < 0.1 else 3
    return {f"A{chance.randint(0, 99)}": chance.random() for _ in range(chance.randint(0, most))}


def _split(
    chance: random.Random, caveats: tuple[str, ...], start: int, one: Column, other: Column
) -> Case:
    """Most is there before, the rest comes while somebody follows."""
    cut = chance.randint(0, len(one))
    last = start + 10 * MINUTE
    rest = ({"": one[cut:]}, {"": other[cut:]})
    return Case(caveats, start, last, ({"": one[:cut]}, {"": other[:cut]}), [(rest, 2 * HOUR)])
