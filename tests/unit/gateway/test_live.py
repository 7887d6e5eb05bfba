"""New readings for a page: each frame of it adds to what it watches."""

import asyncio
import json

from databox.gateway.live import MOST_SOURCES, Subscribed
from databox.gateway.watch import Watch
from databox.kit.http.message import Response


class FakePeople:
    async def acting(self, person, target, method, path, act):
        return await act("token")


class FakeEvents:
    """A store's WebSocket that gives what is put into it."""

    def __init__(self):
        self.queue = asyncio.Queue()

    async def receive(self):
        return await self.queue.get()

    def close(self):
        pass


class FakeStore:
    """Notes subscriptions; refuses those to sources it does not know."""

    def __init__(self, known):
        self.known = known
        self.events = FakeEvents()
        self.subscribed = []

    async def websocket(self, callee, path, **_):
        return self.events

    async def fetch(self, callee, method, path, **_):
        source = path.split("/")[2]
        if source not in self.known:
            return Response(404, b"")
        self.subscribed.append(source)
        return Response(200, b"")

    def happen(self, source, data):
        event = {"datasource_id": source, "timestamp": 1, "data": data}
        self.events.queue.put_nowait(json.dumps(event))


async def watching(store, *steps):
    """Run a watch, with a pause after each step; gives what the page was sent."""
    told = []
    watch = Watch("a-store", None, people=FakePeople(), dialer=store, send=told.append)
    task = asyncio.create_task(watch.run())
    for step in steps:
        step(watch)
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return [json.loads(text) for text in told]


def test_later_sources_join_the_connection_that_is_there():
    async def story():
        store = FakeStore({"load", "memory"})
        told = await watching(
            store,
            lambda watch: watch.add(["load"]),
            lambda watch: watch.add(["memory"]),
            lambda _: store.happen("memory", 7),
        )
        assert store.subscribed == ["load", "memory"]
        assert told == [{"store": "a-store", "source": "memory", "t": 1, "data": 7}]

    asyncio.run(story())


def test_a_source_that_is_not_there_yet_does_not_keep_the_others_waiting():
    async def story():
        store = FakeStore({"memory"})
        await watching(store, lambda watch: watch.add(["load", "memory"]))
        assert store.subscribed == ["memory"]

    asyncio.run(story())


def test_what_another_page_asked_for_is_not_told_here():
    async def story():
        store = FakeStore({"load"})
        told = await watching(
            store, lambda watch: watch.add(["load"]), lambda _: store.happen("memory", 7)
        )
        assert told == []

    asyncio.run(story())


class Noting:
    """Stands in for a watch."""

    def __init__(self):
        self.sources = []

    def add(self, sources):
        self.sources += sources

    async def run(self):
        await asyncio.sleep(3600)


async def page_of(*frames):
    made = {}

    def make(store):
        made[store] = Noting()
        return made[store]

    page = Subscribed(make)
    for pairs in frames:
        page.take(json.dumps({"subscribe": pairs}))
    await page.end()
    return {store: watch.sources for store, watch in made.items()}


def test_frames_add_up_and_a_store_is_watched_once():
    frames = [["a-store", "x"]], [["a-store", "y"], ["b-store", "z"]]
    assert asyncio.run(page_of(*frames)) == {"a-store": ["x", "y"], "b-store": ["z"]}


def test_what_is_no_store_is_not_watched():
    assert asyncio.run(page_of([["manager", "x"]])) == {}


def test_a_page_watches_so_many_sources_and_no_more():
    frames = [[["a-store", f"s{number}"] for number in range(100)]] * 3
    watched = asyncio.run(page_of(*frames))
    assert len(watched["a-store"]) == MOST_SOURCES
