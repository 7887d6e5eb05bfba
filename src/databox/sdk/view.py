"""What a screen is made of. Each function takes what an app has and gives a view for the shell.

Long lines are thinned and long texts are cut to what the shell accepts, so a screen that was
right with little data does not fail with much.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from databox.sdk.readings import Readings
from databox.wire import views
from databox.wire.errors import BadRequest

MOST_POINTS = 2000
LABEL, TEXT = 120, 4000

Style = Literal["normal", "large", "note", "warning"]
Kind = Literal["text", "number", "choice", "switch"]


def series(
    readings: Readings | Mapping[str, Readings], *, title: str = "", unit: str = ""
) -> views.Series:
    """Numbers over time: one line, called as the title says, or several by their labels."""
    lines = readings if isinstance(readings, Mapping) else {title or readings.label: readings}
    units = {line.unit for line in lines.values()}
    return views.Series(
        title=title[:LABEL],
        unit=unit[:LABEL] or (units.pop() if len(units) == 1 else ""),
        lines=[_line(label, line) for label, line in lines.items()],
    )


def bars(values: Mapping[str, float], *, title: str = "", unit: str = "") -> views.Bars:
    """One bar a label, such as `source.count(by="hour of day")` gives."""
    return views.Bars(
        title=title[:LABEL],
        unit=unit[:LABEL],
        labels=[str(label)[:LABEL] for label in values],
        values=[float(value) for value in values.values()],
    )


def text(words: str, *, style: Style = "normal") -> views.Words:
    """Prose. `style`: `normal`, `large`, `note` or `warning`."""
    return views.Words(text=words[:TEXT], style=style)


def rows(items: Iterable[str | Sequence[str]], *, title: str = "") -> views.Rows:
    """Lines of text: each a text, or a text, a note and a value at the end."""
    return views.Rows(title=title[:LABEL], rows=[_row(item) for item in items])


def table(
    columns: Sequence[str], lines: Iterable[Sequence[object]], *, title: str = ""
) -> views.Table:
    """Columns and rows."""
    return views.Table(
        title=title[:LABEL],
        columns=[column[:LABEL] for column in columns],
        rows=[[str(cell)[:TEXT] for cell in line] for line in lines],
    )


def places(found: Iterable[views.Place], *, title: str = "") -> views.Map:
    """Places on a map; make them with `view.place`."""
    return views.Map(title=title[:LABEL], places=list(found))


def place(lat: float, lon: float, label: str = "", *, radius: float = 0) -> views.Place:
    """A place: degrees, and how exact it is in metres."""
    return views.Place(lat=lat, lon=lon, label=label[:LABEL], radius=radius)


def form(
    name: str, fields: Iterable[views.Field] = (), *, title: str = "", button: str = "Send"
) -> views.Form:
    """A form that calls `@app.form(name)`; make its fields with `view.field`."""
    return views.Form(
        name=name[:LABEL], title=title[:LABEL], fields=list(fields), button=button[:LABEL]
    )


def field(
    name: str,
    label: str = "",
    *,
    kind: Kind = "text",
    value: str = "",
    choices: Iterable[str] = (),
) -> views.Field:
    """An input of a form. `kind`: `text`, `number`, `switch`, or `choice` among `choices`."""
    if kind not in get_args(Kind):
        raise BadRequest("no such kind of field", field=name, found=repr(kind))
    return views.Field(
        name=name[:LABEL],
        label=(label or name)[:LABEL],
        kind=kind,
        value=value[:TEXT],
        choices=[choice[:LABEL] for choice in choices],
    )


def pictures(images: Iterable[views.Picture], *, title: str = "") -> views.Gallery:
    """Pictures side by side; make them with `view.picture`."""
    return views.Gallery(title=title[:LABEL], pictures=list(images))


def picture(image: bytes, label: str = "") -> views.Picture:
    """A PNG, JPEG or WebP picture.

    Raises:
        BadRequest: it is none of them.
    """
    from base64 import b64encode

    return views.Picture(
        image=f"data:image/{_format(image)};base64,{b64encode(image).decode()}",
        label=label[:LABEL],
    )


def _line(label: str, readings: Readings) -> views.Line:
    kept = _thin(readings)
    return views.Line(
        label=label[:LABEL],
        t=[reading.t for reading in kept],
        v=[_number(reading.value) for reading in kept],
    )


def _thin(readings: Readings) -> Readings:
    """Keep the last reading of each of at most `MOST_POINTS` equal parts."""
    if len(readings) <= MOST_POINTS:
        return readings
    step = len(readings) / MOST_POINTS
    return Readings(readings[int((part + 1) * step) - 1] for part in range(MOST_POINTS))


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _row(item: str | Sequence[str]) -> views.Row:
    parts = (item,) if isinstance(item, str) else tuple(item)
    words, note, value = (*parts, "", "", "")[:3]
    return views.Row(text=words[:TEXT], note=note[:TEXT], value=value[:LABEL])


def _format(image: bytes) -> str:
    if image.startswith(b"\x89PNG\r\n"):
        return "png"
    if image.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    raise BadRequest("this picture is not a PNG, JPEG or WebP", found=repr(image[:8]))
