"""`sdk.md`: what an app or a driver of one Python file can call, from the code's own words."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from databox.sdk import testing, view
from databox.sdk.app import App
from databox.sdk.columns import Columns
from databox.sdk.driver import Driver, DriverSource
from databox.sdk.events import Event
from databox.sdk.export import Destination, Sending
from databox.sdk.points import Points
from databox.sdk.questions import Window
from databox.sdk.readings import Reading, Readings
from databox.sdk.schedule import Schedule
from databox.sdk.source import Source

HEAD = """# What apps and drivers are written with

`from databox.sdk import App, Driver, view`. Made from the words in `src/databox/sdk` by
`docs/generate`. Times are Unix milliseconds. How the pieces go together: [your first
app](../tutorial/first-app.md), [your first driver](../tutorial/first-driver.md).
"""


@dataclass(frozen=True)
class Chapter:
    """One object, called `name` in what an author writes.

    `inner`: public in the code for the box or the tests, and not for authors.
    """

    name: str
    what: Any
    inner: frozenset[str] = frozenset()
    more: tuple[tuple[str, Callable[..., Any]], ...] = ()
    makes: bool = False


CHAPTERS = (
    Chapter("app", App, frozenset({"connect", "show", "submit", "answer", "manifest"}), makes=True),
    Chapter("source", Source),
    Chapter("points", Points, frozenset({"asked"})),
    Chapter("columns", Columns),
    Chapter("window", Window),
    Chapter("event", Event),
    Chapter("readings", Readings),
    Chapter("reading", Reading),
    Chapter("view", view),
    Chapter("destination", Destination),
    Chapter("sending", Sending),
    Chapter(
        "driver",
        Driver,
        frozenset({"start", "manifest"}),
        (("every", Schedule.every),),
        makes=True,
    ),
    Chapter("driver_source", DriverSource),
    Chapter("box", testing.Box, frozenset({"app", "reader", "outbox", "post", "now"})),
)
TITLES = {
    "app": "An app",
    "source": "A source: what `app.ask` returns",
    "points": "Points: what `source.points` returns",
    "columns": "Columns: a page of points, or all of them",
    "window": "A window: what `source.windows` gives",
    "event": "An event: what `source.follow` gives",
    "readings": "Readings: what a source gives",
    "reading": "One reading",
    "view": "Views: what a screen is made of",
    "destination": "A destination: what `app.export` returns",
    "sending": "Something on its way: what `send` returns",
    "driver": "A driver",
    "driver_source": "A driver's source: what `driver.source` returns",
    "box": "A pretended box for tests: the fixture `box` of `databox.sdk.testing`",
}
DECORATORS = frozenset({"app.screen", "app.form", "app.every", "driver.every"})


def render() -> str:
    """The whole page."""
    lines = [HEAD]
    for chapter in CHAPTERS:
        lines += [f"## {TITLES[chapter.name]}", ""]
        if chapter.makes:
            lines += [f"    {chapter.name} = {_call(chapter.what.__name__, chapter.what)}", ""]
        lines += [*_told(chapter.what), ""]
        for name, member in members(chapter):
            lines += [f"### `{_written(chapter.name, name, member)}`", "", *_told(member), ""]
    return "\n".join(lines).rstrip() + "\n"


def members(chapter: Chapter) -> Iterator[tuple[str, Any]]:
    """What authors call, in the order of the code."""
    what = chapter.what
    for name, member in vars(what).items():
        own = inspect.isclass(what) or getattr(member, "__module__", "") == what.__name__
        told = inspect.isfunction(member) or isinstance(member, property)
        if own and told and name not in chapter.inner and not name.startswith("_"):
            yield name, member
    yield from chapter.more


def _written(owner: str, name: str, member: Any) -> str:
    called = f"{owner}.{name}"
    if isinstance(member, property):
        return called
    return ("@" if called in DECORATORS else "") + _call(called, member)


def _call(called: str, function: Any) -> str:
    if called == "app.screen":
        # It is put on a function as it is, without a call.
        return called
    given = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    words: list[str] = []
    for each in given:
        if each.kind is each.KEYWORD_ONLY and "*" not in words and "**" not in words:
            words.append("*")
        words.append(_parameter(each))
    return f"{called}({', '.join(words)})"


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    if parameter.default is parameter.empty:
        return parameter.name
    # A default that is a function has no text that is the same in each run.
    default = "…" if callable(parameter.default) else repr(parameter.default)
    return f"{parameter.name}={default}"


def _told(what: Any) -> Iterator[str]:
    """Its docstring; the words below `Args:` and `Raises:` as a list."""
    text = what.fget.__doc__ if isinstance(what, property) else what.__doc__
    section = ""
    for line in inspect.cleandoc(text or "").splitlines():
        if line in ("Args:", "Raises:"):
            section = line
        elif not section or not line.startswith("    "):
            section = section if not line else ""
            yield line
        elif found := re.fullmatch(r"    (\w+): (.*)", line):
            yield f"- {'raises ' if section == 'Raises:' else ''}`{found[1]}`: {found[2]}"
        else:
            yield f"  {line.strip()}"
