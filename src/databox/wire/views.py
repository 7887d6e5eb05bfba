"""Declarative views: what an app gives and the shell draws, so no app code runs in the browser.

A screen is a list of views. Text is text, never HTML; there are no addresses in a view. Bounds
keep a hostile app from drowning the browser.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=4000)]
Label = Annotated[str, Meta(max_length=120)]

MAX_SCREEN = 1024 * 1024


class _View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Line(_View, frozen=True, kw_only=True):
    """One line of a chart: `t` in ms since 1970, `v` values, None for a gap; equally long."""

    label: Label
    t: Annotated[list[int], Meta(max_length=20_000)]
    v: Annotated[list[float | None], Meta(max_length=20_000)]


class Series(_View, tag="series", frozen=True, kw_only=True):
    """Lines over time. `unit` stands on the axis."""

    title: Label = ""
    unit: Label = ""
    lines: Annotated[list[Line], Meta(max_length=16)]


class Bars(_View, tag="bars", frozen=True, kw_only=True):
    """One bar a label."""

    title: Label = ""
    unit: Label = ""
    labels: Annotated[list[Label], Meta(max_length=500)]
    values: Annotated[list[float], Meta(max_length=500)]


class Row(_View, frozen=True, kw_only=True):
    """One line of a list: main text, smaller text, and a value at its end."""

    text: Text
    note: Text = ""
    value: Label = ""


class Rows(_View, tag="list", frozen=True, kw_only=True):
    """Lines of text."""

    title: Label = ""
    rows: Annotated[list[Row], Meta(max_length=1000)]


class Table(_View, tag="table", frozen=True, kw_only=True):
    """Columns and rows of short texts."""

    title: Label = ""
    columns: Annotated[list[Label], Meta(max_length=30)]
    rows: Annotated[list[list[Text]], Meta(max_length=1000)]


class Place(_View, frozen=True, kw_only=True):
    """A point on a map, degrees WGS 84; `radius` in metres says how exact it is."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    label: Label = ""
    radius: float = 0


class Map(_View, tag="map", frozen=True, kw_only=True):
    """Places on an outline map."""

    title: Label = ""
    places: Annotated[list[Place], Meta(max_length=5000)]


class Words(_View, tag="text", frozen=True, kw_only=True):
    """Prose; `style` is its weight on the page."""

    text: Text
    style: Literal["normal", "large", "note", "warning"] = "normal"


class Field(_View, frozen=True, kw_only=True):
    """An input of a form."""

    name: Label
    label: Label
    kind: Literal["text", "number", "choice", "switch"] = "text"
    value: Text = ""
    choices: list[Label] = []


class Form(_View, tag="form", frozen=True, kw_only=True):
    """Inputs and one button; the shell posts the values back to the app under `name`."""

    name: Label
    title: Label = ""
    fields: Annotated[list[Field], Meta(max_length=30)]
    button: Label = "Send"


class FormPost(_View, frozen=True, kw_only=True):
    """Values of a form, on their way from the shell to the app."""

    form: str
    values: dict[str, str]


class Picture(_View, frozen=True, kw_only=True):
    """A picture from the box: a data URL of a PNG, JPEG or WebP, bounded by the whole screen."""

    image: Annotated[str, Meta(pattern=r"^data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=]*$")]
    label: Label = ""


class Gallery(_View, tag="gallery", frozen=True, kw_only=True):
    """Pictures side by side."""

    title: Label = ""
    pictures: Annotated[list[Picture], Meta(max_length=200)]


View = Series | Bars | Rows | Table | Map | Words | Form | Gallery


class Screen(_View, frozen=True, kw_only=True):
    """What an app shows now. `invented`: drawn from invented data, since nothing is allowed yet."""

    title: Label = ""
    views: Annotated[list[View], Meta(max_length=50)]
    invented: bool = False
    refresh: Annotated[float, Meta(ge=0.5, le=3600)] = 2.0
